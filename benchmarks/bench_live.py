"""640×512 at 30 frames/s, recorded while it is segmented and drawn: is anything lost or late?"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.reference import FRAME_MS
from thermoseg.cameras import make_camera
from thermoseg.errors import ThermoSegError
from thermoseg.frames import Frame
from thermoseg.inference.choose import DEFAULT_MODEL, choose_segmenter
from thermoseg.result import Result
from thermoseg.session import Session
from thermoseg.session_view import SessionView
from thermoseg.tally import SessionCounts
from thermoseg.thread_switching import switch_threads_often

ADDRESS = "simulated:?width=640&height=512&rate_hz=30"
WARM_UP_S = 2.0
"""First pictures, palettes and fonts; ages and ticks count from then on, losses from the start."""
PROBE_MS = 5
"""How often the window is asked whether it answers."""


@dataclass
class Watch:
    """What is seen of a session while it runs, once it is warm."""

    frame_ages_ms: list[float] = field(default_factory=list)
    result_ages_ms: list[float] = field(default_factory=list)
    ticks_ms: list[float] = field(default_factory=list)
    answers_ms: list[float] = field(default_factory=list)

    def look(self, frame: Frame | None, result: Result | None) -> None:
        """Note how old the newest picture and mask are now."""
        now = time.time()
        if frame is not None:
            self.frame_ages_ms.append(1000 * (now - frame.wall_time))
        if result is not None:
            self.result_ages_ms.append(1000 * (now - result.frame.wall_time))


@dataclass(frozen=True)
class Outcome:
    counts: SessionCounts
    watch: Watch
    cores: float
    model: str


def run_bare(address: str, model: str, path: Path, seconds: float) -> Outcome:
    """Run the session alone and look at it as often as a window would."""
    segmenter = choose_segmenter(model)
    session = Session(make_camera(address), segmenter, address=address)
    session.start_recording(path)
    watch, used = Watch(), cpu_seconds()
    began = time.monotonic()
    with session:
        while time.monotonic() - began < seconds and not session.ended:
            time.sleep(0.033)
            if time.monotonic() - began > WARM_UP_S:
                view = session.look()
                watch.look(view.frame, view.result)
        cores = (cpu_seconds() - used) / (time.monotonic() - began)
    view = session.look()
    return Outcome(view.counts, watch, cores, describe(view))


def run_in_window(address: str, model: str, path: Path, seconds: float) -> Outcome:
    """Run the session in the real window, drawn off screen where there is no display."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from PyQt6.QtCore import QSettings, Qt, QTimer
    from PyQt6.QtWidgets import QApplication

    from ui.live.session_controller import CameraState
    from ui.pages import make_window

    app = QApplication([])
    settings = QSettings(str(path.with_suffix(".ini")), QSettings.Format.IniFormat)
    window = make_window(settings)
    controller = window.controller
    window.resize(1280, 720)
    window.show()
    window.choose_first_model(model)
    watch = Watch()
    began = warm = asked = 0.0
    probe = QTimer()
    probe.setTimerType(Qt.TimerType.PreciseTimer)
    probe.setInterval(PROBE_MS)

    def on_ticked() -> None:
        nonlocal began, warm
        now = time.monotonic()
        began = began or now
        if now - began < WARM_UP_S:
            warm = len(controller.tick_times_ms)
            return
        watch.look(controller.view.frame, controller.view.result)
        if now - began > seconds:
            app.exit()

    def on_probe() -> None:
        nonlocal asked
        now = time.perf_counter()
        if asked and began and time.monotonic() - began > WARM_UP_S:
            watch.answers_ms.append(max(0.0, 1000 * (now - asked) - PROBE_MS))
        asked = now

    def on_state(state: CameraState) -> None:
        if state in (CameraState.FAILED, CameraState.ENDED):
            app.exit()

    controller.ticked.connect(on_ticked)
    controller.state_changed.connect(on_state)
    probe.timeout.connect(on_probe)
    used, started = cpu_seconds(), time.monotonic()
    window.open_address(address, path)
    probe.start()
    app.exec()
    probe.stop()
    cores = (cpu_seconds() - used) / (time.monotonic() - started)
    failure = window.failure
    watch.ticks_ms = controller.tick_times_ms[int(warm) :]
    session = controller.session
    window.end()
    if failure or session is None:
        raise ThermoSegError(failure or "the session never started; see the message above")
    view = session.look()
    return Outcome(view.counts, watch, cores, describe(view))


def cpu_seconds() -> float:
    """Processor time of this program and its writer, seconds."""
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def describe(view: SessionView) -> str:
    identity = view.model
    return f"{identity.name} on {identity.backend}" if identity else "no model"


def tabulate(outcome: Outcome, seconds: float) -> Table:
    """Set what was measured beside what is wanted and what the authors' network costs."""
    counts, watch = outcome.counts, outcome.watch
    table = Table(
        title=f"Live: 640×512 at 30 frames/s for {seconds:.0f} s, {outcome.model}",
        title_justify="left",
    )
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("wanted", justify="right")
    expected = 30 * counts.seconds
    table.add_row("frames captured", f"{counts.captured}", f"{expected:.0f}")
    table.add_row("missed by the camera", f"{counts.missed}", "0")
    table.add_row("recorded", f"{counts.recorded}", f"{counts.captured}")
    table.add_row("dropped", f"{counts.dropped}", "0")
    rate = counts.segmented / counts.seconds
    table.add_row("segmented per second", f"{rate:.1f}", "≥ 15, aim 30")
    table.add_row("  the authors' network", f"{1000 / FRAME_MS:.2f}", "")
    table.add_row("  ratio", f"{rate * FRAME_MS / 1000:.0f} ×", "")
    table.add_row("frame to mask, median", f"{counts.latency_p50_ms:.0f} ms", "")
    table.add_row("frame to mask, 95 %", f"{counts.latency_p95_ms:.0f} ms", "")
    _add_ages(table, "age of newest picture", watch.frame_ages_ms, "≤ 100 ms")
    _add_ages(table, "age of newest mask", watch.result_ages_ms, "")
    if watch.ticks_ms:
        table.add_row("window tick, 99 %", f"{np.percentile(watch.ticks_ms, 99):.1f} ms", "≤ 16 ms")
        table.add_row("window answers, 99 %", f"{np.percentile(watch.answers_ms, 99):.1f} ms", "")
    table.add_row("processor", f"{outcome.cores:.2f} of {os.cpu_count()} cores", "")
    return table


def _add_ages(table: Table, name: str, ages_ms: list[float], wanted: str) -> None:
    if ages_ms:
        table.add_row(f"{name}, median", f"{np.median(ages_ms):.0f} ms", "")
        table.add_row(f"{name}, largest", f"{max(ages_ms):.0f} ms", wanted)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_live", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--address", default=ADDRESS)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--no-window", action="store_true", help="the session alone")
    arguments = parser.parse_args()
    run = run_bare if arguments.no_window else run_in_window
    switch_threads_often()
    with tempfile.TemporaryDirectory(prefix="thermoseg-bench-") as folder:
        try:
            outcome = run(
                arguments.address, arguments.model, Path(folder) / "live.h5", arguments.seconds
            )
        except ThermoSegError as error:
            sys.stderr.write(f"bench_live: {error}\n")
            return 1
    Console().print(tabulate(outcome, arguments.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
