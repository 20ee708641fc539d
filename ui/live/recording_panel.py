"""The fields of a recording: study, participant, what is kept, notes; shown with its path."""

from pathlib import Path
from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QToggleSwitch

from thermoseg.study_file import SITTING_FIELDS, StudyFile
from ui.live.notes_field import NotesField
from ui.live.study_control import StudyControl
from ui.shell.eliding import WrappingLabel, eliding_label, say
from ui.shell.theme import Theme, pad
from ui.texts import live as texts

PRE_RECORD_S: Final = (0, 5, 10, 20, 30)


class RecordingPanel(QFrame):
    """Asks for what a recording needs before it begins; notes may be written until it ends."""

    pre_record_chosen = pyqtSignal(float)
    """Seconds that are kept from before the start."""
    settings_requested = pyqtSignal()
    """The user wants to edit the study."""

    def __init__(self, control: StudyControl, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._control = control
        self._lines: dict[str, QLineEdit] = {}
        self._complaints: dict[str, QLabel] = {}
        self._touched: set[str] = set()
        self._study = eliding_label(Qt.TextElideMode.ElideRight)
        self._study.setAccessibleName(texts.STUDY)
        self._menu = QToolButton()
        self._menu.setText(texts.STUDY)
        self._menu.setAccessibleName(texts.STUDY)
        self._menu.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu.setMenu(self._build_menu())
        self._form = QGridLayout()
        self._form.setColumnStretch(1, 1)
        self._planned = self._recorded = ""
        self._path = WrappingLabel(role="muted")
        self._pre_record = QComboBox()
        self._pre_record.setAccessibleName(texts.PRE_RECORD)
        self._pre_record.setToolTip(texts.PRE_RECORD_TIP)
        for seconds in PRE_RECORD_S:
            self._pre_record.addItem(texts.pre_record(seconds), float(seconds))
        self._pre_record.activated.connect(
            lambda row: self.pre_record_chosen.emit(self._pre_record.itemData(row))
        )
        self._traces_only = QToggleSwitch(texts.TRACES_ONLY)
        self._traces_only.setToolTip(texts.TRACES_ONLY_TIP)
        self._traces_only.setAccessibleName(texts.TRACES_ONLY)
        self._notes = NotesField()
        self._build()
        control.changed.connect(self._on_study_changed)
        control.planned.connect(self._on_planned)
        self._on_study_changed()

    @property
    def pictures(self) -> bool:
        """Whether pictures and masks are to be stored, and not only traces."""
        return not self._traces_only.isChecked()

    @property
    def notes(self) -> str:
        """Notes as they stand."""
        return self._notes.text

    @property
    def pre_record_s(self) -> float:
        """How much is kept from before the start, seconds."""
        return float(self._pre_record.currentData())

    def set_theme(self, _: Theme, scale: float) -> None:
        """Take the size of a theme."""
        pad(self, scale)
        self._notes.set_height(round(52 * scale))

    def set_active(self, active: bool) -> None:
        """Hold the fields while a recording is active: they are in the file already."""
        for line in self._lines.values():
            line.setReadOnly(active)
        for widget in (self._menu, self._pre_record, self._traces_only):
            widget.setEnabled(not active)

    def show_recorded(self, path: Path | None) -> None:
        """Show where the recording goes that is active; None shows where the next one would."""
        self._recorded = "" if path is None else str(path)
        self._show_path()

    def show_pre_record(self, seconds: float) -> None:
        """Show how much is kept from before the start, as when more was refused."""
        row = self._pre_record.findData(float(seconds))
        if row < 0:
            self._pre_record.addItem(texts.pre_record(seconds), float(seconds))
            row = self._pre_record.count() - 1
        self._pre_record.setCurrentIndex(row)

    def complain(self) -> None:
        """Show what is missing in every field, also those that nobody has touched."""
        self._touched = set(self._lines)
        self._show_complaints()
        first = next(iter(self._control.complaints), "")
        if first in self._lines:
            self._lines[first].setFocus()

    def hold_notes(self, held: bool) -> None:
        """Let no notes be written while they are being saved, which clears them."""
        self._notes.hold(held)

    def clear_notes(self) -> None:
        """Begin with empty notes, as the last ones are saved."""
        self._notes.clear()

    def _build(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self._study, 1)
        top.addWidget(self._menu)
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addLayout(self._form)
        layout.addWidget(self._path)
        before = QHBoxLayout()
        before.addWidget(QLabel(texts.PRE_RECORD))
        before.addWidget(self._pre_record, 1)
        layout.addLayout(before)
        layout.addWidget(self._traces_only)
        layout.addWidget(self._notes)

    def _build_menu(self) -> QMenu:
        menu = QMenu(self)
        self._without: list[QAction] = []
        self._within: list[QAction] = []
        for text, act, group in (
            (texts.NEW_STUDY, self._on_new, self._without),
            (texts.OPEN_STUDY, self._on_open, self._without),
            (texts.EDIT_STUDY, self.settings_requested.emit, self._within),
            (texts.LEAVE_STUDY, self._control.leave, self._within),
            (texts.FOLDER, self._on_folder, []),
        ):
            action = QAction(text, menu)
            action.triggered.connect(lambda _=False, act=act: act())
            menu.addAction(action)
            group.append(action)
        return menu

    def _on_study_changed(self) -> None:
        study = self._control.study
        say(self._study, texts.NO_STUDY if study is None else study.name)
        for action in self._within:
            action.setVisible(study is not None)
        names = () if study is None else (*SITTING_FIELDS, *study.fields)
        if names != tuple(self._lines):
            self._build_fields(names)
        altered = self._control.altered
        if study is not None and "pictures" in altered:
            self._traces_only.setChecked(not study.pictures)
        if study is not None and "pre_record_s" in altered:
            self.show_pre_record(study.pre_record_s)
            self.pre_record_chosen.emit(study.pre_record_s)
        self._mark_required(study)

    def _build_fields(self, names: tuple[str, ...]) -> None:
        while (item := self._form.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        self._lines, self._complaints, self._touched = {}, {}, set()
        sitting = self._control.sitting
        for name in names:
            line = QLineEdit()
            own = getattr(sitting, name) if name in SITTING_FIELDS else sitting.values.get(name, "")
            line.setText(own)
            line.setAccessibleName(texts.field(name))
            line.textEdited.connect(lambda text, name=name: self._on_typed(name, text))
            complaint = WrappingLabel(role="danger")
            complaint.hide()
            row = 2 * len(self._lines)
            self._form.addWidget(WrappingLabel(texts.field(name)), row, 0)
            self._form.addWidget(line, row, 1)
            self._form.addWidget(complaint, row + 1, 0, 1, 2)
            self._lines[name], self._complaints[name] = line, complaint

    def _mark_required(self, study: StudyFile | None) -> None:
        for name, line in self._lines.items():
            needed = study is not None and (name in SITTING_FIELDS or name in study.required)
            line.setPlaceholderText(texts.REQUIRED if needed else "")

    def _on_typed(self, name: str, text: str) -> None:
        self._touched.add(name)
        self._control.set_field(name, text)
        self._show_complaints()

    def _show_complaints(self) -> None:
        complaints = self._control.complaints
        for name, label in self._complaints.items():
            text = complaints.get(name, "") if name in self._touched else ""
            label.setText(text[:1].upper() + text[1:])
            label.setVisible(bool(text))

    def _on_planned(self, path: str) -> None:
        self._planned = path
        self._show_path()
        self._show_complaints()

    def _show_path(self) -> None:
        path = self._recorded or self._planned
        self._path.setText(path.removeprefix(f"{self._control.folder}/"))
        self._path.setToolTip(path)
        self._path.setAccessibleName(texts.PATH if self._recorded else texts.PLANNED_PATH)
        self._path.setVisible(bool(path))

    def _on_new(self) -> None:
        folder = self._ask_folder(texts.NEW_STUDY)
        if folder is not None:
            self._control.create(folder)

    def _on_open(self) -> None:
        folder = self._ask_folder(texts.OPEN_STUDY)
        if folder is not None:
            self._control.open(folder)

    def _on_folder(self) -> None:
        folder = self._ask_folder(texts.FOLDER)
        if folder is not None:
            self._control.leave()
            self._control.record_into(folder)

    def _ask_folder(self, title: str) -> Path | None:
        chosen = QFileDialog.getExistingDirectory(self, title, str(self._control.folder))
        return Path(chosen) if chosen else None
