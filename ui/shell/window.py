"""The window: rail, strip, notices, and one page at a time."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Protocol

from pydantic import Field
from PyQt6.QtCore import QByteArray, QEvent, QSettings
from PyQt6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QIcon,
    QResizeEvent,
)
from PyQt6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
)

from thermoseg.assets import asset
from thermoseg.inference.choose import DEFAULT_MODEL
from thermoseg.inference.face_segmenter import Mode
from thermoseg.inference.segmenter import Segmenter
from thermoseg.recording.status import RecordingSummary
from ui.live.model_shelf import ModelState
from ui.live.session_controller import SessionController
from ui.shell.actions import WindowActions
from ui.shell.asking import EndingQuestion
from ui.shell.defects import Defects, describe_error
from ui.shell.details import describe_details
from ui.shell.keys import KeySheet, settle_key
from ui.shell.look import WindowLook
from ui.shell.notices import Notices, Remedy, Severity
from ui.shell.page import Page, RecordsHere, Surroundings
from ui.shell.preferences import PathText, Preference, Preferences
from ui.shell.rail import PageName, Rail
from ui.shell.remote import RemoteControl
from ui.shell.saved import tell_saved
from ui.shell.strip import Strip
from ui.shell.strip_content import describe_strip
from ui.shell.tab_order import ReadingOrder
from ui.shell.theme import Theme
from ui.shell.watchman import Watchman
from ui.texts import shell as texts

STRIP_TICKS: Final = 8
"""Ticks between two writings of the strip: four per second can be read."""

GEOMETRY: Final = Preference[str]("window/geometry", Annotated[str, Field(max_length=4000)], "")
PAGE: Final = Preference[str]("window/page", Literal["live", "replay"], PageName.LIVE.value)
MODEL: Final = Preference[str]("window/model", PathText, DEFAULT_MODEL)
FILES: Final = Preference[str]("window/files", PathText, "")

PageMaker = Callable[[SessionController, Surroundings], Page]


class Opener(Protocol):
    """Knows which page is for what."""

    def open_file(self, window: "MainWindow", name: str) -> None:
        """Open a file where it belongs."""

    def open_address(
        self, window: "MainWindow", address: str, record_to: Path | None = None
    ) -> None:
        """Open a camera, or a file as one, and record it from the beginning if that is wanted."""

    def make_segmenter(self, model: str) -> Segmenter | None:
        """Load a model for another stream than the camera's; None for no model."""
        ...

    def load_segmenter(self, model: str, mode: Mode) -> Segmenter:
        """Load a model for an analysis."""
        ...


