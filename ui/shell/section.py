"""A heading that opens what is below it, of whatever height that has now."""

from typing import Final

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtWidgets import QSizePolicy, QWidget
from superqt import QCollapsible

from ui.shell.theme import Theme, icon

UNLIMITED_PX: Final = 16_777_215
"""Qt's largest maximum height."""


class Section(QCollapsible):
    """A section whose content may grow; superqt's own clips what has grown since it was opened.

    What is closed is hidden, so that Tab does not go into it.
    """

    def __init__(self, title: str, content: QWidget, *, is_open: bool = True) -> None:
        super().__init__(title)
        self.setDuration(0)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        unused = self.content()
        self.setContent(content)
        unused.hide()
        unused.deleteLater()
        self._inside = content
        self.toggled.connect(self._on_toggled)
        button = self.toggleButton()
        button.setStyleSheet("")  # superqt takes the ring away that shows the focus
        button.setProperty("role", "section")
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        layout = self.layout()
        if layout is not None:
            layout.setContentsMargins(0, 0, 0, 0)
            # Aligned, it would be as high as if no text were wrapped.
            layout.setAlignment(Qt.AlignmentFlag(0))
        self.set_open(is_open)

    def set_open(self, is_open: bool) -> None:
        """Show what is inside, or the heading alone."""
        if is_open:
            self.expand(animate=False)
        else:
            self.collapse(animate=False)
        self._on_toggled(is_open)

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self.setExpandedIcon(icon("chevron", theme.muted))
        self.setCollapsedIcon(icon("chevron-right", theme.muted))

    def eventFilter(self, _: QObject | None, __: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Leave the content its height."""
        return False

    def _on_toggled(self, is_open: bool) -> None:
        self._inside.setVisible(is_open)
        self._inside.setMaximumHeight(UNLIMITED_PX if is_open else 0)
