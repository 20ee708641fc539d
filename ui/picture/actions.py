"""What can be done with the picture, once each: for menus, buttons and keys alike."""

from typing import Final

from PyQt6.QtCore import QObject, QSignalBlocker, Qt
from PyQt6.QtGui import QAction, QActionGroup, QKeySequence
from PyQt6.QtWidgets import QWidget

from thermoseg.palettes import PALETTES
from ui.picture.units import CHOSEN_UNITS, Unit
from ui.shell.theme import Theme, icon
from ui.texts.picture import ACTIONS

KEYS: Final = {
    "mask": "M",
    "outlines": "O",
    "freeze": "F",
    "palette": "P",
    "lock_span": "L",
    "smooth": "S",
    "photo": "V",
}
"""Action → key.  Text fields keep such keys for themselves, as they do all that print."""

ICONS: Final = {
    "mask": "mask",
    "outlines": "outline",
    "freeze": "freeze",
    "palette": "palette",
    "lock_span": "lock",
    "mirrored": "mirrored",
    "fit": "fit",
    "smooth": "smooth",
    "confidence": "unsure",
    "isotherm": "isotherm",
    "photo": "photo",
    "add_spot": "spot",
    "add_rectangle": "rectangle",
    "add_polygon": "polygon",
    "delete": "trash",
}

SWITCHES: Final = (
    "mask",
    "outlines",
    "freeze",
    "lock_span",
    "mirrored",
    "smooth",
    "confidence",
    "isotherm",
    "photo",
)
"""Actions that are on or off."""


class PictureActions(QObject):
    """The actions of one picture.

    Their keys are heard in the picture's pane; a page that adds an action to itself hears them too.
    """

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        self.by_name = {name: self._made(name, owner) for name in ACTIONS}
        """All but those of palettes and units."""
        self.palettes = QActionGroup(self)
        """One action for each palette, its name as text and data."""
        self.units = QActionGroup(self)
        """One action for each `Unit` that can be chosen, which is its data."""
        for palette in PALETTES:
            self._add_choice(self.palettes, palette, palette)
        for unit in CHOSEN_UNITS:
            self._add_choice(self.units, unit.value, unit)

    def __getitem__(self, name: str) -> QAction:
        """Return an action by its name in `ui.texts.picture.ACTIONS`."""
        return self.by_name[name]

    def set_checked(self, name: str, checked: bool) -> None:
        """Show an action as on or off, and do nothing."""
        with QSignalBlocker(self):
            self.by_name[name].setChecked(checked)

    def set_choices(self, palette: str, unit: Unit) -> None:
        """Show which palette and unit are chosen."""
        for action in self.palettes.actions():
            action.setChecked(action.data() == palette)
        for action in self.units.actions():
            action.setChecked(action.data() is unit)

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of `theme`."""
        for name, action in self.by_name.items():
            action.setIcon(icon(ICONS[name], theme.text, theme.muted, theme.accent))

    def _made(self, name: str, owner: QWidget) -> QAction:
        text, tip = ACTIONS[name]
        action = QAction(text, owner)
        action.setObjectName(name)
        action.setCheckable(name in SWITCHES)
        key = KEYS.get(name, "")
        if key:
            action.setShortcut(QKeySequence(key))
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            action.setAutoRepeat(False)
        action.setToolTip(f"{tip} ({key})" if key else tip)
        owner.addAction(action)
        return action

    def _add_choice(self, group: QActionGroup, text: str, data: object) -> None:
        action = QAction(text, group)
        action.setCheckable(True)
        action.setData(data)
        group.addAction(action)
