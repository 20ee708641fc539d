"""What the phantom costs on one core: a live picture, its camera, a training picture."""

import statistics
import sys
import time
from itertools import count
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.timing import processor_ms
from thermoseg.phantom.head import Phantom, Sitter
from thermoseg.phantom.people import Person
from thermoseg.phantom.pictures import PictureStream, compose
from thermoseg.phantom.sensor import Sensor, ThermalCamera

BUDGET_MS: Final = {(128, 160): 5.0, (512, 640): 15.0}
"""What a live picture with its camera may cost, (height, width): milliseconds."""

RATE_HZ: Final = 30.0
RUNS: Final = 25
FACES: Final = 4
"""Different people whose median is taken."""


def blur_ms(height: int, width: int) -> float:
    """The yardstick, measured in the same run: one Gaussian blur of the same picture, σ 3 px."""
    picture = np.random.default_rng(0).normal(30, 2, (height, width)).astype(np.float32)
    return processor_ms(lambda: cv2.GaussianBlur(picture, (0, 0), 3.0), 4 * RUNS)


def live_ms(height: int, width: int) -> tuple[float, float]:
    """Time one picture of a living phantom, and its camera: milliseconds each."""
    pictures, exposures = [], []
    for seed in range(FACES):
        phantom = Phantom(Sitter(seed=seed))
        camera = ThermalCamera(Sensor(seed=seed, shutter_every_s=0), height, width)
        scene = phantom.picture(0.0, height, width).celsius
        pictures.append(picture_ms(phantom, height, width))
        exposures.append(exposure_ms(camera, scene))
    return statistics.median(pictures), statistics.median(exposures)


def picture_ms(phantom: Phantom, height: int, width: int) -> float:
    tick = count(1)
    return processor_ms(lambda: phantom.picture(next(tick) / RATE_HZ, height, width), RUNS)


def exposure_ms(camera: ThermalCamera, scene: NDArray[np.float32]) -> float:
    tick = count(1)
    return processor_ms(lambda: camera.expose(scene, next(tick) / RATE_HZ), RUNS)


def training_ms(height: int, width: int) -> tuple[float, float]:
    """Time a picture of somebody known, and the mean of an endless stream that renews people."""
    rng = np.random.default_rng(1)
    people = [Person.draw(rng) for _ in range(FACES)]
    turn = count()
    known = processor_ms(
        lambda: compose(rng, people[next(turn) % FACES], [], height, width), 4 * FACES
    )
    stream = PictureStream(seed=1)
    for _ in range(6):
        stream.draw(height, width)
    began = time.process_time()
    for _ in range(RUNS):
        stream.draw(height, width)
    return known, 1000 * (time.process_time() - began) / RUNS


def main() -> int:
    cv2.setNumThreads(1)
    table = Table(title="Phantom on one core, milliseconds of processor time")
    table.add_column("")
    rows: dict[str, list[str]] = {}
    for (height, width), budget_ms in BUDGET_MS.items():
        table.add_column(f"{width}×{height}", justify="right")
        table.add_column("in blurs", justify="right")
        yardstick = blur_ms(height, width)
        picture, camera = live_ms(height, width)
        known, streamed = training_ms(height, width)
        measured = {
            "live picture with its truth": picture,
            "its camera": camera,
            "both": picture + camera,
            "budget of both": budget_ms,
            "training picture, known face": known,
            "training picture, stream": streamed,
            "reference: blur, σ 3 px": yardstick,
        }
        for name, ms in measured.items():
            rows.setdefault(name, []).extend([f"{ms:.2f}", f"{ms / yardstick:.1f}"])
    for name, cells in rows.items():
        table.add_row(name, *cells)
    rng = np.random.default_rng(2)
    person_ms = processor_ms(lambda: Person.draw(rng), 8)
    console = Console()
    console.print(table)
    console.print(f"Building a person (once for each): {person_ms:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
