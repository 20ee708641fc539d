"""Where pictures come from and which model looks at them: the strip at the top."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QStandardItem, QStandardItemModel
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QListView,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from thermoseg.cameras import CameraListing
from ui.live.session_controller import NO_MODEL, SessionState
from ui.shell.theme import Theme, icon

ADDRESS: Final = Qt.ItemDataRole.UserRole

WIDEST_LIST: Final = 640
"""Width at which a line in the list of cameras is broken, pixels."""

LIST_MARGIN: Final = 32
"""Margin beside the text of a line, pixels."""


class CameraPanel(QWidget):
    """Asks for a camera or file and for a model; starts and stops."""

    start_requested = pyqtSignal(str, str)
    """Address and name of the model, which is `NO_MODEL` for none."""
    stop_requested = pyqtSignal()
    scan_requested = pyqtSignal()
    file_requested = pyqtSignal()
    """The user wants to choose a file."""
    action_requested = pyqtSignal(str)
    """One of the camera's actions."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._running = False
        self._listings: list[CameraListing] = []
        self._source = _SourceBox()
        self._source.setEditable(True)
        self._source.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._source.setModel(QStandardItemModel(self._source))
        self._source.setMinimumContentsLength(12)
        self._source.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._source.setToolTip(
            "A camera from the list, a file, or an address such as simulated: or lepton:"
        )
        line = self._source.lineEdit()
        if line is not None:
            line.setPlaceholderText("Choose a camera, drop a file, or type an address")
            line.returnPressed.connect(self.start)
        self._source.activated.connect(self._on_source_activated)
        self._scan = self._tool("refresh", "Look for cameras again (F5)")
        self._scan.clicked.connect(self.scan_requested)
        self._open = self._tool("folder", "Open a recording or picture (Ctrl+O)")
        self._open.clicked.connect(self.file_requested)
        self._actions = QToolButton()
        self._actions.setText("Camera")
        self._actions.setToolTip("What the camera can be asked for")
        self._actions.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._actions.setMenu(QMenu(self._actions))
        self._actions.hide()
        self._model = QComboBox()
        self._model.setToolTip("The network that finds the regions")
        self._model.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._model.setMinimumContentsLength(11)
        self._model.addItem("No segmentation", NO_MODEL)
        self._start = QPushButton("Start")
        self._start.setProperty("role", "primary")
        self._start.setToolTip("Start or stop (Space)")
        self._start.clicked.connect(self.toggle)
        fixed = QSizePolicy.Policy.Fixed
        self._model.setSizePolicy(fixed, fixed)
        self._start.setSizePolicy(fixed, fixed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._source, 1)
        for button in (self._scan, self._open, self._actions):
            layout.addWidget(button)
        layout.addWidget(self._model)
        layout.addWidget(self._start)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._theme = theme
        side = round(16 * scale)
        for button, name in ((self._scan, "refresh"), (self._open, "folder")):
            button.setIcon(icon(name, theme.text))
            button.setIconSize(QSize(side, side))
        self._start.setIconSize(QSize(side, side))
        self._start.setMinimumWidth(round(92 * scale))
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

    @property
    def model(self) -> str:
        """Name of the model chosen, `NO_MODEL` for none."""
        return str(self._model.currentData())

    def set_address(self, address: str) -> None:
        """Choose the camera of this address, or show the address itself."""
        row = self._source.findData(address, ADDRESS)
        if row >= 0:
            self._source.setCurrentIndex(row)
        else:
            self._source.setCurrentIndex(-1)
            self._source.setEditText(address)

    def show_cameras(self, listings: Sequence[CameraListing]) -> None:
        """Offer these cameras; those with a problem are shown with it but cannot be chosen.

        Cameras come and go while the user chooses, so what stays is left alone: the open list,
        the choice, and what is being typed.
        """
        if list(listings) == self._listings:
            return
        self._listings = list(listings)
        items = self._source.model()
        if not isinstance(items, QStandardItemModel):
            raise TypeError("the list of cameras needs items that can be disabled")
        address, typed = self.address, self._source.currentText()
        line = self._source.lineEdit()
        cursor = 0 if line is None else line.cursorPosition()
        there = {listing.address for listing in listings}
        for row in reversed(range(items.rowCount())):
            if self._source.itemData(row, ADDRESS) not in there:
                items.removeRow(row)
        for row, listing in enumerate(listings):
            at = self._source.findData(listing.address, ADDRESS)
            items.insertRow(row, QStandardItem() if at < 0 else items.takeRow(at))
            _fill(items.item(row), listing)
        if self._source.findData(address, ADDRESS) >= 0:
            self.set_address(address)
        elif self._source.currentIndex() >= 0 or self._source.currentText() != typed:
            self._source.setCurrentIndex(-1)
            self._source.setEditText(typed if address == address_of(typed) else address)
            if line is not None:
                line.setCursorPosition(cursor)

    def show_actions(self, names: Sequence[str]) -> None:
        """Offer what the camera can be asked for; nothing is shown if that is nothing."""
        menu = self._actions.menu()
        if menu is not None:
            menu.clear()
            for name in names:
                action = menu.addAction(name)
                if action is not None:
                    action.triggered.connect(lambda _, name=name: self.action_requested.emit(name))
        self._actions.setVisible(bool(names))

    def show_models(self, names: Sequence[str], chosen: str) -> None:
        """Offer these models, and none; `chosen`, a name or a model file, is the one selected."""
        self._model.clear()
        for name in names:
            self._model.addItem(name, name)
        if chosen not in names and Path(chosen).is_file():
            self._model.addItem(Path(chosen).stem, chosen)
        self._model.addItem("No segmentation", NO_MODEL)
        self._model.setCurrentIndex(max(0, self._model.findData(chosen)))

    def show_state(self, state: SessionState) -> None:
        """Offer what can be done in this state."""
        self._running = state.busy
        for widget in (self._source, self._model, self._open):
            widget.setEnabled(not self._running)
        self._show_start()

    def toggle(self) -> None:
        """Start what is chosen, or stop."""
        if self._running:
            self.stop_requested.emit()
        else:
            self.start()

    def start(self) -> None:
        """Start what is chosen; without a choice the list opens instead."""
        if self._running:
            return
        if self.address:
            self.start_requested.emit(self.address, self.model)
        else:
            self._source.setFocus()
            self._source.showPopup()

    def _on_source_activated(self, row: int) -> None:
        self.set_address(str(self._source.itemData(row, ADDRESS)))

    def _show_start(self) -> None:
        self._start.setText("Stop" if self._running else "Start")
        self._start.setProperty("role", "" if self._running else "primary")
        colour = self._theme.text if self._running else self._theme.on_accent
        self._start.setIcon(icon("stop" if self._running else "play", colour, self._theme.muted))
        style = self._start.style()
        if style is not None:
            style.unpolish(self._start)
            style.polish(self._start)

    def _tool(self, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setToolTip(tip)
        return button


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


def _fill(item: QStandardItem | None, listing: CameraListing) -> None:
    if item is not None:
        title = listing.title
        item.setText(f"{title} — {listing.problem}" if listing.problem else title)
        item.setData(listing.address, ADDRESS)
        item.setToolTip(listing.problem or listing.address)
        item.setEnabled(not listing.problem)


def address_of(text: str) -> str:
    """Turn what the user typed, dropped or chose into an address: an existing path is a file."""
    path = Path(text).expanduser()
    if text and path.exists():
        return f"file:{quote(str(path.absolute()), safe='/:')}"
    return text
