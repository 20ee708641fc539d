"""Which colour is which region, and how warm each is now."""

from collections.abc import Mapping
from typing import Final

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFrame, QGridLayout, QLabel, QVBoxLayout, QWidget

from thermoseg.labels import COLOURS, FACE_REGIONS, Region
from thermoseg.rois import RoiSample
from ui.plots.traces import describe_sample
from ui.shell.elided_label import ElidedLabel
from ui.shell.theme import Theme, numerals, pad

COLUMNS: Final = 2

HEADING: Final = "Regions, mean °C"

SAID: Final[dict[Region, str]] = {
    Region.CHIN: "Chin, cheeks",
    Region.MOUTH: "Mouth",
    Region.EYES: "Eyes",
    Region.EYEBROWS: "Eyebrows",
    Region.NOSE: "Nose",
}


class RegionLegend(QFrame):
    """Colour chips with names and mean temperatures."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._heading = QLabel(HEADING)
        self._heading.setProperty("role", "heading")
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(3)
        self._chips: list[tuple[QLabel, Region]] = []
        self._values: dict[str, ElidedLabel] = {}
        rows = -(-len(FACE_REGIONS) // COLUMNS)
        for place, region in enumerate(FACE_REGIONS):
            column, row = divmod(place, rows)
            chip, name = QLabel(), QLabel(SAID[region])
            value = ElidedLabel(Qt.TextElideMode.ElideRight)
            value.set_text("—")
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(chip, row, 4 * column)
            grid.addWidget(name, row, 4 * column + 1)
            grid.addWidget(value, row, 4 * column + 2)
            self._chips.append((chip, region))
            self._values[region.label] = value
        for column in range(COLUMNS):
            grid.setColumnStretch(4 * column + 2, 1)
            if column:
                grid.setColumnMinimumWidth(4 * column - 1, 14)
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        layout.addWidget(self._heading)
        layout.addLayout(grid)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        pad(self, scale)
        side = round(11 * scale)
        for chip, region in self._chips:
            red, green, blue = COLOURS[region]
            chip.setFixedSize(side, side)
            chip.setStyleSheet(
                f"background: rgb({red}, {green}, {blue}); border-radius: {side // 4}px;"
                f"border: 1px solid {theme.line};"
            )
        for value in self._values.values():
            value.setFont(numerals(9.75 * scale))
            value.setMinimumWidth(round(44 * scale))

    def show_samples(self, samples: Mapping[str, RoiSample]) -> None:
        """Write the mean of each region, or why there is none; once, if all have one reason."""
        said = {
            name: describe_sample(samples[name]) if name in samples else ("—", "")
            for name in self._values
        }
        reasons = {reason for value, reason in said.values() if value == "—"}
        common = reasons.pop() if len(set(said.values())) == len(reasons) == 1 else ""
        self._heading.setText(f"Regions: {common}" if common else HEADING)
        for name, (value, reason) in said.items():
            text = f"— {reason}" if value == "—" and reason and not common else value
            self._values[name].set_text(text)
            self._values[name].setToolTip(reason)

    def clear(self) -> None:
        """Show no values."""
        self.show_samples({})
