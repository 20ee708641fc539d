"""A session that does what the test says, and a window around it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeAlias, cast

import numpy as np
import pytest
from PyQt6 import sip
from PyQt6.QtCore import QSettings
from PyQt6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from tests.ui.window_parts import FaultyCamera, Hands, MakeWindow, discard
from thermoseg.cameras import Camera, CameraListing, make_camera
from thermoseg.correction_policy import CorrectionPolicy
from thermoseg.errors import ModelError, RecordingError
from thermoseg.events import SessionEvent
from thermoseg.face_geometry import find_rois
from thermoseg.frames import CameraInfo, Frame
from thermoseg.inference.segmenter import ModelIdentity, Segmentation, Segmenter
from thermoseg.labels import Region
from thermoseg.marks import Mark
from thermoseg.radiometry import LinearRadiometry, RelativeCounts
from thermoseg.recording.status import RecorderStatus, RecordingSummary
from thermoseg.recording_plan import RecordingPlan
from thermoseg.result import Result
from thermoseg.rois import RoiSample
from thermoseg.session import Session
from thermoseg.session_recording import RecordingState
from thermoseg.session_view import SessionView
from thermoseg.tally import SessionCounts
from thermoseg.telemetry import Telemetry
from thermoseg.traces import Traces
from ui.live.model_shelf import ModelLoader, ModelShelf
from ui.live.session_controller import SessionController, SessionFactory
from ui.pages import PAGES, PageOpener
from ui.shell.notices import Notices
from ui.shell.page import Surroundings
from ui.shell.places import RECORDINGS
from ui.shell.preferences import Preferences
from ui.shell.rail import PageName
from ui.shell.theme import Theme, wear
from ui.shell.window import MODEL, MainWindow

HEIGHT, WIDTH = 48, 64
CENTIKELVIN = LinearRadiometry(scale_k=0.01)


class FakeSession:
    """Looks like `thermoseg.session.Session` from the window; frames come from the test."""

    def __init__(self, live: bool = True, radiometric: bool = True) -> None:
        self.frame: Frame | None = None
        self.result: Result | None = None
        self.counts = SessionCounts(
            captured=90,
            missed=2,
            segmented=60,
            replaced=30,
            camera_rate_hz=30.0,
            segmented_rate_hz=20.0,
            latency_p50_ms=40.0,
            latency_p95_ms=55.0,
            seconds=3.0,
        )
        self.traces = Traces()
        self.radiometry = CENTIKELVIN if radiometric else RelativeCounts("a test")
        self.info = CameraInfo("Fake camera", "7", WIDTH, HEIGHT, 30, self.radiometry, live)
        self.model: ModelIdentity | None = ModelIdentity("fake-model", "0" * 64, "fake CPU")
        self.recorder: RecorderStatus | None = None
        self.ended = False
        self.error: Exception | None = None
        self.lost = ""
        self.lost_seconds = 0.0
        self.actions: tuple[str, ...] = ()
        self.events: tuple[SessionEvent, ...] = ()
        self.telemetry: Telemetry = {}
        self.visible_jpeg: bytes | None = None
        self.performed: list[str] = []
        self.started = self.stopped = 0
        self.recorded_to: list[Path] = []
        self.marked: list[Mark] = []
        self.segmenters: list[Segmenter | None] = []
        self.refusal: Exception | None = None
        """Raised by the next start of a recording."""
        self.recording_may_start = threading.Event()
        self.recording_may_start.set()

    def start(self) -> None:
        self.started += 1

    def stop(self) -> None:
        self.stopped += 1
        self.ended = True

    def wait_opened(self, timeout_s: float) -> CameraInfo:
        return self.info

    def perform(self, action: str) -> None:
        self.performed.append(action)

    def set_segmenter(self, segmenter: Segmenter | None) -> None:
        self.segmenters.append(segmenter)

    def set_scene(
        self, *, emissivity: float | None = None, reflected_c: float | None = None
    ) -> None:
        pass

    def set_corrections(self, policy: CorrectionPolicy) -> None:
        pass

    def now_s(self) -> float:
        return 12.5

    def mark(
        self,
        label: str,
        *,
        kind: str = "marker",
        source: str = "key",
        time_s: float | None = None,
        duration_s: float = 0.0,
    ) -> Mark:
        now_s = self.now_s()
        begin_s = now_s if time_s is None else time_s
        mark = Mark.now(label, kind, source, begin_s, now_s, duration_s)
        self.marked.append(mark)
        return mark

    def start_recording(self, plan: RecordingPlan | Path) -> Path:
        path = plan if isinstance(plan, Path) else plan.path
        self.recording_may_start.wait(10)
        if self.refusal is not None:
            raise self.refusal
        self.recorded_to.append(path)
        self.recorder = RecorderStatus(10, 0, 0.3, 123_456, 10**12, "", on_disk=True)
        return path

    def stop_recording(self, notes: str | None = None) -> RecordingSummary:
        recorder, self.recorder = self.recorder, None
        if recorder is None:
            raise RecordingError("nothing is being recorded; start a recording first")
        return RecordingSummary(
            self.recorded_to[-1],
            captured=12,
            recorded=10,
            dropped=2,
            missed=1,
            seconds=0.3,
            bytes_on_disk=123_456,
            failed=recorder.failed,
        )

    def look(self) -> SessionView:
        return SessionView(
            frame=self.frame,
            result=self.result,
            counts=self.counts,
            recording=RecordingState.OFF if self.recorder is None else RecordingState.RUNNING,
            recorder=self.recorder,
            telemetry=self.telemetry,
            visible_jpeg=self.visible_jpeg,
            lost=self.lost,
            lost_seconds=self.lost_seconds,
            events=self.events,
            info=self.info,
            actions=self.actions,
            model=self.model,
            ended=self.ended,
            error=self.error,
        )

    def show(self, index: int, celsius: float = 30.0) -> Frame:
        """Deliver one even frame."""
        scale = 1.0 if self.info.radiometric else 100.0
        counts = np.full((HEIGHT, WIDTH), round((celsius + 273.15) * 100 / scale), np.uint16)
        counts[0, 0] += 100
        frame = Frame.from_counts(counts, self.radiometry, index, index / 30, 1e9 + index / 30)
        self.frame = frame
        return frame

    def segment(self, frame: Frame, samples: tuple[RoiSample, ...] = ()) -> Result:
        """Deliver the mask of `frame`: a nose in the middle of a chin."""
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        labels[16:40, 16:48] = Region.CHIN
        labels[20:30, 26:38] = Region.NOSE
        labels[17:19, 20:27] = labels[17:19, 37:44] = Region.EYES
        labels[33:36, 26:38] = Region.MOUTH
        segmentation = Segmentation(labels, np.ones(labels.shape, np.float32), frame.index)
        result = Result(frame, segmentation, samples, 0.04, find_rois(labels))
        self.traces.append(samples)
        self.result = result
        return result


FakeFactory: TypeAlias = Callable[[str, Segmenter | None], FakeSession]
"""Makes a session of an address, as `ui.live.session_controller.SessionFactory` does."""
MakeController: TypeAlias = Callable[[FakeSession | FakeFactory], SessionController]
"""What the fixture `make_controller` gives."""


class MakeSample(Protocol):
    """What the fixture `sample` gives."""

    def __call__(
        self, region: str, mean_c: float, time_s: float = ..., valid: bool = ..., reason: str = ...
    ) -> RoiSample: ...


@pytest.fixture
def make_session() -> type[FakeSession]:
    return FakeSession


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


def make_surroundings(
    preferences: Preferences, notices: Notices, segmenter: Segmenter | None = None
) -> Surroundings:
    """Make what a page gets of the window, without a window."""

    def load(_name: str, _mode: str) -> Segmenter:
        if segmenter is None:
            raise ModelError("there is no model in this test; give one")
        return segmenter

    def at_once(_: str, then: Callable[[], object]) -> None:
        then()

    def nothing(*_: object) -> None:
        pass

    return Surroundings(
        preferences,
        notices,
        at_once,
        nothing,
        nothing,
        nothing,
        lambda: "none" if segmenter is None else "given",
        lambda: segmenter,
        load,
    )


class FakeNetwork:
    """Stands for a network that was loaded; the fake session does not ask it for anything."""

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture
def loaders() -> dict[str, Callable[[], object]]:
    """What loading a model of this name does; other names are loaded at once."""
    return {}


@pytest.fixture
def make_controller(
    qapp: object, loaders: dict[str, Callable[[], object]]
) -> Iterator[MakeController]:
    """Make controllers around a factory or a session; all are closed after the test."""
    made: list[SessionController] = []

    def load(name: str) -> Segmenter:
        if name in loaders:
            loaders[name]()
        return cast("Segmenter", FakeNetwork(name))

    def make(source: FakeSession | FakeFactory) -> SessionController:
        factory = (lambda *_: source) if isinstance(source, FakeSession) else source
        listings = [
            CameraListing("fake:", "Fake camera"),
            CameraListing("gone:", "gone", problem="install the library gone"),
        ]
        # To the controller a `FakeSession` is a `Session`.
        real = cast("SessionFactory", factory)
        controller = SessionController(real, ModelShelf(load, list), lambda: listings)
        made.append(controller)
        return controller

    yield make
    for controller in made:
        controller.close()


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Folder into which the windows of the test record."""
    return tmp_path / "recordings"


