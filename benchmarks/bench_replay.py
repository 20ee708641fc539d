"""An hour's session opened, and a frame anywhere in it read, beside what HDF5 alone needs.

In processor time, which other programs disturb least; the files lie in memory by then.
"""

import random
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

import h5py
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.timing import processor_ms
from thermoseg.frames import CameraInfo
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.radiometry import LinearRadiometry
from thermoseg.recorded_frames import open_by_number
from thermoseg.recording.header import describe_session
from thermoseg.recording.layout import (
    LIBVER,
    REGIONS,
    SAMPLE,
    append,
    create_datasets,
    samples_of,
    set_closing_attributes,
    tables_of,
)

HEIGHT: Final = 512
WIDTH: Final = 640
RATE_HZ: Final = 30.0
FRAMES: Final = 108_000
"""One hour; each has a mask and samples of every region."""

OPENING_LIMIT_MS: Final = 1000.0
FRAME_LIMIT_MS: Final = 50.0
"""What a user may wait for, beside which the figures are printed."""


def make_session(path: Path, frames: int = FRAMES) -> Path:
    """Write a session whose pictures are packed once, and stored again and again."""
    info = CameraInfo("Made", "", WIDTH, HEIGHT, RATE_HZ, LinearRadiometry(0.01), live=True)
    identity = ModelIdentity("made", "0" * 64, "none")
    rows = np.mgrid[:HEIGHT, :WIDTH][0]
    pictures = {
        "frames/counts": (30_000 + rows).astype(np.uint16),
        "labels/labels": np.where(rows > HEIGHT // 2, 5, 0).astype(np.uint8),
    }
    with h5py.File(path, "w", libver=LIBVER) as file:
        file.attrs.update(describe_session(info, "made:", identity, REGIONS, {}))
        datasets = create_datasets(file, HEIGHT, WIDTH)
        for name, picture in pictures.items():
            dataset = datasets[name]
            dataset.resize(frames, axis=0)
            dataset[0] = picture
            file.flush()
            skipped, packed = dataset.id.read_direct_chunk((0, 0, 0))
            for row in range(1, frames):
                dataset.id.write_direct_chunk((row, 0, 0), packed, skipped)
        index = np.arange(frames)
        for name in ("frames/index", "labels/frame_index"):
            append(datasets[name], index)
        for name in ("frames/time_s", "frames/wall_time", "frames/monotonic_s", "labels/time_s"):
            append(datasets[name], index / RATE_HZ)
        append(datasets["frames/flags"], np.zeros(frames))
        append(datasets["reasons"], [b""])
        samples = np.zeros(frames, SAMPLE)
        samples["frame_index"], samples["time_s"] = index, index / RATE_HZ
        for region in REGIONS:
            append(datasets[samples_of(region)], samples)
        counts = {"captured": frames, "recorded": frames, "dropped": 0, "missed": 0}
        set_closing_attributes(file, "stopped", counts)
    return path


def measure_opening(path: Path, runs: int = 7) -> tuple[float, float]:
    """Milliseconds to open a session, and to open it with HDF5 and read all of its tables."""

    def alone() -> None:
        with h5py.File(path) as file:
            for name in tables_of(REGIONS):
                file[name][...]

    return processor_ms(lambda: open_by_number(path).close(), runs), processor_ms(alone, runs)


def measure_frames(path: Path, runs: int = 60) -> dict[str, tuple[float, float]]:
    """Milliseconds of a frame anywhere in a session, and of the same chunk by HDF5 alone."""
    draw = random.Random(0)
    with closing(open_by_number(path)) as frames, h5py.File(path) as plain:
        counts, labels = plain["frames/counts"], plain["labels/labels"]
        count = len(frames)

        def everything() -> None:
            index = draw.randrange(count)
            frames.frame(index)
            frames.labels(index)
            frames.samples(index)

        chunk_ms = processor_ms(lambda: counts[draw.randrange(count)], runs)
        both_ms = processor_ms(
            lambda: (counts[(index := draw.randrange(count))], labels[index]), runs
        )
        frame_ms = processor_ms(lambda: frames.frame(draw.randrange(count)), runs)
        return {
            "a frame, in °C": (frame_ms, chunk_ms),
            "a frame with mask and samples": (processor_ms(everything, runs), both_ms),
        }


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = make_session(Path(folder) / "hour.h5")
        rows = {"opening it": (*measure_opening(path), OPENING_LIMIT_MS)}
        for name, (ours_ms, reference_ms) in measure_frames(path).items():
            rows[name] = ours_ms, reference_ms, FRAME_LIMIT_MS
    title = f"An hour of {WIDTH}×{HEIGHT}, {FRAMES} frames, processor time"
    table = Table("", "ms", "in references", "limit, ms", title=title)
    for name, (ours_ms, reference_ms, limit_ms) in rows.items():
        ratio = ours_ms / reference_ms
        table.add_row(name, f"{ours_ms:.1f}", f"{ratio:.2f}", f"{limit_ms:.0f}")
    console = Console()
    console.print(table)
    console.print("References: h5py reads all tables; h5py reads the same chunks.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
