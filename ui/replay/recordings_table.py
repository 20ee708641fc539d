"""The rows of the list of recordings, and their order."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt

from thermoseg.recording.listing import ListedRecording
from ui.texts import replay as texts
from ui.texts import replay_list as words

SORTED: Final = Qt.ItemDataRole.UserRole
"""Role of what a column is sorted by."""
NUMBERS: Final = (3, 5, 6, 7, 8)
"""Columns that are written to the right."""


class RecordingsTable(QAbstractTableModel):
    """One recording a row; columns as `words.COLUMNS`."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[ListedRecording, ...] = ()
        self._folder = Path()

    def set_rows(self, rows: Sequence[ListedRecording], folder: Path) -> None:
        """Show these recordings, with their paths from `folder`."""
        if tuple(rows) == self._rows and folder == self._folder:
            return
        self.beginResetModel()
        self._rows, self._folder = tuple(rows), folder
        self.endResetModel()

    def recording(self, row: int) -> ListedRecording:
        """Return the recording of a row."""
        return self._rows[row]

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, N802  # Qt's
        """Return the number of recordings."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, N802
        """Return the number of columns."""
        return 0 if parent.isValid() else len(words.COLUMNS)

    def headerData(  # noqa: N802  # Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """Name a column."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return words.COLUMNS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section in NUMBERS else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return a cell: its text, what it is sorted by, its tool tip."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._texts(row)[column]
        if role == SORTED:
            return self._keys(row)[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.problem or str(row.path)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in NUMBERS:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def _texts(self, row: ListedRecording) -> tuple[str, ...]:
        created = "" if row.created is None else f"{row.created.astimezone():%Y-%m-%d %H:%M}"
        length = texts.length(row.seconds) if isfinite(row.seconds) else ""
        counts = ("" if count < 0 else str(count) for count in self._counts(row))
        return (
            *(row.participant, row.session, row.task, row.run, created, length),
            *counts,
            row.soundness.value,
            self._name(row),
        )

    def _keys(self, row: ListedRecording) -> tuple[object, ...]:
        run = int(row.run) if row.run.isdecimal() else -1
        created = 0.0 if row.created is None else row.created.timestamp()
        length = row.seconds if isfinite(row.seconds) else -1.0
        words = (row.participant.casefold(), row.session.casefold(), row.task.casefold())
        return (
            *words,
            *(run, created, length),
            *self._counts(row),
            row.soundness.value,
            self._name(row).casefold(),
        )

    def _counts(self, row: ListedRecording) -> tuple[int, int, int]:
        return row.frames, row.missed, row.dropped

    def _name(self, row: ListedRecording) -> str:
        inside = row.path.is_relative_to(self._folder)
        return str(row.path.relative_to(self._folder) if inside else row.path)


class SortedRecordings(QSortFilterProxyModel):
    """The rows in the order that the user chose; rows that are alike stay by their paths."""

    def __init__(self, table: RecordingsTable) -> None:
        super().__init__()
        self.table: Final = table
        self.setSourceModel(table)
        self.setSortRole(SORTED)

    def recording(self, index: QModelIndex) -> ListedRecording | None:
        """Return the recording at an index of this model."""
        source = self.mapToSource(index)
        return self.table.recording(source.row()) if source.isValid() else None