class MainWindow(QMainWindow):
    """Holds the pages together; whatever would end a recording goes through `before_ending`."""

    def __init__(
        self,
        controller: SessionController,
        settings: QSettings,
        pages: Mapping[PageName, PageMaker],
        opener: "Opener",
    ) -> None:
        """Build the window; nothing is opened yet.

        Parameters
        ----------
        pages
            Makers of the pages that there are; the others stand disabled in the rail.
        opener
            Opens files and cameras on the page where they belong.
        """
        super().__init__()
        self.setWindowTitle(texts.TITLE)
        self.setWindowIcon(QIcon(str(asset("icons/thermoseg.svg"))))
        self.setAcceptDrops(True)
        self.controller: Final = controller
        self.preferences: Final = Preferences(settings)
        self.look: Final = WindowLook(self, self.preferences, self._dress)
        self.look.prepare()  # or what is built now gets the desktop's font
        self.notices: Final = Notices(lambda sentence: describe_details(sentence, controller))
        self.defects: Final = Defects(self)
        self.actions_of: Final = WindowActions(self)
        urgent = [self.actions_of.record, self.actions_of.marker]
        self.question: Final = EndingQuestion(self, urgent)
        self.rail: Final = Rail(list(pages))
        self.strip: Final = Strip(
            self.actions_of.record, self.actions_of.marker, self.actions_of.menu
        )
        self._watchman = Watchman(controller, self.notices)
        self._opener = opener
        self._makers = dict(pages)
        self._pages: dict[PageName, Page] = {}
        self._stack = QStackedWidget()
        self._ticks = 0
        self._closing = False
        self._remote: RemoteControl | None = None
        self._surroundings = Surroundings(
            self.preferences,
            self.notices,
            self.before_ending,
            self.open_file,
            self.choose_file,
            self.open_address,
            lambda: controller.models.choice.name,
            lambda: opener.make_segmenter(controller.models.choice.name),
            opener.load_segmenter,
        )
        self._build()
        self._connect()
        self.look.wear()
        self._restore()

    @property
    def page(self) -> Page | None:
        """Page in sight; None before the first."""
        shown = self._stack.currentWidget()
        return shown if isinstance(shown, Page) else None

    def show_page(self, name: PageName) -> Page:
        """Show a page, which is built if it is the first time.

        Raises
        ------
        KeyError
            If there is no such page.
        """
        page = self._pages.get(name)
        if page is None:
            page = self._pages[name] = self._makers[name](self.controller, self._surroundings)
            page.set_theme(self.look.theme, self.look.scale)
            page.setAccessibleName(name.word)
            self._stack.addWidget(page)
        self._stack.setCurrentWidget(page)
        self.rail.choose(name)
        self.preferences.set(PAGE, name.value)
        page.setFocus()
        return page

    def open_file(self, name: str) -> None:
        """Open a file on the page where it belongs."""
        self._opener.open_file(self, name)

    def open_address(self, address: str, record_to: Path | None = None) -> None:
        """Open a camera, or a file as one, and record it from the beginning if that is wanted."""
        self._opener.open_address(self, address, record_to)

    def choose_first_model(self, wanted: str) -> None:
        """Segment with the model `wanted`, else with the last one that could be used."""
        self.controller.models.choose(wanted or self.preferences.get(MODEL))

    def before_ending(self, what: str, then: Callable[[], object]) -> None:
        """Do `then`, but ask first if a recording is running, which it would end.

        Parameters
        ----------
        what
            As a verb: “open another source”.
        """
        if self.controller.recording.state.active:
            self.question.ask(what, then)
        else:
            then()

    def tell_error(self, error: BaseException) -> None:
        """Show what went wrong, in one sentence."""
        self.notices.tell(describe_error(error), Severity.ERROR)

    @property
    def last_page(self) -> str:
        """Name of the page that was shown last."""
        return self.preferences.get(PAGE)

    @property
    def failure(self) -> str:
        """What has gone wrong and is still shown, one sentence; empty if nothing is."""
        return self.notices.worst or ("" if self.page is None else self.page.failure)

    def toggle_full_screen(self) -> None:
        """Fill the screen, or be a window again."""
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def show_keys(self) -> None:
        """Show the sheet of keys beside the window, which goes on, keys and all."""
        for sheet in self.findChildren(KeySheet):
            sheet.close()
        groups = [(texts.EVERYWHERE, self.actions_of.with_keys)]
        groups += [(name.word, page.actions()) for name, page in self._pages.items()]
        sheet = KeySheet(groups, self)
        sheet.addActions(self.actions_of.with_keys)
        sheet.show()

    def toggle_recording(self) -> None:
        """Start or stop recording; a second press at once is no Stop."""
        recording = self.controller.recording
        page: object = self._pages.get(PageName.LIVE)
        if recording.state.active:
            if recording.may_stop():
                recording.stop()
        elif isinstance(page, RecordsHere):
            page.record()

    def mark(self) -> None:
        """Mark this moment of the session."""
        page: object = self._pages.get(PageName.LIVE)
        if isinstance(page, RecordsHere):
            page.mark()

    def listen(self, port: int) -> int:
        """Let other programs on this computer record with this window; returns the port.

        Raises
        ------
        ConfigError
            If the port is taken or may not be used.
        """
        self._remote = RemoteControl(port, self.controller, self._recorder, self)
        return self._remote.port

    def choose_file(self) -> None:
        """Let the user choose a file, and open it."""
        start = self.preferences.get(FILES) or str(Path.home())
        chosen, _ = QFileDialog.getOpenFileName(self, texts.OPEN_FILE, start, texts.FILE_FILTER)
        if chosen:
            self.preferences.set(FILES, str(Path(chosen).parent))
            self._surroundings.open_file(chosen)

    def end(self) -> None:
        """Close without a question, as a signal or the end of the session of the desktop wants."""
        self._closing = True
        self.close()

    def event(self, event: QEvent | None) -> bool:
        """Settle who gets a key."""
        if event is not None and settle_key(QApplication.focusWidget(), event):
            return True
        return super().event(event)

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802  # Qt's name
        """Remember what the user set and end the session; ask first while it records."""
        if event is not None and self.controller.recording.state.active and not self._closing:
            event.ignore()
            self.question.ask(texts.CLOSE_WINDOW, self.end)
            return
        self.question.close()
        geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        self.preferences.set(GEOMETRY, geometry)
        for page in self._pages.values():
            page.remember()
        self.hide()
        if self._remote is not None:
            self._remote.close()
        self.controller.close()
        super().closeEvent(event)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Scale text and spacing with very large windows."""
        super().resizeEvent(event)
        if hasattr(self, "look"):
            self.look.fit()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802  # Qt's name
        """Accept files."""
        data = event.mimeData() if event is not None else None
        if event is not None and data is not None and any(u.isLocalFile() for u in data.urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802  # Qt's name
        """Open the file dropped."""
        data = event.mimeData() if event is not None else None
        files = [u.toLocalFile() for u in data.urls() if u.isLocalFile()] if data else []
        if files:
            self._surroundings.open_file(files[0])

    def _recorder(self) -> RecordsHere:
        page: object = self._pages.get(PageName.LIVE) or self.show_page(PageName.LIVE)
        if not isinstance(page, RecordsHere):
            raise TypeError("the live page records")
        return page

    def _build(self) -> None:
        body = ReadingOrder()
        above = QVBoxLayout(body)
        above.setContentsMargins(0, 0, 0, 0)
        above.setSpacing(0)
        above.addWidget(self.strip)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.rail)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(self.notices)
        column.addWidget(self._stack, 1)
        middle.addLayout(column, 1)
        above.addLayout(middle, 1)
        self.setCentralWidget(body)

    def _connect(self) -> None:
        controller = self.controller
        self.rail.chosen.connect(self.show_page)
        for action in self.rail.actions_by_page.values():
            self.addAction(action)
        controller.ticked.connect(self._on_ticked)
        controller.state_changed.connect(self._on_changed)
        controller.models.changed.connect(self._on_model_changed)
        controller.recording.changed.connect(self._on_changed)
        controller.models.failed.connect(self._on_model_failed)
        controller.recording.failed.connect(self.tell_error)
        controller.recording.saved.connect(self._on_saved)
        self.strip.stop_pressed.connect(self._on_stop_pressed)
        self.defects.told.connect(lambda text: self.notices.tell(text, Severity.ERROR))
        self._on_changed()

    def _on_ticked(self) -> None:
        self._ticks += 1
        if self._ticks % STRIP_TICKS == 1:
            self._watchman.look()
            self.strip.show_content(describe_strip(self.controller))

    def _on_stop_pressed(self) -> None:
        recording = self.controller.recording
        if recording.may_stop():
            self.before_ending(texts.STOP_NOW, recording.stop)

    def _on_changed(self, *_: object) -> None:
        if not self.controller.recording.state.active:
            self.question.close()  # what it asks about is over
        self.strip.show_content(describe_strip(self.controller))
        self.actions_of.follow(self.controller)

    def _on_model_changed(self) -> None:
        choice = self.controller.models.choice
        if choice.state in (ModelState.READY, ModelState.NONE):
            self.preferences.set(MODEL, choice.name)
            self.notices.dismiss(MODEL.key)
        self._on_changed()

    def _on_model_failed(self, error: BaseException) -> None:
        """Tell it beside a way out; the model in use goes on, and is the one remembered."""
        models = self.controller.models
        remedies = [Remedy(texts.use_model(DEFAULT_MODEL), lambda: models.choose(DEFAULT_MODEL))]
        if models.choice.name == DEFAULT_MODEL:
            remedies = []
        self.notices.tell(describe_error(error), Severity.ERROR, remedies, key=MODEL.key)

    def _on_saved(self, summary: RecordingSummary) -> None:
        tell_saved(self.notices, summary, self._surroundings.open_file)
        for page in self._pages.values():
            page.recording_ended()

    def _dress(self, theme: Theme, scale: float) -> None:
        for part in (self.rail, self.strip, self.notices):
            part.set_theme(theme, scale)
        self.actions_of.set_theme(theme)
        for page in self._pages.values():
            page.set_theme(theme, scale)

    def _restore(self) -> None:
        self.resize(1280, 720)
        geometry = self.preferences.get(GEOMETRY)
        if geometry:
            self.restoreGeometry(QByteArray.fromBase64(geometry.encode()))
        screen = self.screen()
        if screen is not None:
            room = screen.availableGeometry().size()
            self.resize(self.size().boundedTo(room))
