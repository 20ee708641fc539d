"""How late the window is while it records and segments: a timer of 5 ms in its thread, painting and
all, beside the same timer in an event loop that has nothing to do.

The pictures are drawn beforehand (`loop_s`), so that the camera costs what a real one costs.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import numpy as np
from rich.console import Console
from rich.table import Table

from thermoseg.cameras import make_camera
from thermoseg.errors import ThermoSegError
from thermoseg.inference.choose import DEFAULT_MODEL, choose_segmenter
from thermoseg.session import Session
from thermoseg.session_recording import RecordingState
from thermoseg.session_view import SessionView
from thermoseg.thread_switching import switch_threads_often

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication

ADDRESS: Final = "simulated:?width=640&height=512&rate_hz=30&loop_s=10"
TIMER_MS: Final = 5
WARM_UP_S: Final = 3.0
"""First pictures, palettes and fonts, the network's first runs."""
READY_S: Final = 120.0
"""The longest wait for the first mask and a recording that runs."""
EMPTY_S: Final = 5.0
"""Length of the reference."""
WANTED_P99_MS: Final = 16.0


class Watched(Protocol):
    """Something that runs a session, with a window or without."""

    def look(self) -> SessionView:
        """Return what there is to see of it now."""
        ...

    def failure(self) -> str:
        """Return why it cannot go on; empty if it can."""
        ...

    def close(self) -> None:
        """End it and wait for that."""


Opener: TypeAlias = Callable[[str, str, Path], Watched]
"""Opens (address, model, file to record into) and returns at once."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late the timer was, and what was done meanwhile."""

    name: str
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float
    masks_per_s: float = 0.0
    frames_per_s: float = 0.0
    dropped: int = 0
    missed: int = 0


class Probe:
    """A timer that is started anew whenever it has run, and notes by how much it was late."""

    def __init__(self) -> None:
        from PyQt6.QtCore import Qt, QTimer

        self.late_ms: list[float] = []
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._note)
        self._asked_s = 0.0

    def start(self) -> None:
        self._asked_s = time.perf_counter()
        self._timer.start(TIMER_MS)

    def stop(self) -> None:
        self._timer.stop()

    def _note(self) -> None:
        self.late_ms.append(max(1000 * (time.perf_counter() - self._asked_s) - TIMER_MS, 0.0))
        self.start()


class TheWindow:
    """The main window, recording from the first frame on."""

    def __init__(self, address: str, model: str, path: Path) -> None:
        from PyQt6.QtCore import QSettings

        from ui.pages import make_window

        settings = QSettings(str(path.with_suffix(".ini")), QSettings.Format.IniFormat)
        self._window = make_window(settings)
        self._window.resize(1280, 720)
        self._window.show()
        self._window.choose_first_model(model)
        self._window.open_address(address, path)

    def look(self) -> SessionView:
        return self._window.controller.view

    def failure(self) -> str:
        return self._window.failure

    def close(self) -> None:
        self._window.end()


class NoWindow:
    """The same session without a window, so that what painting costs can be told apart."""

    def __init__(self, address: str, model: str, path: Path) -> None:
        self._session = Session(make_camera(address), choose_segmenter(model), address=address)
        self._session.start_recording(path)
        self._session.start()

    def look(self) -> SessionView:
        return self._session.look()

    def failure(self) -> str:
        return str(self.look().error or "")

    def close(self) -> None:
        self._session.stop()


def measure_empty(app: "QApplication", seconds: float) -> Lateness:
    """Measure the reference: an event loop that has nothing to do and paints nothing."""
    probe = Probe()
    probe.start()
    run_for(app, seconds)
    probe.stop()
    return summarise("empty event loop", probe.late_ms)


