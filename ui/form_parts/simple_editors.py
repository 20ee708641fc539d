"""Editors of values that have no parts: yes or no, one of a few, a line of text, a path."""

from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtCore import QEvent, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QDragEnterEvent, QDropEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)
from superqt import QToggleSwitch

from ui.form_parts.editor import Editor, name
from ui.form_parts.kinds import UNFILLED, Choice
from ui.form_parts.number_box import WheelGuard
from ui.texts import forms as words

FEWEST_CHARACTERS = 12
"""Least width of a box to choose from, arrow included."""


class Switch(QToggleSwitch):
    """superqt's switch in the size of the text, with a ring when it has the focus."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAnimationDuration(0)
        self._fit()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Leave room for the ring."""
        hint: QSize = super().sizeHint()
        return hint + QSize(0, 4)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Follow the size of the text."""
        super().changeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the ring around the switch."""
        super().paintEvent(event)
        if not self.hasFocus():
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.palette().text().color(), 1.5))
        width, height = self.switchWidth + 4, self.switchHeight + 6
        top = (self.height() - height) / 2 + 1
        painter.drawRoundedRect(0, round(top), width, height, height / 2, height / 2)

    def _fit(self) -> None:
        height = round(self.fontMetrics().height() * 0.85)
        if height != self.switchHeight:
            self.switchHeight, self.switchWidth = height, round(height * 1.9)
            self.handleSize = height - 4
            self.updateGeometry()


class SwitchEditor(Editor):
    """Yes or no."""

    def __init__(self) -> None:
        super().__init__()
        self._switch = Switch()
        self._switch.clicked.connect(self.edited)
        _row(self, self._switch, last_fills=False)

    def value(self) -> bool:
        """Return whether it is on."""
        return bool(self._switch.isChecked())

    def show_value(self, value: object) -> None:
        """Turn it on or off."""
        self._switch.setChecked(value is True)

    def name_for(self, label: str, description: str) -> None:
        """Name the switch."""
        name(self._switch, label, description)

    def stops(self) -> list[QWidget]:
        """Return the switch."""
        return [self._switch]


class ChoiceBox(QComboBox):
    """A box as wide as its longest text where there is room, and narrower where there is not."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__()
        self.addItems(texts)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._wheel = WheelGuard(self)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Allow a narrow column; the list that opens shows whole texts."""
        least = FEWEST_CHARACTERS * self.fontMetrics().averageCharWidth()
        hint = super().sizeHint()
        return QSize(min(hint.width(), least), hint.height())


class ChoiceEditor(Editor):
    """One of a few values, or of on and off, perhaps with “not set” before them."""

    def __init__(self, kind: Choice) -> None:
        super().__init__()
        self._values = ((None,) if kind.optional else ()) + kind.values
        self._box = ChoiceBox([_choice_text(value) for value in self._values])
        self._box.activated.connect(self.edited)
        _row(self, self._box, last_fills=False)

    def value(self) -> object:
        """Return the chosen value."""
        index = self._box.currentIndex()
        return UNFILLED if index < 0 else self._values[index]

    def show_value(self, value: object) -> None:
        """Choose a value; nothing if it is none of them."""
        same = [
            i for i, own in enumerate(self._values) if own == value and type(own) is type(value)
        ]
        self._box.setCurrentIndex(same[0] if same else -1)

    def name_for(self, label: str, description: str) -> None:
        """Name the box."""
        name(self._box, label, description)

    def stops(self) -> list[QWidget]:
        """Return the box."""
        return [self._box]


class TextEditor(Editor):
    """A line of text, kept exactly until it is edited: line ends cannot be shown in a line."""

    def __init__(self) -> None:
        super().__init__()
        self._line = QLineEdit()
        self._line.setProperty("role", "field")
        self._text = ""
        self._line.textEdited.connect(self._on_text_edited)
        _row(self, self._line)

    def value(self) -> object:
        """Return the text."""
        return self._text

    def show_value(self, value: object) -> None:
        """Show a text; the cursor stays if it is the same."""
        text = value if isinstance(value, str) else ""
        if text != self._text:
            self._text = text
            self._line.setText(text)
            self._line.setCursorPosition(0)

    def name_for(self, label: str, description: str) -> None:
        """Name the line."""
        name(self._line, label, description)

    def stops(self) -> list[QWidget]:
        """Return the line."""
        return [self._line]

    def _on_text_edited(self, text: str) -> None:
        self._text = text
        self.edited.emit()


class PathLine(QLineEdit):
    """A line that takes a dropped file as its path."""

    dropped = pyqtSignal(str)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802
        """Take files of this machine; leave text to the line."""
        if event is not None and _dropped_path(event):
            event.acceptProposedAction()
        else:
            super().dragEnterEvent(event)

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802
        """Take the path of the first file."""
        path = _dropped_path(event) if event is not None else ""
        if event is None or not path:
            super().dropEvent(event)
            return
        event.acceptProposedAction()
        self.dropped.emit(path)


class PathEditor(Editor):
    """The path of a file or folder: typed, chosen or dropped."""

    def __init__(self, *, folder: bool) -> None:
        super().__init__()
        self._folder = folder
        self._path: Path | None = None
        self._line = PathLine()
        self._line.setProperty("role", "field")
        self._line.textEdited.connect(self._on_path_given)
        self._line.dropped.connect(self._on_path_dropped)
        self._browse = QPushButton(words.BROWSE)
        self._browse.clicked.connect(self._on_browse)
        self._browse.setAutoDefault(False)
        _row(self, self._line, self._browse, last_fills=False)

    def value(self) -> object:
        """Return the path; `UNFILLED` if there is none."""
        return UNFILLED if self._path is None else self._path

    def show_value(self, value: object) -> None:
        """Show a path, or none."""
        path = value if isinstance(value, Path) else None
        if path != self._path:
            self._path = path
            self._line.setText("" if path is None else str(path))

    def name_for(self, label: str, description: str) -> None:
        """Name line and button."""
        name(self._line, label, description)
        name(self._browse, f"{label}, {self._title().lower()}", description)

    def stops(self) -> list[QWidget]:
        """Return line and button."""
        return [self._line, self._browse]

    def _title(self) -> str:
        return words.CHOOSE_FOLDER if self._folder else words.CHOOSE_FILE

    def _on_path_given(self, text: str) -> None:
        self._path = Path(text) if text.strip() else None
        self.edited.emit()

    def _on_path_dropped(self, text: str) -> None:
        self._line.setText(text)
        self._on_path_given(text)

    def _on_browse(self) -> None:
        start = str(self._path or "")
        if self._folder:
            chosen = QFileDialog.getExistingDirectory(self, self._title(), start)
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, self._title(), start)
        if chosen:
            self._on_path_dropped(chosen)


def _choice_text(value: object) -> str:
    if value is None:
        return words.NOT_SET
    if isinstance(value, bool):
        return words.ON if value else words.OFF
    return words.choice_text(value)


def _dropped_path(event: QDropEvent) -> str:
    data = event.mimeData()
    files = [url.toLocalFile() for url in data.urls() if url.isLocalFile()] if data else []
    return files[0] if files else ""


def _row(editor: QWidget, *widgets: QWidget, last_fills: bool = True) -> QHBoxLayout:
    """Lay widgets side by side; a stretch takes the rest unless a line of text does."""
    row = QHBoxLayout(editor)
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget, 1 if isinstance(widget, QLineEdit) else 0)
    if not last_fills and not any(isinstance(widget, QLineEdit) for widget in widgets):
        row.addStretch(1)
    return row
