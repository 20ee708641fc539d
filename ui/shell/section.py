"""One section of a side column: a heading that opens and folds what is below it."""

from typing import Final

from PyQt6.QtCore import QSize
from PyQt6.QtWidgets import QPushButton, QSizePolicy, QWidget
from superqt import QCollapsible

from ui.shell.theme import Theme, icon

UNLIMITED_PX: Final = 16_777_215
"""Greatest height that Qt allows a widget."""


class PanelSection(QCollapsible):
    """A heading and a panel; the heading is reached by Tab and pressed by Space."""

    def __init__(self, title: str, content: QWidget, *, is_open: bool = True) -> None:
        """Make a section around `content`, open or folded."""
        super().__init__(title)
        self.setDuration(0)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        heading: QPushButton = self.toggleButton()
        heading.setStyleSheet("")  # superqt takes the ring away that shows the focus
        heading.setProperty("role", "section")
        heading.setAccessibleName(title)
        heading.setAutoDefault(False)
        layout = self.layout()
        unused = self.content()
        if layout is not None:
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(2)
            layout.removeWidget(unused)
        unused.deleteLater()
        self.setContent(content)
        self.toggled.connect(self._on_toggled)
        (self.expand if is_open else self.collapse)(animate=False)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self.setExpandedIcon(icon("chevron", theme.muted))
        self.setCollapsedIcon(icon("chevron-right", theme.muted))
        side = round(12 * scale)
        self.toggleButton().setIconSize(QSize(side, side))

    def _on_toggled(self, opened: bool) -> None:
        self.content().setVisible(opened)
        # superqt fixes the height that the content has now; a study's fields make it taller.
        self.content().setMaximumHeight(UNLIMITED_PX if opened else 0)