def measure(
    app: "QApplication", name: str, opener: Opener, address: str, model: str, seconds: float
) -> Lateness:
    """Measure for `seconds`, once masks come and the recording runs.

    Raises
    ------
    ThermoSegError
        If it does not come to that.
    """
    with opened(opener, address, model) as watched:
        deadline_s = time.monotonic() + READY_S
        while not is_ready(watched.look()):
            run_for(app, 0.1)
            if watched.failure() or time.monotonic() > deadline_s:
                raise ThermoSegError(watched.failure() or f"no mask came within {READY_S:.0f} s")
        run_for(app, WARM_UP_S)
        before, began_s, probe = watched.look().counts, time.perf_counter(), Probe()
        probe.start()
        run_for(app, seconds)
        probe.stop()
        after, passed_s = watched.look().counts, time.perf_counter() - began_s
        if watched.failure():
            raise ThermoSegError(watched.failure())
    return summarise(
        name,
        probe.late_ms,
        masks_per_s=(after.segmented - before.segmented) / passed_s,
        frames_per_s=(after.captured - before.captured) / passed_s,
        dropped=after.dropped - before.dropped,
        missed=after.missed - before.missed,
    )


def is_ready(view: SessionView) -> bool:
    return view.result is not None and view.recording is RecordingState.RUNNING


@contextmanager
def opened(opener: Opener, address: str, model: str) -> Iterator[Watched]:
    with tempfile.TemporaryDirectory(prefix="thermoseg-bench-") as folder:
        watched = opener(address, model, Path(folder) / "late.h5")
        try:
            yield watched
        finally:
            watched.close()


def run_for(app: "QApplication", seconds: float) -> None:
    from PyQt6.QtCore import QTimer

    QTimer.singleShot(round(1000 * seconds), lambda: app.exit())  # `quit` would close the window
    app.exec()


def summarise(name: str, late_ms: list[float], **done: float) -> Lateness:
    p50, p95, p99 = (float(value) for value in np.percentile(late_ms, (50, 95, 99)))
    return Lateness(name, p50, p95, p99, max(late_ms), **done)  # type: ignore[arg-type]


def tabulate(found: list[Lateness], seconds: float) -> Table:
    """Set what was measured beside the reference, which is the first."""
    empty = found[0]
    table = Table(
        title=f"How late a {TIMER_MS} ms timer of the window's thread is: 640×512 at 30 frames/s, "
        f"segmented and recorded for {seconds:.0f} s",
        title_justify="left",
    )
    table.add_column("")
    for each in found:
        table.add_column(each.name, justify="right")
    for name in ("p50_ms", "p95_ms", "p99_ms", "longest_ms"):
        label = name.removesuffix("_ms")
        table.add_row(f"{label}, ms", *(f"{getattr(each, name):.2f}" for each in found))
    table.add_row("p99 as ratio", *(f"{each.p99_ms / empty.p99_ms:.0f} ×" for each in found))
    table.add_row("masks/s", "–", *(f"{each.masks_per_s:.1f}" for each in found[1:]))
    table.add_row("frames/s", "–", *(f"{each.frames_per_s:.1f}" for each in found[1:]))
    table.add_row("dropped, missed", "–", *(f"{each.dropped}, {each.missed}" for each in found[1:]))
    table.caption = f"wanted with the window: p99 ≤ {WANTED_P99_MS:.0f} ms on two cores"
    return table


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_lateness", description=__doc__
    )
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--address", default=ADDRESS)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--json", action="store_true", help="one object in JSON per column")
    arguments = parser.parse_args()
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PyQt6.QtWidgets import QApplication

    switch_threads_often()
    app = QApplication([])
    app.setQuitOnLastWindowClosed(False)
    wanted = (arguments.address, arguments.model, arguments.seconds)
    try:
        found = [measure_empty(app, EMPTY_S)]
        found.append(measure(app, "session without a window", NoWindow, *wanted))
        found.append(measure(app, "window", TheWindow, *wanted))
    except ThermoSegError as error:
        sys.stderr.write(f"bench_lateness: {error}\n")
        return 1
    if arguments.json:
        for each in found:
            print(json.dumps(asdict(each)))
    else:
        Console().print(tabulate(found, arguments.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
