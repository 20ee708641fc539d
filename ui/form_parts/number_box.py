"""A field for one number, which keeps it exactly as it was typed or set."""

from decimal import Decimal
from math import floor, isfinite, log10

from PyQt6.QtCore import QEvent, QObject, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QFocusEvent, QKeyEvent, QValidator
from PyQt6.QtWidgets import QAbstractSpinBox, QLineEdit, QStyle, QStyleOptionSpinBox, QWidget

from ui.form_parts.kinds import UNFILLED, Number, Unfilled
from ui.form_parts.scale import Scale
from ui.texts.forms import number_text

FEWEST_CHARACTERS = 6
MOST_CHARACTERS = 12

Entry = float | str | Unfilled
"""What a number field holds: a number, a text that is none, or nothing."""


class WheelGuard(QObject):
    """Leaves the wheel to the page unless the widget under it has the focus."""

    def __init__(self, widget: QWidget) -> None:
        """Guard `widget`, which then takes the focus by click and Tab, but not by the wheel."""
        super().__init__(widget)
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Refuse wheel events, which Qt then offers to the parents."""
        if event is None or event.type() != QEvent.Type.Wheel or not isinstance(watched, QWidget):
            return False
        if watched.hasFocus():
            return False
        event.ignore()
        return True


class NumberBox(QAbstractSpinBox):
    """Takes a number by keys and wheel; its text is the shortest that gives it back exactly.

    Enter and Esc give the focus back to what is around it, Esc with the number of before.
    """

    edited = pyqtSignal()
    """The user changed the number, or the text that is none yet."""

    def __init__(self, number: Number) -> None:
        """Make an empty field for `number`, with arrows if it has no slider."""
        super().__init__()
        self._number = number
        self._scale = Scale(number) if Scale.suits(number) else None
        self._entry: Entry = UNFILLED
        self._before: Entry = UNFILLED
        self._wheel = WheelGuard(self)
        self.setProperty("role", "number")
        if self._scale is not None:
            self.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        self._line = QLineEdit()
        self.setLineEdit(self._line)
        self._line.textEdited.connect(self._on_text_edited)

    def entry(self) -> Entry:
        """Return the number, or what was typed if it is none, or `UNFILLED`."""
        return self._entry

    def set_entry(self, entry: Entry) -> None:
        """Show a number without a signal; what is being typed stays if it means the same."""
        if type(entry) is type(self._entry) and repr(entry) == repr(self._entry):
            return
        self._entry = self._before = entry
        self._show()

    def stepBy(self, steps: int) -> None:  # noqa: N802
        """Change the number by so many steps, up to its bounds."""
        if isinstance(self._entry, (str, Unfilled)) or not isfinite(self._entry):
            return
        moved = self._moved(self._entry, steps)
        if moved != self._entry:
            self._entry = moved
            self._show()
            self._line.selectAll()
            self.edited.emit()

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:  # noqa: N802
        """Allow steps in both directions."""
        return (
            QAbstractSpinBox.StepEnabledFlag.StepUpEnabled
            | QAbstractSpinBox.StepEnabledFlag.StepDownEnabled
        )

    def validate(self, text: str | None, position: int) -> tuple[QValidator.State, str, int]:
        """Accept every text: what is wrong with it is said under the field."""
        return QValidator.State.Acceptable, text or "", position

    def sizeHint(self) -> QSize:  # noqa: N802
        """Leave room for the bounds, as far as they are short."""
        self.ensurePolished()
        metrics = self.fontMetrics()
        room = QSize(metrics.horizontalAdvance("0" * self._characters()), metrics.height() + 4)
        option = QStyleOptionSpinBox()
        self.initStyleOption(option)
        style = self.style()
        if style is None:
            return room
        return style.sizeFromContents(QStyle.ContentsType.CT_SpinBox, option, room, self)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Never cut the text."""
        return self.sizeHint()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Give the focus back on Enter and Esc."""
        if event is None:
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._give_focus_back()
        elif event.key() == Qt.Key.Key_Escape:
            if repr(self._entry) != repr(self._before):
                self._entry = self._before
                self.edited.emit()
            self._show()
            self._give_focus_back()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Remember what Esc brings back."""
        self._before = self._entry
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Write the number as it will be read back."""
        super().focusOutEvent(event)
        self._show()

    def _on_text_edited(self, text: str) -> None:
        entry = read_number(text, whole=self._number.whole)
        if repr(entry) != repr(self._entry):
            self._entry = entry
            self.edited.emit()

    def _show(self) -> None:
        entry = self._entry
        if isinstance(entry, Unfilled):
            self._line.setText("")
        else:
            self._line.setText(entry if isinstance(entry, str) else number_text(entry))
        self._line.setCursorPosition(0)

    def _give_focus_back(self) -> None:
        """Give the focus to the row around, from where Tab goes on in its order."""
        around = self.parentWidget()
        if around is not None:
            around.setFocus(Qt.FocusReason.OtherFocusReason)
        self.clearFocus()

    def _moved(self, value: float, steps: int) -> float:
        number = self._number
        if number.whole:
            moved: float = int(value) + steps
        else:
            step = self._step(value)
            moved = float(Decimal(repr(value)) + steps * Decimal(repr(step)))
        if number.low is not None and moved < number.low + (1e-12 if number.low_open else 0):
            moved = value if number.low_open else number.low
        if number.high is not None and moved > number.high - (1e-12 if number.high_open else 0):
            moved = value if number.high_open else number.high
        return moved if number.whole else float(moved)

    def _step(self, value: float) -> float:
        if self._scale is not None and not self._scale.logarithmic:
            return self._scale.step()
        return float(10.0 ** (floor(log10(abs(value))) - 1)) if value else 0.1

    def _characters(self) -> int:
        bounds = [b for b in (self._number.low, self._number.high) if b is not None]
        longest = max((len(number_text(bound)) for bound in bounds), default=MOST_CHARACTERS)
        extra = 0 if self._number.whole else 2
        return min(max(longest + extra, FEWEST_CHARACTERS), MOST_CHARACTERS)


def read_number(text: str, *, whole: bool) -> Entry:
    """Read what was typed: a number, the text itself if it is none, `UNFILLED` if it is empty."""
    written = text.strip()
    if not written:
        return UNFILLED
    try:
        return int(written) if whole else float(written)
    except ValueError:
        return written
