"""The strip of buttons under the picture."""

from typing import Final

from PyQt6.QtCore import QSignalBlocker, QSize, Qt, pyqtSignal
from PyQt6.QtWidgets import QComboBox, QSlider, QToolBar, QToolButton, QWidget

from thermoseg.palettes import PALETTES
from ui.picture.actions import PictureActions
from ui.shell.theme import Theme, icon
from ui.texts.picture import MORE, OPACITY, PALETTE_MENU

ORDER: Final = (
    "mask",
    "",
    "outlines",
    "confidence",
    None,
    "add_spot",
    "add_rectangle",
    "add_polygon",
    None,
    "isotherm",
    "lock_span",
    "smooth",
    "mirrored",
    "fit",
    "photo",
    None,
    "freeze",
)
"""Names of actions; None for a line, an empty one for the opacity."""


class PictureTools(QToolBar):
    """Palette, opacity and all switches as icons; what has no room is in a menu at the end."""

    palette_chosen = pyqtSignal(str)
    """Name of the palette that the user wants."""
    opacity_chosen = pyqtSignal(float)
    """Opacity of the tints that the user wants, 0 to 1."""

    def __init__(self, actions: PictureActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMovable(False)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self._palette = QComboBox()
        self._palette.addItems(list(PALETTES))
        self._palette.setAccessibleName(PALETTE_MENU)
        self._palette.setToolTip(f"{PALETTE_MENU} (P)")
        self._palette.textActivated.connect(self.palette_chosen)
        self._opacity = QSlider(Qt.Orientation.Horizontal)
        self._opacity.setProperty("role", "plain")
        self._opacity.setRange(5, 100)
        self._opacity.setAccessibleName(OPACITY)
        self._opacity.setToolTip(OPACITY)
        self._opacity.valueChanged.connect(lambda value: self.opacity_chosen.emit(value / 100))
        self.addWidget(self._palette)
        for name in ORDER:
            if name is None:
                self.addSeparator()
            elif name:
                self.addAction(actions[name])
            else:
                self.addWidget(self._opacity)
        for button in self.findChildren(QToolButton):
            action = button.defaultAction()
            if action is not None:
                button.setAccessibleName(action.text())
                button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self.setIconSize(QSize(round(16 * scale), round(16 * scale)))
        self._opacity.setFixedWidth(round(72 * scale))
        more = self.findChild(QToolButton, "qt_toolbar_ext_button")
        if more is not None:
            more.setIcon(icon("menu", theme.text))
            more.setAccessibleName(MORE)
            more.setToolTip(MORE)
        self.setStyleSheet(
            f"QToolBar {{ border: none; background: transparent; spacing: {round(3 * scale)}px; }}"
            f"QToolBar::separator {{ background: transparent; width: {round(7 * scale)}px; }}"
            "#qt_toolbar_ext_button { padding: 0; border: none; }"
        )

    def show_choices(self, palette: str, opacity: float, mask: bool) -> None:
        """Show what is chosen."""
        with QSignalBlocker(self._palette), QSignalBlocker(self._opacity):
            self._palette.setCurrentText(palette)
            self._opacity.setValue(round(100 * opacity))
        self._opacity.setEnabled(mask)
