"""A window that shows what it is told to: a face, traces, marks, losses, a recording."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import pi, sin
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QSettings

from tests.ui.conftest import CENTIKELVIN, FakeNetwork, FakeSession
from thermoseg.backlog import Backlog
from thermoseg.cameras import CameraListing
from thermoseg.frames import CameraInfo, Frame
from thermoseg.inference.segmenter import ModelIdentity, Segmentation, Segmenter
from thermoseg.marks import Mark
from thermoseg.models import ModelFile
from thermoseg.phantom.head import Phantom, Sitter
from thermoseg.recording.recorder import Recorder
from thermoseg.recording.status import RecorderStatus
from thermoseg.recording_plan import RecordingPlan
from thermoseg.result import Result
from thermoseg.rois import RoiMeter, RoiSample
from thermoseg.session_view import SessionView
from ui.live.model_shelf import ModelLoader, ModelShelf
from ui.live.session_controller import SessionController, SessionFactory
from ui.pages import PAGES, PageOpener
from ui.shell.window import MainWindow

RATE_HZ: Final = 10.0
BREATH_S: Final = 4.0
BREATH_K: Final = 0.3
ROOM: Final = 10
"""Frames that may wait for the writer, which are fewer than would be lost."""
STARTED_S: Final = time.time()
"""When the first frame of every film comes, seconds since 1970."""
SHOWN_S: Final = 60.0
"""Length of the traces with which a session begins."""
IDENTITY: Final = ModelIdentity("face-compact", "0" * 64, "openvino CPU")
CAMERAS: Final = (
    CameraListing("simulated:", "Simulated camera"),
    CameraListing("boson:", "FLIR Boson", problem="install the package flirpy"),
)

Film = Sequence[Result]
"""Frames with the regions that are in them, one after the other."""


def film_of_phantom(frames: int, height: int = 384, width: int = 480) -> list[Result]:
    """Look at a synthetic head, with its true regions."""
    phantom, meter = Phantom(Sitter(seed=3)), RoiMeter()
    film = []
    for index in range(frames):
        picture = phantom.picture(index / RATE_HZ, height, width)
        film.append(_measured(index, picture.celsius, picture.labels, meter))
    return film


def film_of_face(celsius: NDArray[np.float32], labels: NDArray[np.uint8]) -> list[Result]:
    """Look at a face that is drawn by hand, for one frame."""
    return [_measured(0, celsius, labels, RoiMeter())]


def record_film(film: Film, path: Path, markers: Sequence[tuple[float, str]]) -> Path:
    """Write a session of a film, with the means of its regions breathing and with markers."""
    frame = film[0].frame
    height, width = frame.celsius.shape
    info = CameraInfo("Simulated phantom", "seed-3", width, height, RATE_HZ, CENTIKELVIN, live=True)
    recorder = Recorder(path, info, "simulated:", IDENTITY)
    recorder.start()
    pause = threading.Event()
    for index, result in enumerate(film):
        shown = _at(result, index, index / RATE_HZ)
        recorder.offer(shown.frame)
        recorder.offer_result(shown)
        while recorder.status().recorded < index - ROOM:
            pause.wait(0.005)
    for time_s, label in markers:
        recorder.note_mark(Mark.now(label, "marker", "key", time_s, time_s, 0.0))
    recorder.stop()
    return path


class StagedSession(FakeSession):
    """Shows a film round and round, as fast as it is looked at, after a minute of traces."""

    def __init__(self, film: Film) -> None:
        super().__init__()
        self._film = film
        self._looks = 0
        height, width = film[0].frame.celsius.shape
        self.info = CameraInfo(
            "Simulated phantom", "seed-3", width, height, 30.0, CENTIKELVIN, live=True
        )
        self.model = IDENTITY
        self.playing = True
        self.marks: tuple[Mark, ...] = ()
        self.backlogs: tuple[Backlog, ...] = (Backlog("network", 1, 30, rising=False),)
        for step in range(round(SHOWN_S * RATE_HZ)):
            time_s = step / RATE_HZ
            self.traces.append(_breathing(film[step % len(film)].samples, time_s))

    def look(self) -> SessionView:
        if self.playing:
            self._looks += 1
            time_s = SHOWN_S + self._looks / 30
            shown = _at(self._film[self._looks % len(self._film)], self._looks, time_s)
            self.frame = shown.frame
            if self.model is not None:
                self.result = shown
                self.traces.append(shown.samples)
        return replace(super().look(), marks=self.marks, backlogs=self.backlogs)

    def start_recording(self, plan: RecordingPlan | Path) -> Path:
        path = super().start_recording(plan)
        self.recorder = RecorderStatus(
            *(3704, 0, 125.2, 1_214_000_000, 43 * 10**9, ""), on_disk=True, missed=12, slots=64
        )
        return path

    def now_s(self) -> float:
        return SHOWN_S + self._looks / 30

    def mark(
        self,
        label: str,
        *,
        kind: str = "marker",
        source: str = "key",
        time_s: float | None = None,
        duration_s: float = 0.0,
    ) -> Mark:
        mark = super().mark(label, kind=kind, source=source, time_s=time_s, duration_s=duration_s)
        self.marks = (*self.marks, mark)
        return mark

    def take_back(self, mark: Mark) -> bool:
        self.marks = tuple(each for each in self.marks if each is not mark)
        return True

    def set_rois(self, rois: object) -> None:
        pass

    def set_pre_record(self, seconds: float) -> None:
        pass


def make_staged_window(
    settings: QSettings,
    session: FakeSession | Callable[[str], FakeSession],
    load: Callable[[str], object] = FakeNetwork,
    find_models: Callable[[], list[ModelFile]] = list,
) -> MainWindow:
    """Make the window of the program around a session that is made up."""

    def make_session(address: str, _: Segmenter | None) -> FakeSession:
        return session if isinstance(session, FakeSession) else session(address)

    loader = cast("ModelLoader", load)
    controller = SessionController(
        cast("SessionFactory", make_session),
        ModelShelf(loader, find_models),
        lambda: list(CAMERAS),
    )
    return MainWindow(controller, settings, PAGES, PageOpener(loader))


def _measured(
    index: int, celsius: NDArray[np.float32], labels: NDArray[np.uint8], meter: RoiMeter
) -> Result:
    counts = np.round((celsius + 273.15) * 100).astype(np.uint16)
    frame = Frame.from_counts(counts, CENTIKELVIN, index, index / RATE_HZ, 1.7e9 + index / RATE_HZ)
    segmentation = Segmentation(labels, np.ones(labels.shape, np.float32), index)
    samples = meter.measure(frame, segmentation)
    faces = meter.faces
    return Result(frame, segmentation, samples, 0.04, meter.rois, faces.box, faces.others)


def _at(result: Result, index: int, time_s: float) -> Result:
    """Show what a result shows at another moment."""
    old = result.frame
    frame = Frame.from_counts(old.counts, CENTIKELVIN, index, time_s, STARTED_S + time_s)
    return replace(
        result,
        frame=frame,
        segmentation=replace(result.segmentation, frame_index=index),
        samples=_breathing(result.samples, time_s),
    )


def _breathing(samples: Sequence[RoiSample], time_s: float) -> tuple[RoiSample, ...]:
    """Let the nostrils breathe, the other regions a little."""
    wave = sin(2 * pi * time_s / BREATH_S)
    depths = {"nostrils": 1.0, "nostril_left": 1.1, "nostril_right": 0.9, "perinasal": 0.15}
    return tuple(
        replace(
            sample,
            time_s=time_s,
            mean_c=sample.mean_c + BREATH_K * depths.get(sample.region, 0.05) * wave,
        )
        for sample in samples
    )
