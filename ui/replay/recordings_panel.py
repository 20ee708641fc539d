"""The recordings of a study as a list, from which they are opened and recovered."""

from pathlib import Path
from typing import Final

from PyQt6.QtCore import QItemSelectionModel, QModelIndex, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from thermoseg.recording.listing import ListedRecording, Soundness
from thermoseg.recording.recovery import RecoveryReport
from ui.replay.recordings import Recordings
from ui.replay.recordings_table import RecordingsTable, SortedRecordings
from ui.replay.work_bar import WorkBar
from ui.shell.defects import capitalised, describe_error
from ui.shell.eliding import WrappingLabel, eliding_label, say
from ui.shell.notices import Remedy, Severity
from ui.shell.page import Surroundings
from ui.shell.theme import Theme, icon, pad
from ui.texts import replay as texts
from ui.texts import replay_list as words

RECOVERABLE: Final = (Soundness.CRASHED, Soundness.DAMAGED)
CREATED: Final = words.COLUMNS.index("Recorded")
FILE: Final = words.COLUMNS.index("File")
WIDEST_COLUMN: Final = 24
"""Characters of a field that is longer than it should be; its tool tip has the whole."""


class RecordingsView(QTableView):
    """The list; Enter opens what is chosen."""

    entered_on = pyqtSignal(QModelIndex)
    """The user wants to open this row."""

    def __init__(self) -> None:
        super().__init__()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSortingEnabled(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.doubleClicked.connect(self.entered_on)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802  # Qt's name
        """Open on Enter."""
        enters = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event is not None and event.key() in enters and self.currentIndex().isValid():
            self.entered_on.emit(self.currentIndex())
            return
        super().keyPressEvent(event)


class RecordingsPanel(QFrame):
    """Folder above, rows, what can be done with one below."""

    opened = pyqtSignal(Path)
    """The user chose a recording."""

    def __init__(self, recordings: Recordings, surroundings: Surroundings) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self._recordings = recordings
        self._surroundings = surroundings
        self._table = RecordingsTable()
        self._sorted = SortedRecordings(self._table)
        self.view: Final = RecordingsView()
        self.view.setAccessibleName(words.RECORDINGS)
        self.view.setModel(self._sorted)
        self.view.sortByColumn(CREATED, Qt.SortOrder.DescendingOrder)
        self.back: Final = QPushButton(words.BACK)
        self.back.setToolTip(words.BACK_TIP)
        self._build()
        self.view.entered_on.connect(self._on_entered)
        selection = self.view.selectionModel()
        if selection is not None:
            selection.selectionChanged.connect(self._show_actions)
        recordings.changed.connect(self._show)
        recordings.queue.changed.connect(self._show_actions)
        recordings.recovered.connect(self._on_recovered)
        recordings.failed.connect(self._on_failed)
        self._show()

    @property
    def chosen(self) -> ListedRecording | None:
        """The recording that is selected; None if none is."""
        selection = self.view.selectionModel()
        rows = [] if selection is None else selection.selectedRows()
        return self._sorted.recording(rows[0]) if rows else None

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        pad(self, scale)
        self._refresh.setIcon(icon("refresh", theme.text, theme.muted))
        self._refresh.setIconSize(QSize(round(16 * scale), round(16 * scale)))
        header = self.view.verticalHeader()
        if header is not None:
            header.setDefaultSectionSize(round(26 * scale))
        self.view.setStyleSheet(f"QTableView::item {{ padding: 0 {round(6 * scale)}px; }}")
        self._fit_columns()

    # Inside.

    def _build(self) -> None:
        heading = QLabel(words.RECORDINGS)
        heading.setProperty("role", "heading")
        self._folder = eliding_label()
        self._folder.setAccessibleName(words.FOLDER)
        choose = QPushButton(texts.CHOOSE)
        choose.setAccessibleName(texts.CHOOSE_FOLDER)
        choose.setToolTip(texts.CHOOSE_FOLDER)
        choose.clicked.connect(self._on_choose)
        self._home = QPushButton(words.WHERE_I_RECORD)
        self._home.setToolTip(words.WHERE_I_RECORD_TIP)
        self._home.clicked.connect(lambda: self._recordings.look_into(None))
        self._refresh = QPushButton()
        self._refresh.setAccessibleName(words.REFRESH)
        self._refresh.setToolTip(words.REFRESH)
        self._refresh.clicked.connect(self._recordings.look)
        self._open = self._make_opener(texts.OPEN)
        above = QHBoxLayout()
        above.addWidget(self.back)
        above.addWidget(heading)
        above.addWidget(self._folder, 1)
        for button in (choose, self._home, self._refresh, self._open):
            above.addWidget(button)
        self._empty = WrappingLabel(role="muted")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing = QWidget()
        in_middle = QVBoxLayout(self._nothing)
        in_middle.addStretch(3)
        in_middle.addWidget(self._empty)
        in_middle.addWidget(self._make_opener(words.OPEN_FILE), 0, Qt.AlignmentFlag.AlignHCenter)
        in_middle.addStretch(4)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.view)
        self._pages.addWidget(self._nothing)
        self._replay = QPushButton(words.OPEN_ROW)
        self._replay.clicked.connect(self._on_replay)
        self._recover = QPushButton(words.RECOVER)
        self._recover.setToolTip(words.RECOVER_TIP)
        self._recover.clicked.connect(self._on_recover)
        self._said = eliding_label(Qt.TextElideMode.ElideRight)
        self._said.setProperty("role", "muted")
        below = QHBoxLayout()
        below.addWidget(self._said, 1)
        below.addWidget(self._recover)
        below.addWidget(self._replay)
        layout = QVBoxLayout(self)
        layout.addLayout(above)
        layout.addWidget(self._pages, 1)
        layout.addWidget(WorkBar(self._recordings.queue))
        layout.addLayout(below)
        vertical, header = self.view.verticalHeader(), self.view.horizontalHeader()
        if vertical is not None and header is not None:
            vertical.hide()
            header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
            header.setStretchLastSection(True)
            header.setHighlightSections(False)
            header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)

    def _make_opener(self, word: str) -> QPushButton:
        button = QPushButton(word)
        button.setToolTip(texts.OPEN_TIP)
        button.clicked.connect(self._surroundings.choose_file)
        return button

    def _fit_columns(self) -> None:
        self.view.resizeColumnsToContents()
        widest = WIDEST_COLUMN * self.view.fontMetrics().averageCharWidth()
        for column in range(FILE):  # the last one has what is left
            if self.view.columnWidth(column) > widest:
                self.view.setColumnWidth(column, widest)

    def _show(self) -> None:
        recordings, chosen = self._recordings, self.chosen
        say(self._folder, str(recordings.folder))
        self._home.setVisible(recordings.elsewhere)
        before = self._table.rowCount()
        self._table.set_rows(recordings.listed, recordings.folder)
        if recordings.listed and self._table.rowCount() != before:
            self._fit_columns()
        self._choose(None if chosen is None else chosen.path)
        empty = words.LOOKING if recordings.looking else words.NO_RECORDINGS
        self._empty.setText(recordings.problem or empty)
        self._pages.setCurrentWidget(self.view if recordings.listed else self._nothing)
        for widget in (self._open, self._said, self._recover, self._replay):
            widget.setVisible(bool(recordings.listed))
        self._show_actions()

    def _choose(self, path: Path | None) -> None:
        """Select the row of `path` again, or the first one."""
        selection = self.view.selectionModel()
        if self.chosen is not None or selection is None:
            return
        rows = [self._sorted.index(row, 0) for row in range(self._sorted.rowCount())]
        for index in rows:
            recording = self._sorted.recording(index)
            if path is None or (recording is not None and recording.path == path):
                flags = QItemSelectionModel.SelectionFlag
                selection.setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
                return

    def _show_actions(self) -> None:
        chosen, listed = self.chosen, self._recordings.listed
        self._replay.setEnabled(chosen is not None)
        busy = self._recordings.queue.current is not None
        can = chosen is not None and chosen.soundness in RECOVERABLE
        self._recover.setEnabled(can and not busy)
        states = [row.soundness for row in listed]
        counts = states.count(Soundness.CRASHED), states.count(Soundness.DAMAGED)
        said = words.listed(len(listed), *counts) if listed else ""
        if chosen is not None and chosen.problem:
            said = texts.as_sentence(capitalised(chosen.problem))
        say(self._said, said)

    # What the user does, and what comes of it.

    def _on_entered(self, index: QModelIndex) -> None:
        recording = self._sorted.recording(index)
        if recording is not None:
            self.opened.emit(recording.path)

    def _on_replay(self) -> None:
        if self.chosen is not None:
            self.opened.emit(self.chosen.path)

    def _on_recover(self) -> None:
        if self.chosen is not None:
            self._recordings.recover(self.chosen.path)

    def _on_choose(self) -> None:
        start = str(self._recordings.folder)
        chosen = QFileDialog.getExistingDirectory(self, texts.CHOOSE_FOLDER, start)
        if chosen:
            self._recordings.look_into(Path(chosen))

    def _on_recovered(self, report: RecoveryReport) -> None:
        text = words.recovered(report.path.name, report.losses, report.notes)
        severity = Severity.WARNING if report.losses else Severity.INFO
        remedies = [Remedy(texts.REPLAY_IT, lambda: self.opened.emit(report.path))]
        self._surroundings.notices.tell(text, severity, remedies, lasting=True)

    def _on_failed(self, error: BaseException) -> None:
        self._surroundings.notices.tell(describe_error(error), Severity.ERROR)
