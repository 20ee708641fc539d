"""Which colour is which region, how warm each is now, and which of them the picture shows."""

from collections.abc import Mapping, Sequence
from typing import Final

from PyQt6.QtCore import QRectF, QSignalBlocker, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QIcon, QKeyEvent, QPainter, QPen, QPixmap, QResizeEvent
from PyQt6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from thermoseg.labels import DRAWN_COLOUR, NOSTRILS, ROI_NAMES
from ui.picture.overlay import outline_colour
from ui.picture.units import Unit
from ui.shell.theme import Theme, icon, numerals, pad
from ui.texts.picture import (
    DELETE_REGION,
    LEGEND_FOLD,
    LEGEND_HEADING,
    LEGEND_REASON,
    NAME_OF,
    REGIONS,
    SHOW_REGION,
)

COLUMN_PIXELS: Final = 184
"""Least width of a column at scale 1."""

LISTED: Final = tuple(name for name in ROI_NAMES if name != NOSTRILS)
"""Regions of the model in the legend; of the nostrils each has its row."""

NOTHING: Final = "—"
"""In place of a value."""

Said = tuple[str, str]
"""Value, or `NOTHING`, and the reason why there is none or why it needs a word."""


class Legend(QFrame):
    """A switch, a name and a value for each region, the drawn ones below."""

    switched = pyqtSignal(str, bool)
    """The user wants a region, by name, in the picture or not."""
    renamed = pyqtSignal(str, str)
    """The user gave a drawn region, by its old name, a new one."""
    deleted = pyqtSignal(str)
    """The user deletes a drawn region."""
    chosen = pyqtSignal(str)
    """The user pointed at a drawn region's row."""
    folded = pyqtSignal(bool)
    """The user folded the legend, or opened it."""
    left = pyqtSignal()
    """The user is done with a text field."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._theme: Theme | None = None
        self._scale = 1.0
        self._columns = 0
        self._head = QToolButton()
        self._head.setProperty("role", "segment")
        self._head.setCheckable(True)
        self._head.setChecked(True)
        self._head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._head.setToolTip(LEGEND_FOLD)
        self._head.setAccessibleName(LEGEND_FOLD)
        self._head.toggled.connect(self._on_opened)
        self._head.clicked.connect(lambda opened: self.folded.emit(not opened))
        self._complaint = QLabel()
        self._complaint.setProperty("role", "warning")
        self._complaint.setWordWrap(True)
        self._complaint.hide()
        inner = QWidget()
        self._inner = inner
        self._rows = {name: LegendRow(name, False, inner) for name in LISTED}
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(14)
        self._grid.setVerticalSpacing(1)
        inner.setLayout(self._grid)
        self._body = QScrollArea()
        self._body.setWidgetResizable(True)
        self._body.setFrameShape(QFrame.Shape.NoFrame)
        self._body.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._body.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._body.setWidget(inner)
        layout = QVBoxLayout(self)
        layout.setSpacing(2)
        layout.addWidget(self._head)
        layout.addWidget(self._body, 1000)
        layout.addWidget(self._complaint)
        layout.addStretch(1)
        for row in self._rows.values():
            self._connect(row)
        self.set_heading(Unit.CELSIUS, "")
        self._arrange()

    @property
    def is_folded(self) -> bool:
        """Whether only the heading is seen."""
        return not self._head.isChecked()

    def set_folded(self, folded: bool) -> None:
        """Show the heading only, or everything."""
        self._head.setChecked(not folded)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._theme, self._scale = theme, scale
        pad(self, scale, dense=True)
        self._head.setIconSize(QSize(round(14 * scale), round(14 * scale)))
        self._head.setIcon(icon("chevron", theme.muted))
        self._head.setStyleSheet(_flat(theme, scale))
        for row in self._rows.values():
            row.set_theme(theme, scale)
        self._arrange(anew=True)

    def set_drawn(self, names: Sequence[str]) -> None:
        """List these drawn regions after those of the model."""
        drawn = [name for name in self._rows if name not in LISTED]
        if drawn == list(names):
            return
        for name in drawn:
            if name not in names:
                row = self._rows.pop(name)
                row.setParent(None)
                row.deleteLater()
        for name in names:
            if name not in self._rows:
                row = self._rows[name] = LegendRow(name, True, self._inner)
                self._connect(row)
                if self._theme is not None:
                    row.set_theme(self._theme, self._scale)
        self._rows = {name: self._rows[name] for name in (*LISTED, *names)}
        self.complain("")
        self._arrange(anew=True)

    def set_shown(self, name: str, shown: bool) -> None:
        """Set a region's switch."""
        if name in self._rows:
            self._rows[name].set_shown(shown)

    def set_heading(self, unit: Unit, reason: str) -> None:
        """Say the unit, or the reason that all regions have for having no value."""
        text = LEGEND_REASON.format(reason=reason) if reason else LEGEND_HEADING
        self._head.setText(text.format(unit=unit.value))

    def show_values(self, values: Mapping[str, Said], unit: Unit) -> None:
        """Write the value of each region, or why there is none; once, if all have one reason.

        Parameters
        ----------
        values
            By name; what is not in it has no value and no reason.
        """
        said = {name: values.get(name, (NOTHING, "")) for name in self._rows}
        model = {said[name] for name in LISTED}
        common = model.pop() if len(model) == 1 else (NOTHING, "")
        reason = common[1] if common[0] == NOTHING else ""
        self.set_heading(unit, reason)
        for name, (value, why) in said.items():
            alone = value == NOTHING and why and not (reason and name in LISTED)
            self._rows[name].say(f"{NOTHING} {why}" if alone else value, why)

    def complain(self, sentence: str) -> None:
        """Say under the rows what is wrong with a name; nothing if empty."""
        self._complaint.setText(sentence)
        self._complaint.setVisible(bool(sentence))

    def reset_names(self) -> None:
        """Write the names of drawn regions as they are."""
        for name, row in self._rows.items():
            row.write_name(name)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Use as many columns as there is room for."""
        super().resizeEvent(event)
        self._arrange()

    def _connect(self, row: "LegendRow") -> None:
        row.switched.connect(self.switched)
        row.renamed.connect(self.renamed)
        row.deleted.connect(self.deleted)
        row.chosen.connect(self.chosen)
        row.left.connect(self.left)

    def _on_opened(self, opened: bool) -> None:
        self._body.setVisible(opened)
        if not opened:
            self.complain("")

    def _arrange(self, anew: bool = False) -> None:
        columns = max(1, int(self.width() / (COLUMN_PIXELS * self._scale)))
        columns = min(columns, len(self._rows))
        if columns == self._columns and not anew:
            return
        self._columns = columns
        lines = -(-len(self._rows) // columns)
        used = -(-len(self._rows) // lines)
        for place, row in enumerate(self._rows.values()):
            column, line = divmod(place, lines)
            self._grid.addWidget(row, line, column)
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, int(column < used))
        wanted = self._grid.sizeHint().height() if self._grid.count() else 0
        self._body.setMaximumHeight(wanted + 4)
        self._body.setMinimumHeight(min(wanted, round(26 * self._scale)))
        self._body.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)


class LegendRow(QWidget):
    """One region; a drawn one can be renamed and deleted here."""

    switched = pyqtSignal(str, bool)
    """Name and whether the region is to be shown."""
    renamed = pyqtSignal(str, str)
    """Old and new name."""
    deleted = pyqtSignal(str)
    """Name."""
    chosen = pyqtSignal(str)
    """Name."""
    left = pyqtSignal()
    """The user is done with the name."""

    def __init__(self, name: str, drawn: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.name = name
        """As in samples."""
        self._drawn = drawn
        said = name if drawn else REGIONS[name]
        self._switch = QToolButton()
        self._switch.setProperty("role", "segment")
        self._switch.setCheckable(True)
        self._switch.setChecked(True)
        self._switch.setAccessibleName(SHOW_REGION.format(region=said))
        self._switch.setToolTip(SHOW_REGION.format(region=said))
        self._switch.toggled.connect(lambda on: self.switched.emit(self.name, on))
        self._value = QElidingLabel(NOTHING)
        self._value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._switch)
        self._edit: _NameField | None = None
        self._delete: QToolButton | None = None
        if drawn:
            self._edit = _NameField(name)
            self._edit.setAccessibleName(NAME_OF.format(name=name))
            self._edit.typed.connect(self._on_typed)
            self._edit.left.connect(self.left)
            self._edit.entered.connect(lambda: self.chosen.emit(self.name))
            layout.addWidget(self._edit, 3)
            layout.addWidget(self._value, 2)
            self._delete = QToolButton()
            self._delete.setProperty("role", "segment")
            self._delete.setAccessibleName(DELETE_REGION.format(name=name))
            self._delete.setToolTip(DELETE_REGION.format(name=name))
            self._delete.clicked.connect(lambda: self.deleted.emit(self.name))
            layout.addWidget(self._delete)
        else:
            self._switch.setText(said)
            self._switch.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            layout.addWidget(self._value, 1)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        colour = QColor(*DRAWN_COLOUR) if self._drawn else outline_colour(self.name)
        side = round(12 * scale)
        self._switch.setIconSize(QSize(side, side))
        self._switch.setIcon(_chip(colour, theme))
        self._switch.setStyleSheet(_flat(theme, scale))
        self._value.setFont(numerals(9.75 * scale))
        self._value.setMinimumWidth(round(42 * scale))
        if self._delete is not None:
            self._delete.setIconSize(QSize(side, side))
            self._delete.setIcon(icon("trash", theme.muted))
            self._delete.setStyleSheet(_flat(theme, scale))

    def set_shown(self, shown: bool) -> None:
        """Set the switch, without telling."""
        with QSignalBlocker(self._switch):
            self._switch.setChecked(shown)

    def say(self, value: str, reason: str) -> None:
        """Write the value."""
        if value != self._value.text():
            self._value.setText(value)
        self._value.setToolTip(reason)

    def write_name(self, name: str) -> None:
        """Write the name into its field."""
        if self._edit is not None:
            self._edit.setText(name)

    def _on_typed(self, new: str) -> None:
        if new != self.name:
            self.renamed.emit(self.name, new)


class _NameField(QLineEdit):
    """A name; Enter takes what was typed, Esc what was there, both leave the field."""

    typed = pyqtSignal(str)
    left = pyqtSignal()
    entered = pyqtSignal()

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._name = name
        self.setFrame(False)
        self.setMinimumWidth(40)
        self.editingFinished.connect(lambda: self.typed.emit(self.text()))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802  # Qt's name
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.setText(self._name)
            self.left.emit()
            return
        super().keyPressEvent(event)
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.left.emit()

    def focusInEvent(self, event: object) -> None:  # noqa: N802  # Qt's name
        super().focusInEvent(event)  # type: ignore[arg-type]
        self._name = self.text()
        self.entered.emit()


def _flat(theme: Theme, scale: float) -> str:
    """Return the look of a button without a frame, but with one where the focus is."""
    return (
        "QToolButton { background: transparent; border: 1px solid transparent;"
        f" padding: {round(scale)}px {round(4 * scale)}px; color: {theme.text};"
        f" border-radius: {round(4 * scale)}px; }}"
        f"QToolButton:hover {{ background: {theme.hover}; }}"
        f"QToolButton:focus {{ border-color: {theme.accent}; }}"
        f"QToolButton:!checked {{ color: {theme.muted}; }}"
        f"QToolButton:checked {{ color: {theme.text}; }}"
    )


def _chip(colour: QColor, theme: Theme) -> QIcon:
    """Return a chip, filled if its region is shown and hollow if not."""
    chip = QIcon()
    for state, filled in ((QIcon.State.On, True), (QIcon.State.Off, False)):
        pixmap = QPixmap(48, 48)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.muted), 5))
        if filled:
            painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(4, 4, 40, 40), 10, 10)
        painter.end()
        chip.addPixmap(pixmap, QIcon.Mode.Normal, state)
    return chip
