"""How long a user waits: start to live picture, closing, an hour's file, a step in its middle.

Beside each stands what the libraries alone need: a Python that opens an empty Qt window, and h5py
that reads the same frame.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import h5py
from rich.console import Console
from rich.table import Table

from benchmarks.bench_replay import FRAMES, make_session

ROUNDS: Final = 5
STEPS: Final = 40
LIMITS_S: Final = {"start": 3.0, "close": 1.0, "open": 1.0, "step": 0.05}
"""What a user may wait for, beside which the figures are printed."""

EMPTY: Final = """
import time; began = time.time()
import cv2, numpy, pyqtgraph
from PyQt6.QtWidgets import QApplication, QMainWindow
app = QApplication([]); window = QMainWindow(); window.resize(1280, 720); window.show()
app.processEvents()
shown = time.time(); window.close(); app.processEvents()
print(json_dumps({"start": shown - float(BEGAN), "close": time.time() - shown}))
"""

LIVE: Final = """
from PyQt6.QtCore import QSettings
from PyQt6.QtWidgets import QApplication
from thermoseg.thread_switching import switch_threads_often
switch_threads_often()
app = QApplication([])
from ui.pages import make_window
window = make_window(QSettings(SETTINGS, QSettings.Format.IniFormat))
window.resize(1280, 720); window.show()
window.choose_first_model("face-compact")
window.open_address("simulated:?width=640&height=512&rate_hz=30")
page = window.page
while page.pane.view.content is None:
    app.processEvents(); time.sleep(0.001)
shown = time.time()
until = time.time() + 3
while time.time() < until:
    app.processEvents(); time.sleep(0.005)
closing = time.time(); window.close()
print(json_dumps({"start": shown - float(BEGAN), "close": time.time() - closing}))
"""

REPLAY: Final = """
import random
from PyQt6.QtCore import QSettings
from PyQt6.QtWidgets import QApplication
from thermoseg.thread_switching import switch_threads_often
switch_threads_often()
app = QApplication([])
from ui.pages import make_window
from ui.shell.rail import PageName
window = make_window(QSettings(SETTINGS, QSettings.Format.IniFormat))
window.resize(1280, 720); window.show()
page = window.show_page(PageName.REPLAY)
controller = page.controller
def shown(index):
    while controller.shown is None or controller.shown.index != index:
        app.processEvents(); time.sleep(0.001)
    page.pane.view.repaint()
began = time.time(); window.open_file(FILE); shown(0); opened = time.time() - began
until = time.time() + 2
while time.time() < until:
    app.processEvents(); time.sleep(0.005)
steps, draw = [], random.Random(1)
middle = len(controller.times_s) // 2
for number in range(STEPS):
    index = draw.randrange(middle - 9000, middle + 9000)
    controller.seek(index); shown(index)
    began = time.time(); controller.step(1); shown(index + 1)
    steps.append(time.time() - began)
window.close()
print(json_dumps({"open": opened, "step": sorted(steps)[len(steps) // 2]}))
"""


def main() -> int:
    """Print a table; returns 1 if something takes longer than a user may wait."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as folder:
        names = {"SETTINGS": str(Path(folder) / "settings.ini")}
        run(LIVE, names)  # what is cached once, such as the compiled network, is no part of it
        empty, live = [], []
        for _ in range(ROUNDS):
            empty.append(run(EMPTY, names))
            live.append(run(LIVE, names))
        file = make_session(Path(folder) / "hour.h5")
        replayed = run(REPLAY, {**names, "FILE": str(file), "STEPS": STEPS})
        chunk_s = read_chunks(file)
    rows = {
        "start": (middle(live, "start"), middle(empty, "start"), "an empty window"),
        "close": (middle(live, "close"), middle(empty, "close"), "an empty window"),
        "open": (replayed["open"], chunk_s, "h5py, one frame"),
        "step": (replayed["step"], chunk_s, "h5py, one frame"),
    }
    Console().print(tabulate(rows))
    return int(any(rows[name][0] > limit for name, limit in LIMITS_S.items()))


def run(program: str, names: Mapping[str, object]) -> dict[str, float]:
    """Run a program in a Python of its own and return what it prints."""
    head = ["import time", "from json import dumps as json_dumps", f"BEGAN = {time.time()!r}"]
    head += [f"{name} = {value!r}" for name, value in names.items()]
    code = "\n".join([*head, program])
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=300
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return {str(name): float(value) for name, value in told.items()}


def read_chunks(path: Path) -> float:
    """Return how long h5py takes for one frame, median, seconds."""
    times_s = []
    with h5py.File(path, "r") as file:
        counts = file["frames/counts"]
        for number in range(STEPS):
            began_s = time.perf_counter()
            counts[FRAMES // 2 + 37 * number]
            times_s.append(time.perf_counter() - began_s)
    return statistics.median(times_s)


def middle(rounds: list[dict[str, float]], name: str) -> float:
    """Return the median of one figure, seconds."""
    return statistics.median(each[name] for each in rounds)


def tabulate(rows: dict[str, tuple[float, float, str]]) -> Table:
    """Make the table."""
    titles = {
        "start": "start of the program to live picture",
        "close": "closing without a recording",
        "open": "an hour's file to its first picture",
        "step": "a step in its middle",
    }
    table = Table(title="What a user waits for, medians")
    for column in ("", "window, s", "reference, s", "ratio", "reference", "may take, s"):
        table.add_column(column, justify="right" if "s" in column else "left")
    for name, (own_s, reference_s, reference) in rows.items():
        ratio = f"{own_s / reference_s:.1f} ×"
        limit = f"{LIMITS_S[name]:g}"
        table.add_row(titles[name], f"{own_s:.3f}", f"{reference_s:.3f}", ratio, reference, limit)
    return table


if __name__ == "__main__":
    sys.exit(main())
