"""Recording without a window: the same session, run for a while and accounted for."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from thermoseg.cameras import make_camera
from thermoseg.errors import RecordingError
from thermoseg.inference.segmenter import Segmenter
from thermoseg.session import Session, SessionCounts

TICK_S: Final = 0.1
"""How often the end of the recording is looked for, and progress told."""


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """What a recording without a window came to."""

    path: Path
    counts: SessionCounts
    model: str
    """Name of the model that segmented, empty if none did."""
    backend: str
    """What computed, empty if nothing did."""
    interrupted: bool
    """Whether it was stopped before its time, by Ctrl-C or by SIGTERM."""


def record(
    address: str,
    path: Path,
    duration_s: float,
    segmenter: Segmenter | None,
    tell: Callable[[float, SessionCounts], None] = lambda _seconds, _counts: None,
) -> RecordingReport:
    """Record `address` into a new file for `duration_s`, segmenting if there is a segmenter.

    Ends early, with everything written, when the source ends or the user interrupts.

    Parameters
    ----------
    tell
        Called ten times a second with the seconds recorded and the counts so far.

    Raises
    ------
    RecordingError
        If there is a file of this name already, or it cannot be written.
    CameraError, ConfigError
        If the address cannot be opened.
    """
    if path.exists():
        raise RecordingError(f"“{path}” exists already; choose another name or delete it first")
    path.parent.mkdir(parents=True, exist_ok=True)
    session = Session(make_camera(address), segmenter)
    with _interruption() as interrupted:
        session.start()
        try:
            session.start_recording(path)
            began = time.monotonic()
            while not session.ended and not interrupted.is_set():
                elapsed = time.monotonic() - began
                if elapsed >= duration_s:
                    break
                tell(elapsed, session.counts())
                interrupted.wait(min(TICK_S, duration_s - elapsed))
        finally:
            session.stop()
    return RecordingReport(
        path=path,
        counts=session.counts(),
        model=segmenter.model_name if segmenter else "",
        backend=segmenter.backend if segmenter else "",
        interrupted=interrupted.is_set(),
    )


@contextmanager
def _interruption() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into an event, so that neither cuts a file in two."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        interrupted.set()

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, note) for number in signals]
    try:
        yield interrupted
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
