"""What measuring a face costs on one core, against boolean masks over the whole picture."""

import sys
from itertools import count
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.timing import processor_ms
from thermoseg.face_geometry import find_rois
from thermoseg.frames import Frame, FrameFlag
from thermoseg.inference.segmenter import Segmentation
from thermoseg.labelled_faces import LabelledFaces
from thermoseg.labels import FACE_REGIONS
from thermoseg.measured_face import FaceFollower
from thermoseg.phantom.head import Phantom, Sitter
from thermoseg.rois import RoiMeter

BUDGET_MS: Final = 3.0
"""For a whole `RoiMeter.measure` at 640×512."""
SIZES: Final = ((120, 160), (512, 640))
WHOLE: Final = "finding, measuring and judging all nine"
REFERENCE: Final = "reference: five regions, mask by mask"


def measure_naively(celsius: NDArray[np.float32], labels: NDArray[np.uint8]) -> list[float]:
    """The yardstick: mean, extremes and deviation of the five regions, mask by mask."""
    found = []
    for region in FACE_REGIONS:
        values = celsius[labels == region]
        found += [values.mean(), values.min(), values.max(), values.std()]
    return [float(value) for value in found]


def measure_size(height: int, width: int) -> dict[str, float]:
    """Time everything on one picture of the phantom: milliseconds by name."""
    picture = Phantom(Sitter()).picture(0.0, height, width)
    celsius, labels = picture.celsius, picture.labels
    counts = np.zeros(labels.shape, np.uint16)
    confidence = np.ones(labels.shape, np.float32)
    face = Segmentation(labels, confidence, 0)
    nothing = Segmentation(np.zeros_like(labels), confidence, 0)
    meter, tick = RoiMeter(), count(1)

    def measure(segmentation: Segmentation) -> None:
        index = next(tick)
        frame = Frame(counts, celsius, index, index / 30, 0.0, FrameFlag.NONE)
        meter.measure(frame, segmentation)

    def measure_twice() -> None:
        measure(face)
        measure(nothing)

    whole = processor_ms(lambda: measure(face))
    follower, moment = FaceFollower(), count(1)
    return {
        "telling who is measured": processor_ms(
            lambda: follower.follow(LabelledFaces(labels), next(moment) / 30)
        ),
        "finding all nine": processor_ms(lambda: find_rois(labels)),
        WHOLE: whole,
        "the same while the mask is lost": processor_ms(measure_twice) - whole,
        REFERENCE: processor_ms(lambda: measure_naively(celsius, labels)),
    }


def main() -> int:
    cv2.setNumThreads(1)
    table = Table("", title="Regions on one core, milliseconds of processor time")
    rows: dict[str, list[str]] = {}
    for height, width in SIZES:
        table.add_column(f"{width}×{height}", justify="right")
        table.add_column("in references", justify="right")
        measured = measure_size(height, width)
        for name, ms in measured.items():
            rows.setdefault(name, []).extend([f"{ms:.2f}", f"{ms / measured[REFERENCE]:.2f}"])
    for name, cells in rows.items():
        table.add_row(name, *cells)
    console = Console()
    console.print(table)
    console.print(f"Budget at 640×512: {BUDGET_MS:.0f} ms, now {measured[WHOLE]:.2f} ms")
    return int(measured[WHOLE] > BUDGET_MS)


if __name__ == "__main__":
    sys.exit(main())
