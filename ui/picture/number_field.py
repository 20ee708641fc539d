"""A number that is typed beside the picture and never keeps the keyboard."""

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QWheelEvent
from PyQt6.QtWidgets import QDoubleSpinBox


class NumberField(QDoubleSpinBox):
    """Takes what was typed on Enter, what was there on Esc; both leave the field."""

    left = pyqtSignal()
    """The user is done; whoever hears it takes the focus."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setDecimals(1)
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802  # Qt's name
        """Leave the field on Enter and Esc."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.setValue(self.value())  # writes the value over what was typed
            self.left.emit()
            return
        super().keyPressEvent(event)
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.left.emit()

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802  # Qt's name
        """Change nothing while the pointer only passes over."""
        if event is not None and not self.hasFocus():
            event.ignore()
            return
        super().wheelEvent(event)
