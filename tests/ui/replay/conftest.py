"""Small recordings, a page in a window, and what is waited for."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import psutil
import pytest
from PyQt6.QtCore import QSettings
from pytestqt.qtbot import QtBot

from tests.conftest import WaitFor
from tests.recording.made_frames import running_writer
from tests.session_parts import HEIGHT, RADIOMETRY, WIDTH, FaceSegmenter, make_frame
from thermoseg.camera_feed import Arrival
from thermoseg.drawn_meter import DrawnMeter
from thermoseg.frames import CameraInfo, Frame
from thermoseg.live_model import LiveModel
from thermoseg.marks import Mark
from thermoseg.measured_face import FaceFollower
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.recorder import Recorder
from ui.live.model_shelf import ModelLoader, ModelShelf
from ui.live.session_controller import SessionController, make_session
from ui.pages import PAGES, PageOpener
from ui.replay.page import ReplayPage
from ui.replay.recordings import FOLDER
from ui.shell.rail import PageName
from ui.shell.window import MainWindow

FRAMES = 40
RATE_HZ = 10.0
MARKED_S = (1.0, 2.5)
INFO = CameraInfo("Made", "7", WIDTH, HEIGHT, RATE_HZ, RADIOMETRY, live=False)


def frame_of(index: int) -> Frame:
    """Return the frame that was recorded as number `index`."""
    return make_frame(index, 5.0 + index / RATE_HZ)


def record(path: Path, *, masks: bool = True, pictures: bool = True) -> Path:
    """Record `FRAMES` frames, begun 5 s after the camera was opened, with two markers."""
    model = LiveModel(FaceSegmenter(), FaceFollower(), DrawnMeter(), lambda _: None)
    identity = model.identity if masks else None
    recorder = Recorder(
        path, INFO, "made:", identity, DiskLimits(0, 0, 0, 0), pictures=pictures, notes="calm"
    )
    recorder.start()
    for index in range(FRAMES):
        frame = frame_of(index)
        recorder.offer(frame)
        if masks:
            recorder.offer_result(model.segment(Arrival(frame, time.monotonic(), 0)))
    for number, time_s in enumerate(MARKED_S):
        mark = Mark.now(f"cue {number}", "marker", "key", 5.0 + time_s, 5.0 + time_s, 0.0)
        recorder.note_mark(mark)
    assert recorder.stop().recorded == FRAMES
    return path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recordings that nobody changes."""
    folder = tmp_path_factory.mktemp("made")
    record(folder / "talk.h5")
    record(folder / "bare.h5", masks=False)
    record(folder / "traces.h5", pictures=False)
    return folder


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Path:
    """A copy of the recordings."""
    return Path(shutil.copytree(made, tmp_path / "study"))


@pytest.fixture
def talk(study: Path) -> Path:
    """A recording whose every frame was segmented."""
    return study / "talk.h5"


@pytest.fixture
def crashed(study: Path, wait_for: WaitFor) -> Path:
    """What is left of a recording whose writer was killed."""
    recorder = Recorder(study / "crashed.h5", INFO, "made:", None, DiskLimits(0, 0, 0, 0))
    recorder.start()
    writer = running_writer(recorder)
    for index in range(FRAMES):
        recorder.offer(frame_of(index))
    wait_for(lambda: writer.control["flushed"] == FRAMES)
    psutil.Process(writer.pid).kill()
    return recorder.stop().path


@pytest.fixture
def damage() -> Callable[[Path, int], None]:
    """Change bytes in the picture of one frame."""

    def change(path: Path, frame: int) -> None:
        with h5py.File(path, "r") as file:
            chunk = file["frames/counts"].id.get_chunk_info(frame)
        with path.open("r+b") as raw:
            raw.seek(chunk.byte_offset + chunk.size // 2)
            byte = raw.read(1)[0]
            raw.seek(-1, os.SEEK_CUR)
            raw.write(bytes([byte ^ 0x5A]))

    return change


@pytest.fixture
def window(qtbot: QtBot, settings: QSettings, study: Path) -> Iterator[MainWindow]:
    """The program's window; the list of the replay page shows `study`."""
    loader = ModelLoader()
    controller = SessionController(make_session, ModelShelf(loader, list))
    window = MainWindow(controller, settings, PAGES, PageOpener(loader))
    window.preferences.set(FOLDER, str(study))
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    yield window
    window.end()
    window.deleteLater()


@pytest.fixture
def page(window: MainWindow, qtbot: QtBot) -> ReplayPage:
    """The replay page, with its list read."""
    shown = window.show_page(PageName.REPLAY)
    assert isinstance(shown, ReplayPage)
    qtbot.waitUntil(lambda: shown.settled)
    return shown


@pytest.fixture
def open_here(page: ReplayPage, qtbot: QtBot) -> Callable[[Path], ReplayPage]:
    """Open a file on the page and wait until it is shown."""

    def open_file(path: Path) -> ReplayPage:
        page.open(path)
        qtbot.waitUntil(lambda: page.settled, timeout=20_000)
        return page

    return open_file
