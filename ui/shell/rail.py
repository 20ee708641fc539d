"""The pages, one below the other at the left edge."""

from collections.abc import Sequence
from enum import Enum

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QAction, QActionGroup, QKeySequence
from PyQt6.QtWidgets import QFrame, QToolButton, QVBoxLayout, QWidget

from ui.shell.theme import Theme, icon
from ui.texts import shell as texts


class PageName(Enum):
    """Name of a page, as `--page` takes it and as its icon is called."""

    LIVE = "live"
    REPLAY = "replay"
    TRAINING = "training"
    TIAUG = "tiaug"
    LABELLING = "labelling"

    @property
    def word(self) -> str:
        """Word below the icon."""
        return str(getattr(texts, self.name))


class Rail(QFrame):
    """One button for each page; exactly one is chosen."""

    chosen = pyqtSignal(object)
    """A `PageName`."""

    def __init__(self, there: Sequence[PageName], parent: QWidget | None = None) -> None:
        """Offer the pages; those that are not `there` stand disabled."""
        super().__init__(parent)
        self.setProperty("role", "rail")
        self.setAccessibleName(texts.PAGES)
        self._group = QActionGroup(self)
        self._actions: dict[PageName, QAction] = {}
        self._buttons: list[QToolButton] = []
        self._layout = QVBoxLayout(self)
        for place, name in enumerate(PageName, 1):
            action = QAction(name.word, self._group)
            action.setCheckable(True)
            action.setShortcut(QKeySequence(f"Ctrl+{place}"))
            enabled = name in there
            action.setEnabled(enabled)
            keys = f"Ctrl+{place}" if enabled else texts.NOT_YET
            action.setToolTip(f"{name.word} ({keys})")
            action.triggered.connect(lambda _=False, name=name: self.chosen.emit(name))
            button = QToolButton()
            button.setDefaultAction(action)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setProperty("role", "page")
            button.setAccessibleName(name.word)
            self._actions[name] = action
            self._buttons.append(button)
            self._layout.addWidget(button)
        self._layout.addStretch(1)

    @property
    def actions_by_page(self) -> dict[PageName, QAction]:
        """Action that shows each page."""
        return dict(self._actions)

    def choose(self, name: PageName) -> None:
        """Show which page is open."""
        self._actions[name].setChecked(True)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._layout.setContentsMargins(*(round(each * scale) for each in (5, 8, 5, 8)))
        self._layout.setSpacing(round(4 * scale))
        for (name, action), button in zip(self._actions.items(), self._buttons, strict=True):
            action.setIcon(icon(name.value, theme.muted, theme.line, theme.accent))
            button.setIconSize(QSize(round(22 * scale), round(22 * scale)))
            button.setFixedWidth(round(70 * scale))
