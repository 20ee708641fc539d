"""Where pictures come from and which model looks at them: the strip at the top."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QAction, QStandardItem, QStandardItemModel
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListView,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from thermoseg.cameras import FLAT_FIELD, CameraListing
from thermoseg.models import ModelFile
from ui.live.addresses import address_of
from ui.live.model_shelf import NO_MODEL, ModelChoice, ModelState
from ui.live.session_controller import CameraState
from ui.shell.theme import DARK, Theme, icon, repolish
from ui.texts import live as texts

ADDRESS: Final = Qt.ItemDataRole.UserRole

LACKING: Final = "…"
"""In place of an address: other kinds of camera, and what they lack."""
MODEL_FILE: Final = "…"
"""In place of a model: the user chooses a file."""

WIDEST_LIST: Final = 640
"""Width at which a line in the list of cameras is broken, pixels."""

LIST_MARGIN: Final = 32
"""Margin beside the text of a line, pixels."""


class SourceBar(QWidget):
    """Asks for a camera or file and for a model; starts and stops."""

    start_requested = pyqtSignal(str)
    """Address of the camera."""
    stop_requested = pyqtSignal()
    scan_requested = pyqtSignal()
    file_requested = pyqtSignal()
    """The user wants to choose a file."""
    model_chosen = pyqtSignal(str)
    """Name or path of a model, or `NO_MODEL`."""
    model_file_requested = pyqtSignal()
    """The user wants to choose a model file."""
    action_requested = pyqtSignal(str)
    """One of the camera's actions."""
    corrections_chosen = pyqtSignal(bool)
    """Whether the camera is to correct itself between trials only."""
    lacking_requested = pyqtSignal()
    """The user wants to see what other kinds of camera lack."""
    options_requested = pyqtSignal(bool)
    """Whether the options of the camera that is chosen are to be shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._scale = DARK, 1.0
        self._busy = False
        self._listings: list[CameraListing] = []
        self._recent: tuple[str, ...] = ()
        self._choice = ModelChoice()
        self._source = _SourceBox()
        self._source.setEditable(True)
        self._source.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._source.setModel(QStandardItemModel(self._source))
        self._source.setMinimumContentsLength(12)
        self._source.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._source.setToolTip(texts.SOURCE_TIP)
        self._source.setAccessibleName(texts.SOURCE)
        line = self._source.lineEdit()
        if line is not None:
            line.setPlaceholderText(texts.SOURCE_HINT)
            line.setAccessibleName(texts.SOURCE)
            line.returnPressed.connect(self.start)
        self._source.activated.connect(self._on_source_activated)
        self._scan = _tool("refresh", texts.SCAN)
        self._scan.clicked.connect(self.scan_requested)
        self._open = _tool("folder", texts.OPEN_FILE)
        self._open.clicked.connect(self.file_requested)
        self._options = _tool("tiaug", texts.OPTIONS)
        self._options.setCheckable(True)
        self._options.toggled.connect(self.options_requested)
        self._actions = QToolButton()
        self._actions.setText(texts.CAMERA)
        self._actions.setToolTip(texts.ACTIONS_TIP)
        self._actions.setAccessibleName(texts.ACTIONS_TIP)
        self._actions.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._actions.setMenu(QMenu(self._actions))
        self._actions.hide()
        self._between_trials = QAction(texts.BETWEEN_TRIALS, self)
        self._between_trials.setToolTip(texts.BETWEEN_TRIALS_TIP)
        self._between_trials.setCheckable(True)
        self._between_trials.triggered.connect(self.corrections_chosen)
        self._action_names: tuple[str, ...] = ()
        self._model = _model_box()
        self._model.activated.connect(self._on_model_activated)
        self._note = QLabel()
        self._note.setProperty("role", "warning")
        self._note.hide()
        self._start = QPushButton(texts.START)
        self._start.setProperty("role", "primary")
        self._start.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._start.clicked.connect(self.toggle)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._source, 3)
        for button in (self._scan, self._open, self._options, self._start, self._actions):
            layout.addWidget(button)
        layout.addWidget(self._model, 1)
        layout.addWidget(self._note)
        self.show_models([], ModelChoice())

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._theme, self._scale = theme, scale
        side = QSize(round(16 * scale), round(16 * scale))
        for button, name in (
            (self._scan, "refresh"),
            (self._open, "folder"),
            (self._options, "tiaug"),
        ):
            button.setIcon(icon(name, theme.text, theme.muted, theme.accent))
            button.setIconSize(side)
        self._start.setIconSize(side)
        self._start.setMinimumWidth(round(84 * scale))
        self._show_start()

    @property
    def address(self) -> str:
        """Address that is chosen or typed; empty if none is."""
        text = self._source.currentText().strip()
        row = self._source.currentIndex()
        if self._source.itemText(row) != text:
            row = self._source.findText(text)
        if row >= 0:
            return str(self._source.itemData(row, ADDRESS))
        return address_of(text)

    def set_address(self, address: str) -> None:
        """Choose the camera of this address, or show the address itself."""
        row = self._source.findData(address, ADDRESS)
        if row >= 0:
            self._source.setCurrentIndex(row)
        else:
            self._source.setCurrentIndex(-1)
            self._source.setEditText(address)

    def show_cameras(self, listings: Sequence[CameraListing]) -> None:
        """Offer these cameras, those that can be used first; what the others lack is folded away.

        Cameras come and go while the user chooses, so what stays is left alone: the open list,
        the choice, and what is being typed.
        """
        if list(listings) != self._listings:
            self._listings = list(listings)
            self._list_sources()

    def show_recent(self, addresses: Sequence[str]) -> None:
        """Offer these sources again, the last one first."""
        if tuple(addresses) != self._recent:
            self._recent = tuple(addresses)
            self._list_sources()

    def show_actions(self, names: Sequence[str]) -> None:
        """Offer what the camera can be asked for; nothing is shown if that is nothing.

        A menu that is open stays as it is as long as the same is offered.
        """
        menu = self._actions.menu()
        if menu is None or tuple(names) == self._action_names:
            return
        self._action_names = tuple(names)
        menu.clear()
        menu.setToolTipsVisible(True)
        for name in names:
            action = menu.addAction(name)
            if action is not None:
                action.triggered.connect(lambda _, name=name: self.action_requested.emit(name))
        if FLAT_FIELD in names:
            menu.addSeparator()
            menu.addAction(self._between_trials)
        self._actions.setVisible(bool(names))

    def show_corrections(self, *, between_trials: bool) -> None:
        """Show whether the camera corrects itself between trials only."""
        self._between_trials.setChecked(between_trials)

    def show_models(self, files: Sequence[ModelFile], choice: ModelChoice) -> None:
        """Offer these models, the one that was chosen, a file, and none."""
        self._choice = choice
        self._model.clear()
        for file in files:
            self._model.addItem(file.header.name, file.header.name)
            self._model.setItemData(
                self._model.count() - 1, describe_model(file), Qt.ItemDataRole.ToolTipRole
            )
        known = {file.header.name for file in files}
        if choice.name not in known and choice.name != NO_MODEL:
            self._model.addItem(Path(choice.name).stem, choice.name)
            self._model.setItemData(
                self._model.count() - 1, choice.name, Qt.ItemDataRole.ToolTipRole
            )
        self._model.addItem(texts.NO_SEGMENTATION, NO_MODEL)
        self._model.addItem(texts.MODEL_FILE, MODEL_FILE)
        self._model.setCurrentIndex(max(0, self._model.findData(choice.name)))
        used = next((file for file in files if file.header.name == choice.name), None)
        failed = choice.state is ModelState.FAILED
        note = texts.MODEL_FAILED if failed else synthetic_note(used)
        self._note.setText(note)
        self._note.setToolTip("" if used is None else describe_model(used))
        self._note.setVisible(bool(note))

    def show_state(self, state: CameraState) -> None:
        """Offer what can be done in this state."""
        self._busy = state.busy
        for widget in (self._source, self._scan):
            widget.setEnabled(not self._busy)
        self._show_start()

    def toggle(self) -> None:
        """Start what is chosen, or stop."""
        if self._busy:
            self.stop_requested.emit()
        else:
            self.start()

    def start(self) -> None:
        """Start what is chosen; without a choice the list opens instead."""
        if self._busy:
            return
        if self.address:
            self.start_requested.emit(self.address)
        else:
            self._source.setFocus()
            self._source.showPopup()

    def close_options(self) -> None:
        """Show that no options are shown."""
        self._options.setChecked(False)

    def _list_sources(self) -> None:
        items = self._source.model()
        if not isinstance(items, QStandardItemModel):
            raise TypeError("the list of cameras needs items that can be disabled")
        address, typed = self.address, self._source.currentText()
        line = self._source.lineEdit()
        cursor = 0 if line is None else line.cursorPosition()
        rows = _rows(self._listings, self._recent)
        wanted = {row.address for row in rows}
        for at in reversed(range(items.rowCount())):
            if self._source.itemData(at, ADDRESS) not in wanted:
                items.removeRow(at)
        for place, row in enumerate(rows):
            at = self._source.findData(row.address, ADDRESS)
            items.insertRow(place, QStandardItem() if at < 0 else items.takeRow(at))
            _fill(items.item(place), row)
        if self._source.findData(address, ADDRESS) >= 0:
            self.set_address(address)
        elif self._source.currentIndex() >= 0 or self._source.currentText() != typed:
            self._source.setCurrentIndex(-1)
            self._source.setEditText(typed if address == address_of(typed) else address)
            if line is not None:
                line.setCursorPosition(cursor)

    def _on_source_activated(self, row: int) -> None:
        address = str(self._source.itemData(row, ADDRESS))
        if address == LACKING:
            self._source.setCurrentIndex(-1)
            self._source.setEditText("")
            self.lacking_requested.emit()
        else:
            self.set_address(address)

    def _on_model_activated(self, row: int) -> None:
        name = str(self._model.itemData(row))
        if name == MODEL_FILE:
            self._model.setCurrentIndex(max(0, self._model.findData(self._choice.name)))
            self.model_file_requested.emit()
        else:
            self.model_chosen.emit(name)

    def _show_start(self) -> None:
        self._start.setText(texts.STOP_CAMERA if self._busy else texts.START)
        self._start.setToolTip(texts.STOP_TIP if self._busy else texts.START_TIP)
        self._start.setProperty("role", "" if self._busy else "primary")
        theme = self._theme
        colour = theme.text if self._busy else theme.on_accent
        self._start.setIcon(icon("stop" if self._busy else "play", colour, theme.muted))
        repolish(self._start)


class _SourceBox(QComboBox):
    """A box whose list has room for what a camera lacks, in several lines."""

    def __init__(self) -> None:
        super().__init__()
        self._listed = QListView()
        self._listed.setWordWrap(True)
        self._listed.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._listed.setResizeMode(QListView.ResizeMode.Adjust)
        self.setView(self._listed)

    def showPopup(self) -> None:  # noqa: N802  # Qt's name
        """Open the list; it may be wider than the box."""
        wanted = self._listed.sizeHintForColumn(0) + LIST_MARGIN
        self._listed.setMinimumWidth(max(self.width(), min(wanted, WIDEST_LIST)))
        self._listed.resize(self._listed.minimumWidth(), self._listed.height())
        self._listed.scheduleDelayedItemsLayout()
        self._listed.executeDelayedItemsLayout()  # the list's height follows from its lines
        super().showPopup()


@dataclass(frozen=True, slots=True)
class _SourceRow:
    text: str
    address: str
    tip: str


def _rows(listings: Sequence[CameraListing], recent: Sequence[str]) -> list[_SourceRow]:
    """Order what is offered: cameras that are there, the last sources, what needs something."""
    usable = [listing for listing in listings if not listing.problem]
    rows = [_SourceRow(each.title, each.address, each.address) for each in usable]
    there = {each.address for each in listings}
    rows += [
        _SourceRow(address, address, texts.RECENT) for address in recent if address not in there
    ]
    lacking = [each for each in listings if each.problem]
    if lacking:
        rows.append(_SourceRow(texts.lacking(len(lacking)), LACKING, texts.LACKING_TIP))
    return rows


def _fill(item: QStandardItem | None, row: _SourceRow) -> None:
    if item is not None:
        item.setText(row.text)
        item.setData(row.address, ADDRESS)
        item.setToolTip(row.tip)


def _model_box() -> QComboBox:
    box = QComboBox()
    box.setToolTip(texts.MODEL_TIP)
    box.setAccessibleName(texts.MODEL)
    box.setMinimumContentsLength(13)
    box.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    return box


def _tool(name: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName(name)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button


def synthetic_note(model: ModelFile | None) -> str:
    """Return what must be said beside a model that has never seen a real person; else nothing."""
    data = "" if model is None else model.header.data.casefold()
    return texts.SYNTHETIC_ONLY if "synthetic" in data and "no picture of a real" in data else ""


def describe_model(file: ModelFile) -> str:
    """Return what a user must know of a model: where it comes from and what it has seen."""
    header = file.header
    lines = [
        (texts.MODEL_DATA, header.data),
        (texts.MODEL_NETWORK, f"{header.network}, {header.input_width}×{header.input_height}"),
        (texts.MODEL_TRAINED, header.trained_utc),
        (texts.MODEL_LICENCE, header.licence),
        (texts.MODEL_NOTES, header.notes),
        ("SHA-256", file.sha256),
    ]
    return "\n".join([header.name, *(f"{name}: {text}" for name, text in lines if text)])
