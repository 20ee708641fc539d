"""Who gets a key: text fields their letters, a button its Space, the page the rest."""

from collections.abc import Iterable, Sequence

from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtGui import QAction, QKeyEvent, QKeySequence
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ui.texts import shell as texts

TAKES_KEYS = "takesKeys"
"""Property of a page to which the focus goes when a field has done with it."""
OF_WIDGETS = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
"""Keys with which a button is pressed and a list opened."""
ENDS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)
"""Keys with which one has done with a field."""


def settle_key(focus: QWidget | None, event: QEvent) -> bool:
    """Settle who gets a key; for the `event` method of a window, to which unclaimed keys rise.

    A shortcut of the page would take Space from the button that has the focus, and a number field
    would keep the focus after Enter or Esc, so that the next letter were typed into it.

    Returns
    -------
    Whether the event is dealt with.
    """
    if not isinstance(event, QKeyEvent) or focus is None:
        return False
    if event.type() is QEvent.Type.ShortcutOverride:
        pressed = isinstance(focus, QAbstractButton | QComboBox)
        if pressed and event.key() in OF_WIDGETS and not event.modifiers():
            event.accept()
            return True
    elif event.type() is QEvent.Type.KeyPress and event.key() in ENDS:
        done = isinstance(focus, QAbstractSpinBox | QLineEdit)
        if done:
            page_of(focus).setFocus()
        return done
    return False


class KeySheet(QDialog):
    """Every key of the window, drawn up from the actions themselves."""

    def __init__(
        self, groups: Sequence[tuple[str, Iterable[QAction]]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(texts.KEYS_TITLE)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        rows = "".join(_rows_of(title, actions) for title, actions in groups)
        sheet = QLabel(f"<table cellspacing='4'>{rows}</table>")
        sheet.setTextFormat(Qt.TextFormat.RichText)
        sheet.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        sheet.setContentsMargins(12, 8, 12, 8)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(sheet)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(area, 1)
        layout.addWidget(buttons)
        self.resize(440, 560)


def _rows_of(title: str, actions: Iterable[QAction]) -> str:
    rows = [f"<tr><td colspan='2'><b>{title}</b></td></tr>"]
    for action in actions:
        keys = QKeySequence.listToString(action.shortcuts(), QKeySequence.SequenceFormat.NativeText)
        if keys:
            text = action.text().rstrip("…").replace("&", "")
            rows.append(f"<tr><td>{keys}&nbsp;&nbsp;</td><td>{text}</td></tr>")
    return "".join(rows) if len(rows) > 1 else ""


def page_of(widget: QWidget) -> QWidget:
    """Return the nearest widget around that takes keys of its own, or the window."""
    around = widget.parentWidget()
    while around is not None and not around.property(TAKES_KEYS):
        around = around.parentWidget()
    return around or widget.window() or widget
