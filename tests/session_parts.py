"""What sessions are made of in tests: a camera that follows a script, a network, a sink."""

import threading
import time
from collections.abc import Iterable, Iterator
from typing import ClassVar, TypeAlias

import numpy as np

from thermoseg.cameras import CameraListing, CameraOptions
from thermoseg.errors import CameraLostError, CameraTimeoutError, StreamEndedError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.inference.segmenter import Segmentation
from thermoseg.labels import Region
from thermoseg.radiometry import LinearRadiometry, PlanckRadiometry, Radiometry
from thermoseg.result import Result

HEIGHT, WIDTH = 24, 32
RADIOMETRY = LinearRadiometry(0.01)
Step: TypeAlias = int | Exception | threading.Event
"""Of the script of a `ScriptedCamera`."""
COUNTS_34_C = 30715
"""34.00 °C at 0.01 K per count."""


class ScriptedCamera:
    """Plays lists of steps, one list per opening: a number is a frame's index, an exception is
    raised, an event is waited for.  The last list ends as a camera that goes silent."""

    Options: ClassVar[type[CameraOptions]] = CameraOptions

    def __init__(
        self,
        *openings: Iterable[Step],
        live: bool = True,
        rate_hz: float = 100.0,
        sizes: Iterable[tuple[int, int]] = (),
        scales_k: Iterable[float] = (),
        serial: str = "7",
    ) -> None:
        self.openings = [iter(steps) for steps in openings]
        self.sizes, self.scales_k = iter(sizes), iter(scales_k)
        self.live, self.rate_hz, self.serial = live, rate_hz, serial
        self.opened = self.closed = 0
        self.threads: set[str] = set()
        self.steps: Iterator[Step] = iter(())
        self.opened_s = 0.0

    def open(self) -> CameraInfo:
        self.threads.add(threading.current_thread().name)
        self.opened += 1
        self.opened_s = time.monotonic()
        if not self.openings:
            raise CameraLostError("the fake camera is unplugged; plug it in")
        self.steps = self.openings.pop(0)
        height, width = next(self.sizes, (HEIGHT, WIDTH))
        scale = LinearRadiometry(next(self.scales_k, 0.01))
        return CameraInfo("fake", self.serial, width, height, self.rate_hz, scale, self.live)

    def read(self, timeout_s: float) -> Frame:
        self.threads.add(threading.current_thread().name)
        step = next(self.steps, None)
        while isinstance(step, threading.Event):
            if not step.wait(timeout_s):
                self.steps = chain_first(step, self.steps)
                raise CameraTimeoutError("nothing yet; read again")
            step = next(self.steps, None)
        if step is None:
            threading.Event().wait(timeout_s)
            raise CameraTimeoutError("no frame came in time; read again")
        if isinstance(step, Exception):
            raise step
        threading.Event().wait(1 / self.rate_hz)
        return make_frame(step, time.monotonic() - self.opened_s)

    def close(self) -> None:
        self.closed += 1

    @classmethod
    def discover(cls) -> list[CameraListing]:
        return []


def chain_first(first: threading.Event, rest: Iterator[Step]) -> Iterator[Step]:
    yield first
    yield from rest


def make_frame(index: int, time_s: float, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> Frame:
    noise = (index + np.arange(shape[0] * shape[1], dtype=np.uint16).reshape(shape)) % 7
    counts = (COUNTS_34_C - 3 + noise).astype(np.uint16)
    return Frame.from_counts(counts, RADIOMETRY, index, time_s, time.time())


class RadiometricCamera(ScriptedCamera):
    """A scripted camera of any radiometry."""

    def __init__(self, radiometry: Radiometry, steps: Iterable[Step] = range(10_000)) -> None:
        super().__init__(steps)
        self.radiometry = radiometry

    def open(self) -> CameraInfo:
        info = super().open()
        return CameraInfo(
            info.model, info.serial, WIDTH, HEIGHT, info.rate_hz, self.radiometry, live=True
        )

    def read(self, timeout_s: float) -> Frame:
        frame = super().read(timeout_s)
        counts = frame.counts
        if isinstance(self.radiometry, PlanckRadiometry):
            counts = counts // 2 + np.uint16(3500)
        return Frame.from_counts(
            counts, self.radiometry, frame.index, frame.time_s, frame.wall_time
        )


class FaceSegmenter:
    """Sees the same face in every frame."""

    model_sha256 = "0" * 64
    backend = "test"

    def __init__(
        self, seconds: float = 0.0, error: Exception | None = None, name: str = "drawn"
    ) -> None:
        self.seconds, self.error, self.model_name = seconds, error, name
        self.seen: list[int] = []
        self.labels = np.full((HEIGHT, WIDTH), Region.CHIN, np.uint8)
        self.labels[2:6, 4:28] = Region.EYES
        self.labels[8:14, 10:22] = Region.NOSE
        self.labels[18:22, 8:24] = Region.MOUTH

    def segment(self, frame: Frame) -> Segmentation:
        threading.Event().wait(self.seconds)
        if self.error is not None:
            raise self.error
        self.seen.append(frame.index)
        return Segmentation(self.labels, np.ones(self.labels.shape, np.float32), frame.index)


class ListSink:
    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.results: list[Result] = []

    @property
    def indices(self) -> list[int]:
        return [frame.index for frame in self.frames]

    def offer(self, frame: Frame) -> None:
        self.frames.append(frame)

    def offer_result(self, result: Result) -> None:
        self.results.append(result)


class StuckSink(ListSink):
    """Hangs in its first frame until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.at_work, self.let_go = threading.Event(), threading.Event()

    def offer(self, frame: Frame) -> None:
        self.at_work.set()
        self.let_go.wait(30)
        super().offer(frame)


def ended() -> StreamEndedError:
    return StreamEndedError("the fake recording is over")
