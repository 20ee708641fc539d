"""A table of Joshi et al., BMVC 2022, as it came out here, beside theirs: CSV, Markdown, a plot."""

import csv
import io
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import TrainingError
from thermoseg.labels import Region
from thermoseg.whole_file import write_whole
from trainer.metrics import Confusion
from trainer.published import Row

COLUMN_NAMES: Final = {
    "bce": "BCE",
    "dice": "DICE",
    "seg_an": "SegAN",
    "seg_gan": "SegGAN",
    "rmi": "RMI",
    "contrastive": "ContrastiveSeg",
    "sam_cl": "SAM-CL",
    "tiaug": "TiAug",
}
"""As the paper writes them."""
ABLATION: Final = 2
"""Number of the table whose rows build on one another."""
NETWORK_NAMES: Final = {
    "unet": "U-Net",
    "attention_unet": "Attention U-Net",
    "hrnetv2_w48": "HRNetV2-W48",
    "deeplabv3plus_resnet101": "DeepLabV3+ ResNet-101",
    "deeplabv3plus_xception65": "DeepLabV3+ Xception-65",
}
"""As the paper writes them."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One run, evaluated with one kind of weights on one set."""

    row: Row
    seed: int
    set_name: str
    """Name of the set."""
    weights: str
    """"final", or "averaged" over the run's end."""
    counts: NDArray[np.int64]
    """(truth, prediction), pixels."""
    iterations: int
    minutes: float
    """Duration of training, minutes."""

    @property
    def percents(self) -> dict[str, float]:
        """Return the intersection over union of each region and the background, %; NaN if absent.

        "mean" is that of the face regions, "mean_with_background" has the background with them.
        """
        confusion = Confusion()
        confusion.counts = self.counts
        scores = confusion.scores()
        regions = {Region.BACKGROUND.label: scores.background, **scores.iou}
        known = [value for value in regions.values() if not math.isnan(value)]
        return {
            "mean": 100 * scores.mean_iou,
            "mean_with_background": 100 * statistics.fmean(known),
            **{name: 100 * value for name, value in regions.items()},
        }

    def __str__(self) -> str:
        return f"mIoU {self.percents['mean']:.2f} % ({self.set_name}, {self.weights} weights)"


def write_report(
    folder: Path,
    number: int,
    rows: Sequence[Row],
    results: Sequence[Result],
    set_names: Sequence[str],
) -> None:
    """Write `table-N.csv`, `table-N.md` and `table-N.png`; without results, nothing.

    Parameters
    ----------
    folder
        Where; exists or is made.
    number
        Number of the table.
    rows
        In the order they are shown.
    results
        Results of all runs that are finished.
    set_names
        Names of the sets, the headline first.

    Raises
    ------
    TrainingError
        If a file cannot be written.
    """
    if not results:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = csv_text(results)
        write_whole(folder / f"table-{number}.csv", text.encode())
        text = markdown_text(number, rows, results, set_names)
        write_whole(folder / f"table-{number}.md", text.encode())
        plot_table(folder / f"table-{number}.png", rows, results, set_names)
    except OSError as error:
        raise TrainingError(
            f"{folder}: the table cannot be written ({error.strerror}); free space or rights"
        ) from error


