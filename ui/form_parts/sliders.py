"""Sliders of superqt that show where a number stands between its bounds.

Its labelled sliders are not used: their labels round the value to what they show, and set it to
that as soon as they lose the focus; and their sliders know no keys.  A `NumberBox` holds the number
here, the slider only its place.
"""

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from superqt import QDoubleRangeSlider, QDoubleSlider
from superqt.utils import signals_blocked

from ui.form_parts.number_box import WheelGuard

SMALL_STEP = 0.01
"""Of the slider's length, by an arrow key."""
LARGE_STEP = 0.1
"""Of the slider's length, by a page key."""

STEPS = {
    Qt.Key.Key_Left: -SMALL_STEP,
    Qt.Key.Key_Down: -SMALL_STEP,
    Qt.Key.Key_Right: SMALL_STEP,
    Qt.Key.Key_Up: SMALL_STEP,
    Qt.Key.Key_PageDown: -LARGE_STEP,
    Qt.Key.Key_PageUp: LARGE_STEP,
    Qt.Key.Key_Home: -1.0,
    Qt.Key.Key_End: 1.0,
}


class PlaceSlider(QDoubleSlider):
    """One handle at a place from 0 to 1."""

    place_chosen = pyqtSignal(float)
    """The user moved the handle there."""
    stepped = pyqtSignal(float)
    """The user pressed a key that moves it by so much."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)  # type: ignore[no-untyped-call]
        self.setProperty("role", "plain")
        self.setRange(0.0, 1.0)
        self._wheel = WheelGuard(self)
        self.valueChanged.connect(self.place_chosen)

    def set_place(self, place: float) -> None:
        """Show a place without a signal."""
        with signals_blocked(self):
            self.setValue(place)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Move the handle; superqt's sliders of real numbers do not listen to keys."""
        if event is None:
            return
        step = STEPS.get(Qt.Key(event.key()))
        if step is None:
            event.ignore()
        else:
            self.stepped.emit(step)


class SpanSlider(QDoubleRangeSlider):
    """Two handles at places from 0 to 1; keys are left to the number fields beside it."""

    places_chosen = pyqtSignal(tuple)
    """The user moved a handle, or both."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)  # type: ignore[no-untyped-call]
        self.setRange(0.0, 1.0)
        self.setSingleStep(0.0)  # or the handles could not meet
        self._wheel = WheelGuard(self)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.valueChanged.connect(self.places_chosen)

    def set_places(self, low: float, high: float) -> None:
        """Show two places without a signal."""
        with signals_blocked(self):
            self.setValue([low, high])
