"""What a frame costs on one core: counts to °C, and reading one from a session, as ratios."""

import random
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

import h5py
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.timing import processor_ms
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import (
    LinearRadiometry,
    ObjectParameters,
    PlanckRadiometry,
    Radiometry,
)
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder

HEIGHT: Final = 512
WIDTH: Final = 640
FRAMES: Final = 24


def measure_radiometry() -> dict[str, tuple[float, float]]:
    """Milliseconds of each formula and of a multiplication, for one frame."""
    counts = np.random.default_rng(1).integers(17_000, 19_000, (HEIGHT, WIDTH)).astype(np.uint16)
    formulas: dict[str, Radiometry] = {
        "linear counts to °C": LinearRadiometry(0.04),
        "Planck's law with air and reflection": PlanckRadiometry(
            r1=21106.77,
            b=1501.0,
            f=1.0,
            o=-7340.0,
            r2=0.012545258,
            scene=ObjectParameters(distance_m=2.0),
        ),
    }
    reference = processor_ms(lambda: counts * np.float32(0.04) - np.float32(273.15))
    return {
        name: (processor_ms(partial(formula.to_celsius, counts)), reference)
        for name, formula in formulas.items()
    }


def measure_reading() -> tuple[float, float]:
    """Milliseconds of a frame read from anywhere in a session, and of what HDF5 alone needs."""
    info = CameraInfo("Made", "", WIDTH, HEIGHT, 30.0, LinearRadiometry(0.01), live=False)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        recorder = Recorder(path, info, "made:", None, DiskLimits(0, 0, 0, 0))
        recorder.start()
        for index in range(FRAMES):
            counts = (30_000 + 5 * rng.standard_normal((HEIGHT, WIDTH))).astype(np.uint16)
            recorder.offer(Frame.from_counts(counts, info.radiometry, index, index / 30, 0.0))
        recorder.stop()
        draw = random.Random(0)
        with Recording(path) as recording, h5py.File(path) as plain:
            ours = processor_ms(lambda: recording.frame(draw.randrange(FRAMES)))
            alone = processor_ms(
                lambda: plain["frames/counts"][draw.randrange(FRAMES)].astype(np.float32)
            )
    return ours, alone


def main() -> int:
    table = Table("", "ms", "in references", title=f"One frame of {WIDTH}×{HEIGHT}, one core")
    rows = measure_radiometry() | {"read from a session": measure_reading()}
    for name, (ours_ms, reference_ms) in rows.items():
        table.add_row(name, f"{ours_ms:.2f}", f"{ours_ms / reference_ms:.2f}")
    console = Console()
    console.print(table)
    console.print("References: a multiplication in float32; the same frame by HDF5 alone.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