@pytest.fixture
def make_window(qapp: QApplication, settings: QSettings, recordings: Path) -> Iterator[MakeWindow]:
    """Make windows around real sessions; all are closed after the test.

    `make_another` makes the camera of an address in place of its driver.
    """
    made: list[MainWindow] = []
    preferences = Preferences(settings)
    if settings.value(RECORDINGS.key) is None:
        preferences.set(RECORDINGS, str(recordings))
    if settings.value(MODEL.key) is None:
        preferences.set(MODEL, "none")

    def make(make_another: Callable[[str], Camera] = make_camera) -> MainWindow:
        def make_session(address: str, segmenter: Segmenter | None) -> Session:
            return Session(make_another(address), segmenter, address=address)

        loader = ModelLoader()
        controller = SessionController(make_session, ModelShelf(loader, list), list)
        window = MainWindow(controller, settings, PAGES, PageOpener(loader))
        made.append(window)
        window.show()
        window.activateWindow()
        return window

    worn, font = qapp.styleSheet(), qapp.font()
    yield make
    for window in made:
        if not sip.isdeleted(window):
            discard(window)
    qapp.setStyleSheet(worn)
    qapp.setFont(font)


@pytest.fixture
def hands(qtbot: QtBot, make_window: MakeWindow) -> Hands:
    """A window with the live page in sight, and what uses it; its cameras obey the test."""
    hands = Hands(qtbot, make_window(lambda _: FaultyCamera()))
    hands.window.show_page(PageName.LIVE)
    hands.wait_active()
    return hands


@pytest.fixture(autouse=True)
def no_modal_dialogs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No code may stop the window with a message box."""

    def refuse(*arguments: object) -> None:
        pytest.fail("a message box was opened")

    for name in ("exec", "critical", "warning", "information", "question", "about"):
        monkeypatch.setattr(QMessageBox, name, refuse)


@pytest.fixture
def sample() -> MakeSample:
    def make(
        region: str, mean_c: float, time_s: float = 0.0, valid: bool = True, reason: str = ""
    ) -> RoiSample:
        return RoiSample(region, time_s, 50, mean_c, mean_c, mean_c, 0.1, valid, reason)

    return make


@pytest.fixture
def worn(qapp: QApplication) -> Iterator[Callable[[Theme, float], None]]:
    """Dress the application in a theme and a size until the end of the test."""
    palette, font = qapp.palette(), qapp.font()
    yield lambda theme, scale: wear(qapp, theme, scale)
    qapp.setStyleSheet("")
    qapp.setPalette(palette)
    qapp.setFont(font)
