"""The column beside a replayed recording: what it is, and what can be made of it."""

from typing import Final

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from ui.replay.analyses_panel import AnalysesPanel
from ui.replay.export_panel import ExportPanel
from ui.replay.info_panel import InfoPanel
from ui.shell.section import Section
from ui.shell.theme import Theme
from ui.texts import replay as texts

LEAST_WIDTH: Final = 250
"""Pixels at scale 1."""


class SidePanels(QScrollArea):
    """One section below the other."""

    def __init__(
        self, doors: QWidget, info: InfoPanel, export: ExportPanel, analyses: AnalysesPanel
    ) -> None:
        """Build the column.

        Parameters
        ----------
        doors
            Stands above the sections: ways to other recordings.
        """
        super().__init__()
        self._scale = 1.0
        self._themed = (export, analyses)
        column = QWidget()
        self._layout = QVBoxLayout(column)
        self._layout.setContentsMargins(0, 0, 4, 0)
        self._layout.addWidget(doors)
        self.sections: Final[dict[str, Section]] = {}
        for name, widget in (
            (texts.INFO, info),
            (texts.EXPORT, export),
            (texts.ANALYSES, analyses),
        ):
            self._add(name, widget)
        self._layout.addStretch(1)
        self.setWidget(column)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._scale = scale
        self._layout.setSpacing(round(6 * scale))
        for part in self._themed:
            part.set_theme(theme, scale)
        for section in self.sections.values():
            section.set_theme(theme)
        self._fit_width()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Never be narrower than what is inside."""
        super().resizeEvent(event)
        self._fit_width()

    def _fit_width(self) -> None:
        column, bar = self.widget(), self.verticalScrollBar()
        if column is not None and bar is not None:
            needed = column.minimumSizeHint().width() + bar.sizeHint().width()
            self.setMinimumWidth(max(needed, round(LEAST_WIDTH * self._scale)))

    def _add(self, name: str, widget: QWidget) -> None:
        section = Section(name, widget)
        self.sections[name] = section
        self._layout.addWidget(section)