def csv_text(results: Sequence[Result]) -> str:
    """Return one line for each run, set and kind of weights; overlaps in percent."""
    lines: list[dict[str, Any]] = [
        {
            "network": one.row.network,
            "learning": one.row.learning,
            "seed": one.seed,
            "set": one.set_name,
            "weights": one.weights,
            **{f"{name}_percent": f"{value:.3f}" for name, value in one.percents.items()},
            "published_percent": one.row.published_percent or "",
            "iterations": one.iterations,
            "minutes": f"{one.minutes:.2f}",
        }
        for one in results
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def markdown_text(
    number: int, rows: Sequence[Row], results: Sequence[Result], set_names: Sequence[str]
) -> str:
    """Return the table for each set and, of Table 2, what each step gained with the same seeds."""
    weights = _shown_weights(results)
    parts = [
        f"Table {number}: mean intersection over union of the five face regions, %; "
        f"mean ± standard deviation over seeds ({weights} weights)."
    ]
    for name in set_names:
        chosen = [one for one in results if (one.set_name, one.weights) == (name, weights)]
        if chosen:
            parts += [f"**{name}**", _grid(rows, chosen, published=False)]
    parts += ["**published** (Thermal Face Database)", _grid(rows, results, published=True)]
    gains = _gains(rows, [one for one in results if one.weights == weights], set_names)
    # Table 1 has one loss beside the other; only in Table 2 does each add to the one before.
    if gains and number == ABLATION:
        parts += ["Gain of each step over the one before, same seeds, percentage points:", gains]
    return "\n\n".join(parts) + "\n"


def plot_table(
    path: Path, rows: Sequence[Row], results: Sequence[Result], set_names: Sequence[str]
) -> None:
    """Draw means, spread and every seed, one panel for each set, and the published beside."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    weights = _shown_weights(results)
    networks = list(dict.fromkeys(row.network for row in rows))
    columns = list(dict.fromkeys(row.learning for row in rows))
    figure = Figure(figsize=(4.2 * (len(set_names) + 1), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(set_names) + 1, squeeze=False)[0]
    width = 0.8 / len(columns)
    for panel, name in zip(panels, [*set_names, "published"], strict=True):
        for index, learning in enumerate(columns):
            for place, network in enumerate(networks):
                values = _values(results, network, learning, name, weights)
                if name == "published":
                    values = [
                        row.published_percent
                        for row in rows
                        if (row.network, row.learning) == (network, learning)
                        and row.published_percent is not None
                    ]
                if not values:
                    continue
                x = place + (index - (len(columns) - 1) / 2) * width
                mean, spread = _mean_spread(values)
                panel.errorbar(x, mean, spread, fmt="o", color=f"C{index}", capsize=3)
                panel.plot([x] * len(values), values, "_", color=f"C{index}", markersize=5)
        panel.set_xlim(-0.5, len(networks) - 0.5)
        panel.grid(axis="y", alpha=0.3)
        panel.set_xticks(range(len(networks)), [network_name(one) for one in networks], fontsize=7)
        panel.set_title(f"{name}, mIoU %", fontsize=9)
        panel.tick_params(axis="y", labelsize=7)
    named = [
        Line2D([], [], color=f"C{index}", marker="o", linestyle="", label=column_name(learning))
        for index, learning in enumerate(columns)
    ]
    figure.legend(handles=named, fontsize=7, ncols=len(named), loc="outside lower center")
    figure.savefig(path, dpi=100)


def column_name(learning: str) -> str:
    """Write a learning strategy as the paper does."""
    return " + ".join(COLUMN_NAMES[part] for part in learning.split("+"))


def network_name(network: str) -> str:
    """Write a network as the paper does."""
    return NETWORK_NAMES.get(network, network)


def _grid(rows: Sequence[Row], results: Sequence[Result], *, published: bool) -> str:
    columns = list(dict.fromkeys(row.learning for row in rows))
    by_name = {row.name: row for row in rows}
    lines = [
        "| network | " + " | ".join(map(column_name, columns)) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for network in dict.fromkeys(row.network for row in rows):
        cells = []
        for learning in columns:
            row = by_name.get(f"{network}/{learning}")
            percent = None if row is None else row.published_percent
            values = [one.percents["mean"] for one in results if one.row == row]
            if published:
                cells.append("" if percent is None else f"{percent:.2f}")
            else:
                cells.append(_cell(values))
        lines.append(f"| {network_name(network)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _gains(rows: Sequence[Row], results: Sequence[Result], set_names: Sequence[str]) -> str:
    """Compare rows of one network with the row before, seed by seed."""
    lines = []
    for name in set_names:
        for before, after in pairwise(rows):
            if before.network != after.network:
                continue
            first, second = (
                {
                    one.seed: one.percents["mean"]
                    for one in results
                    if one.row == row and one.set_name == name
                }
                for row in (before, after)
            )
            gains = [second[seed] - first[seed] for seed in first if seed in second]
            if not gains:
                continue
            theirs = ""
            if before.published_percent is not None and after.published_percent is not None:
                theirs = f"{after.published_percent - before.published_percent:+.2f}"
            mean, spread = _mean_spread(gains)
            said = f"{mean:+.2f}" + (f" ± {spread:.2f}" if len(gains) > 1 else "")
            step = f"{column_name(before.learning)} → {column_name(after.learning)}"
            lines.append(f"| {name} | {network_name(after.network)} | {step} | {said} | {theirs} |")
    head = ["| set | network | step | here | published |", "|---|---|---|---|---|"]
    return "\n".join(head + lines) if lines else ""


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "–"
    mean, spread = _mean_spread(values)
    return f"{mean:.2f}" + (f" ± {spread:.2f}" if len(values) > 1 else "")


def _mean_spread(values: Sequence[float]) -> tuple[float, float]:
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def _values(
    results: Sequence[Result], network: str, learning: str, set_name: str, weights: str
) -> list[float]:
    return [
        one.percents["mean"]
        for one in results
        if (one.row.network, one.row.learning, one.set_name, one.weights)
        == (network, learning, set_name, weights)
    ]


def _shown_weights(results: Sequence[Result]) -> str:
    """Return "averaged" where every run has averaged weights, else "final"."""
    averaged = {(one.row, one.seed) for one in results if one.weights == "averaged"}
    everything = {(one.row, one.seed) for one in results}
    return "averaged" if averaged == everything else "final"
