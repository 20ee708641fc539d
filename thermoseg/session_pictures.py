"""What a session leaves behind, as pictures: its traces and some of its masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from thermoseg.image_file import write_image
from thermoseg.overlay import draw_overlay
from thermoseg.recording.reader import Recording

TRACED: Final = ("nostrils", "perinasal")
"""Regions whose temperatures are plotted."""


def plot_traces(recording: Recording, path: Path, regions: Sequence[str] = TRACED) -> None:
    """Plot mean temperatures over time as a PNG; what is not valid stays a gap.

    Parameters
    ----------
    regions
        One plot each, from top to bottom.
    """
    figure = Figure(figsize=(10, 2.6 * len(regions)), layout="constrained")
    FigureCanvasAgg(figure)
    plots = figure.subplots(len(regions), 1, sharex=True, squeeze=False)[:, 0]
    unit = "°C" if recording.info.radiometric else "counts"
    for region, plot in zip(regions, plots, strict=True):
        samples = recording.samples(region)
        mean_c = np.where(samples["valid"], samples["mean_c"], np.nan)
        plot.plot(samples["time_s"], mean_c, linewidth=1.2)
        plot.set_ylabel(f"{region} / {unit}")
        plot.grid(alpha=0.3)
    plots[0].set_title(f"{recording.info.model}, {len(recording)} frames")
    plots[-1].set_xlabel("time / s")
    figure.savefig(path, dpi=120)


def save_masks(recording: Recording, folder: Path, count: int) -> list[Path]:
    """Save `count` segmented frames, evenly spread, as mask and overlay; return the masks.

    Frames that the network skipped have no mask of their own and are not chosen.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    wanted = np.linspace(0, len(recording) - 1, num=count).astype(int) if len(recording) else ()
    for start in wanted:
        for number in range(start, len(recording)):
            labels = recording.labels(number)
            if labels is not None:
                break
        else:
            continue
        path = folder / f"frame_{number:06d}.png"
        if path in written:
            continue
        write_image(path, labels)
        overlay = draw_overlay(recording.frame(number).celsius, labels)
        write_image(path.with_name(f"{path.stem}_overlay.jpg"), overlay[..., ::-1])
        written.append(path)
    return written
