"""The column beside a replayed recording: what it is, and what can be made of it."""

from pathlib import Path
from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget
from superqt import QCollapsible

from ui.replay.replay_controller import ReplayController, SessionTables
from ui.shell.page import Surroundings
from ui.shell.theme import Theme
from ui.texts import replay as texts


class SidePanels(QScrollArea):
    """One section below the other."""

    opened = pyqtSignal(Path)
    """The user chose a recording."""

    def __init__(self, controller: ReplayController, surroundings: Surroundings) -> None:
        super().__init__()
        self._controller = controller
        self._surroundings = surroundings
        self._info = QLabel()
        self._info.setWordWrap(True)
        self._info.setTextFormat(Qt.TextFormat.PlainText)
        self._info.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column = QWidget()
        self._layout = QVBoxLayout(column)
        self._sections: Final[dict[str, QCollapsible]] = {}
        self._add(texts.INFO, self._info)
        self._layout.addStretch(1)
        self.setWidget(column)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        controller.tables_read.connect(self._on_tables)

    def set_theme(self, _: Theme, scale: float) -> None:
        """Take the size of a theme."""
        self._layout.setSpacing(round(6 * scale))
        self.setMinimumWidth(round(250 * scale))

    def look_again(self) -> None:
        """Look what there is, as the page comes into sight."""

    def close_jobs(self) -> None:
        """Wait for what is at work."""

    def _on_tables(self, tables: SessionTables) -> None:
        self._info.setText("\n".join(tables.problems))

    def _add(self, name: str, widget: QWidget) -> None:
        section = QCollapsible(name)
        section.setDuration(0)
        section.setContent(widget)
        section.expand(animate=False)
        self._sections[name] = section
        self._layout.addWidget(section)
