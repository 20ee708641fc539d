"""Streaming while everything goes wrong: nothing is lost unseen, nothing grows, nothing stays.

The long run (`make soak`) streams for `SOAK_MINUTES`, 30 by default, with a fault every minute.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from tests.conftest import WaitFor
from thermoseg import camera_feed
from thermoseg.cameras import Camera, CameraListing, CameraOptions, make_camera
from thermoseg.errors import CameraLostError, FrameRefusedError
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.recording.reader import Recording
from thermoseg.session import Session

FAULTS = (
    "unplug@{}s+3s",
    "truncated@{}s+0.5s",
    "stall@{}s",
    "duplicate@{}s+0.3s",
    "ffc@{}s+1s",
    "size@{}s+0.5s",
    "clock@{}s",
    "corrupt@{}s+0.3s",
    "stall@{}s+2s",
    "clock@{}s-500s",
)
SOAK_MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
FILE_MINUTES = float(os.environ.get("SOAK_FILE_MINUTES", "5"))
"""A recording of 640×512 at 30 frames/s grows by half a gigabyte a minute."""
GROWTH_BYTES = 50e6
"""Most that may be added after the first minute, of this process or a writer."""


class Ledger:
    """A camera that keeps the books of another one: what `read` gave, refused and left out."""

    Options: ClassVar[type[CameraOptions]] = CameraOptions

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.frames = self.broken = self.missing = self.opened = self.lost = 0
        self._size = (0, 0)
        self._expected: int | None = None

    def open(self) -> CameraInfo:
        info = self.camera.open()
        self._size, self._expected = (info.height, info.width), None
        self.opened += 1
        return info

    def read(self, timeout_s: float) -> Frame:
        try:
            frame = self.camera.read(timeout_s)
        except FrameRefusedError:
            self._take_broken()
            raise
        except CameraLostError:
            self.lost += 1
            raise
        if frame.counts.shape != self._size:
            self._take_broken()
            return frame
        if self._expected is not None:
            self.missing += frame.index - self._expected
        self._expected = frame.index + 1
        self.frames += 1
        return frame

    def close(self) -> None:
        self.camera.close()

    @classmethod
    def discover(cls) -> list[CameraListing]:
        return []

    def _take_broken(self) -> None:
        self.broken += 1
        if self._expected is not None:
            self._expected += 1


@pytest.fixture
def ledger() -> Iterator[Callable[[str], Ledger]]:
    made: list[Ledger] = []

    def make(address: str) -> Ledger:
        made.append(Ledger(make_camera(address)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def newest_s(session: Session) -> float:
    frame = session.look().frame
    return 0.0 if frame is None else frame.time_s


def has_run_for(session: Session, seconds: float) -> bool:
    return session.look().counts.seconds >= seconds


def check_session(session: Session, books: Ledger) -> None:
    counts = session.look().counts
    assert counts.captured == books.frames
    assert counts.refused == books.broken
    assert counts.missed == books.missing
    assert counts.reopened == books.opened - 1
    assert session.look().error is None
    assert session.ended
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("thermoseg")]


def check_file(path: Path) -> dict[str, int]:
    """Check that the file accounts for every number between its first frame and its last."""
    with Recording(path) as recording:
        counts = recording.counts
        lost = dict.fromkeys(("camera", "recorder", "refused", "lost"), 0)
        for gap in recording.gaps:
            lost[gap.cause] += gap.frames if gap.cause != "lost" else 1
        numbers = recording.indices
        assert recording.complete
        assert (numbers[1:] > numbers[:-1]).all()
        assert (recording.times_s[1:] > recording.times_s[:-1]).all()
        assert len(recording) == counts.recorded
        assert counts.captured == counts.recorded + counts.dropped
        assert (lost["camera"], lost["recorder"]) == (counts.missed, counts.dropped)
        absent = lost["camera"] + lost["recorder"] + lost["refused"]
        assert numbers[-1] - numbers[0] + 1 == len(recording) + absent
        marked = (recording.flags & FrameFlag.GAP_BEFORE) != 0
        after = {gap.index_after for gap in recording.gaps} - {-1}
        assert set(numbers[marked].tolist()) == after
        return lost


def test_every_fault_within_a_quarter_of_a_minute(
    monkeypatch: pytest.MonkeyPatch,
    ledger: Callable[[str], Ledger],
    tmp_path: Path,
    wait_for: WaitFor,
) -> None:
    monkeypatch.setattr(camera_feed, "SILENCE_LIMIT_S", 1.5)
    faults = (
        "truncated@0.5s,size@1s+0.2s,corrupt@1.5s,duplicate@2s+0.1s,clock@2.3s,ffc@2.6s+0.5s,"
        "unplug@3.5s+0.5s,stall@6s,stall@9.5s+0.5s,clock@10.5s-50s,truncated@11s+0.3s"
    )
    books = ledger(f"simulated:?width=160&height=128&rate_hz=30&shutter_every_s=0&fault={faults}")
    path = tmp_path / "soak.h5"
    session = Session(books, None, address="simulated:")
    session.start_recording(path)
    session.start()
    wait_for(lambda: books.opened == 3 and newest_s(session) > 12, timeout_s=60)
    session.stop()

    check_session(session, books)
    counts, lost = session.look().counts, check_file(path)
    assert (counts.gaps, counts.reopened, lost["lost"]) == (2, 2, 2)
    assert counts.refused == lost["refused"] > 5
    assert counts.captured == counts.recorded + counts.dropped
    with Recording(path) as recording:
        flags = {flag for flag in FrameFlag if (recording.flags & flag).any()}
        assert recording.times_s[-1] - recording.times_s[0] == pytest.approx(counts.seconds, abs=2)
        told = [event.text for event in recording.events]
    assert flags >= {
        FrameFlag.SHUTTER,
        FrameFlag.AFTER_SHUTTER,
        FrameFlag.DUPLICATE,
        FrameFlag.DAMAGED,
        FrameFlag.GAP_BEFORE,
    }
    for words in ("was unplugged", "no usable picture", "gap of", "clock jumped by +36", "-50."):
        assert any(words in text for text in told), (words, told)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_half_an_hour_of_streaming_with_a_fault_every_minute(
    ledger: Callable[[str], Ledger], tmp_path: Path, wait_for: WaitFor
) -> None:
    seconds = 60 * SOAK_MINUTES
    plan = ",".join(
        fault.format(60 * minute + 30)
        for minute, fault in zip(range(int(SOAK_MINUTES)), cycle(FAULTS), strict=False)
    )
    books = ledger(f"simulated:?width=640&height=512&rate_hz=30&fault={plan}")
    session = Session(books, None, address="simulated:")
    session.start_recording(tmp_path / "0.h5")
    session.start()
    session.wait_opened(30)
    here, sizes, losses = psutil.Process(), [], []
    for tenth in range(1, int(seconds / 10) + 1):
        wait_for(partial(has_run_for, session, 10 * tenth), timeout_s=60)
        writers = [child.memory_info().rss for child in here.children()]
        sizes.append((here.memory_info().rss, max(writers, default=0)))
        if tenth % round(6 * FILE_MINUTES) == 0 and 10 * tenth < seconds:
            losses.append(split(session, tmp_path / f"{tenth}.h5"))
    last = session.stop_recording()
    session.stop()
    losses.append(check_file(last.path))
    last.path.unlink()

    check_session(session, books)
    counts = session.look().counts
    flat = [grown(part) for part in zip(*sizes, strict=True)]
    report = (
        f"{counts}\nlosses by file: {losses}\n"
        f"growth after the first minute: {flat[0] / 1e6:.1f} MB here, {flat[1] / 1e6:.1f} MB writer"
    )
    sys.stdout.write(f"\n{report}\n")
    assert max(flat) <= GROWTH_BYTES, report
    assert counts.gaps == counts.reopened > 0, report
    assert counts.seconds >= seconds, report


def split(session: Session, path: Path) -> dict[str, int]:
    """Go on recording into another file; check the one before and throw it away."""
    summary = session.stop_recording()
    session.start_recording(path)
    lost = check_file(summary.path)
    summary.path.unlink()
    return lost


def grown(sizes: tuple[int, ...]) -> float:
    """Return by how much the largest size is above the largest of the first minute, bytes."""
    return max(sizes[6:], default=0) - max(sizes[:6])
