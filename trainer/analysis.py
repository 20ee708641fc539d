"""Effect of TiAug on pictures: Figures 2 and 3 of Joshi et al., BMVC 2022, for any data."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import ConfigError, TrainingError
from thermoseg.preprocess import normalise
from trainer.config import (
    FolderConfig,
    PhantomConfig,
    SourceConfig,
    StreamConfig,
    ThermalFaceDbConfig,
    load_config,
)
from trainer.contact_sheet import overlay_labels, save_sheet
from trainer.datasets import (
    PICTURES_PER_SITTER,
    OpenSource,
    open_sources,
    training_side,
    upright,
)
from trainer.labelled_folder import LabelledFolder
from trainer.metrics import NO_LABEL
from trainer.sources import Picture
from trainer.thermal_face_db import ThermalFaceDb
from trainer.tiaug import TiAug, TiAugConfig

PUBLISHED_BEFORE: Final = (0.27, 0.39, 0.48)
PUBLISHED_AFTER: Final = (-0.04, 0.20, 0.41)
"""Quartiles of Figure 2, read off the box plot: Thermal Face Database, 473 pictures."""
PUBLISHED_WHISKERS: Final = (-0.6, 0.6)
"""Ends of the whiskers of the box after TiAug, same figure."""
BINS: Final = 120
"""Bins of the temperature histograms."""
SHEET_ROWS: Final = 6
SHEET_COLUMNS: Final = 6
"""The picture itself and its augmentations."""
DATABASE_FILES: Final = "*_sub[0-9][0-9][0-9]_*.npy"
"""Pattern of the Thermal Face Database's file names."""


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Face against background in pictures before and after TiAug."""

    before: NDArray[np.float64]
    """(n,) mean of the face less mean of the background, picture stretched to 0-1; NaN where a
    picture has no face or nothing else."""
    after: NDArray[np.float64]
    """(n,) the same of the augmented pictures."""
    edges_c: NDArray[np.float64]
    """(bins + 1,) of the histograms, °C."""
    frequencies_before: NDArray[np.float64]
    """(bins,) fraction of all pixels at each temperature; what lies outside is in the end bins."""
    frequencies_after: NDArray[np.float64]
    """(bins,) the same of the augmented pictures."""


@dataclass(frozen=True, slots=True)
class TiAugData:
    """Pictures of the analysis, and the TiAug applied to them."""

    sources: tuple[SourceConfig, ...]
    stream: StreamConfig
    tiaug: TiAugConfig


def choose_data(data: str) -> TiAugData:
    """Understand `--data`.

    Parameters
    ----------
    data
        "phantom" (its laboratory, which is what TiAug starts from), a folder of labelled pictures
        or of the Thermal Face Database, or a TOML file of a training run.

    Raises
    ------
    ConfigError
        If it is none of these.
    """
    if data == "phantom":
        phantom = PhantomConfig(kind="phantom", scene="laboratory")
        return TiAugData((phantom,), StreamConfig(), TiAugConfig())
    path = Path(data)
    if path.suffix == ".toml":
        config = load_config(path)
        return TiAugData(config.sources, config.stream, config.tiaug or TiAugConfig())
    if not path.is_dir():
        raise ConfigError(f"--data {data}: is no folder and no TOML file; give one, or “phantom”")
    source: SourceConfig = (
        ThermalFaceDbConfig(kind="thermal_face_db", path=path)
        if next(path.glob(DATABASE_FILES), None) is not None
        else FolderConfig(kind="folder", path=path)
    )
    return TiAugData((source,), StreamConfig(), TiAugConfig())


def draw_pairs(data: TiAugData, most: int, seed: int) -> list[tuple[Picture, Picture]]:
    """Take pictures, each upright at the network's size and once augmented, both in °C.

    Parameters
    ----------
    data
        What is looked at.  Of the Thermal Face Database it is the validation side, as in the paper,
        and of a labelled folder all; each picture is taken once.  With the phantom among the
        sources, pictures are drawn as in training, and those of the others may come again.
    most
        So many pictures, or all there are.
    seed
        Seed of the random parameters.

    Raises
    ------
    ConfigError
        If a source does not fit.
    """
    upright, tiaug = _transforms(data)
    return [
        (upright(*picture, rng), tiaug(*picture, rng))
        for picture, rng in _pictures(data, most, seed, 0, PICTURES_PER_SITTER)
    ]


def _pictures(
    data: TiAugData, most: int, seed: int, purpose: int, per_sitter: int
) -> Iterator[tuple[Picture, np.random.Generator]]:
    """Read or draw pictures, each with a generator for what is done to it; see `draw_pairs`."""
    # A generator for each picture, seeded by its number: figures with more pictures begin with
    # those of figures with fewer.  From finite sources they are spread evenly over all subjects
    # instead of taken from the first ones.
    sources = open_sources(tuple(map(_endless, data.sources)), data.stream)
    finite = _finite_pictures(sources)
    chosen = (
        range(most)
        if finite is None
        else np.linspace(0, len(finite) - 1, min(most, len(finite))).round().astype(int).tolist()
    )
    side = training_side(sources)
    for number, index in enumerate(chosen):
        rng = np.random.default_rng((seed, purpose, number))
        if finite is None:
            yield side.sample(rng, (seed, 2 + purpose, 0, number // per_sitter)), rng
        else:
            source, place = finite[index]
            yield source.read(place), rng


def _endless(source: SourceConfig) -> SourceConfig:
    """Let the phantom draw no picture twice."""
    if source.kind == "phantom":
        return source.model_copy(update={"pictures": 0})
    return source


def _finite_pictures(
    sources: Sequence[OpenSource],
) -> list[tuple[LabelledFolder | ThermalFaceDb, int]] | None:
    """List the pictures that are looked at, by source and number; None if one has no end."""
    pictures: list[tuple[LabelledFolder | ThermalFaceDb, int]] = []
    for one in sources:
        match one.source:
            case ThermalFaceDb() as database:
                pictures += [(database, number) for number in database.unseen.numbers]
            case LabelledFolder() as folder:
                pictures += [(folder, number) for number in range(len(folder))]
            case _:
                return None
    return pictures


def face_contrast(celsius: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Return how much warmer the face is than the rest, fraction of the picture's range.

    Parameters
    ----------
    celsius
        (h, w), °C; stretched from its minimum to its maximum to 0-1 first.
    labels
        (h, w); everything but the background is face, and 255 is neither.

    Returns
    -------
    -1 to 1, negative when the face is colder; NaN without a face or without a background.
    """
    background = labels == 0
    face = ~background & (labels != NO_LABEL)
    if not face.any() or not background.any():
        return float("nan")
    picture = normalise(celsius, "minmax") / 2
    return float(picture[face].mean(dtype=np.float64) - picture[background].mean(dtype=np.float64))


def compare(pairs: Sequence[tuple[Picture, Picture]]) -> Contrasts:
    """Measure pictures before and after TiAug."""
    before = [celsius for (celsius, _), _ in pairs]
    after = [celsius for _, (celsius, _) in pairs]
    # One object far out would leave nothing of the histogram but two bars.
    lows = [float(np.percentile(one, 1)) for one in (*before, *after)]
    highs = [float(np.percentile(one, 99)) for one in (*before, *after)]
    low, high = np.percentile(lows, 5), np.percentile(highs, 95)
    edges_c = np.linspace(low, max(high, low + 1e-3), BINS + 1)
    return Contrasts(
        np.array([face_contrast(*one) for one, _ in pairs]),
        np.array([face_contrast(*one) for _, one in pairs]),
        edges_c,
        _frequencies(before, edges_c),
        _frequencies(after, edges_c),
    )


def quartiles(contrasts: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return lower quartile, median and upper quartile of what is not NaN; NaN for nothing."""
    known = contrasts[np.isfinite(contrasts)]
    if not known.size:
        return (float("nan"),) * 3
    low, middle, high = np.percentile(known, (25, 50, 75)).tolist()
    return low, middle, high


def save_analysis(folder: Path, contrasts: Contrasts) -> None:
    """Write `contrast.csv`, `contrast.png` (Figure 2), `histogram.csv`, `histogram.png` (Figure 3).

    Raises
    ------
    TrainingError
        If a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_csv(
            folder / "contrast.csv",
            ("picture", "before", "after"),
            zip(
                range(len(contrasts.before)),
                contrasts.before.tolist(),
                contrasts.after.tolist(),
                strict=True,
            ),
        )
        _write_csv(
            folder / "histogram.csv",
            ("from_c", "to_c", "share_before", "share_after"),
            zip(
                contrasts.edges_c[:-1].tolist(),
                contrasts.edges_c[1:].tolist(),
                contrasts.frequencies_before.tolist(),
                contrasts.frequencies_after.tolist(),
                strict=True,
            ),
        )
        plot_contrasts(folder / "contrast.png", contrasts)
        plot_histograms(folder / "histogram.png", contrasts)
    except OSError as error:
        raise TrainingError(
            f"{folder}: the analysis cannot be written ({error.strerror}); choose another --out"
        ) from error


def save_examples(folder: Path, data: TiAugData, seed: int) -> None:
    """Write `examples.png`: in each row a picture and, beside it, what TiAug makes of it.

    Raises
    ------
    ConfigError
        If a source does not fit.
    TrainingError
        If the file cannot be written.
    """
    upright, tiaug = _transforms(data)
    tiles = []
    for picture, rng in _pictures(data, SHEET_ROWS, seed, 1, 1):
        shown = [upright(*picture, rng)]
        shown += [tiaug(*picture, rng) for _ in range(SHEET_COLUMNS - 1)]
        tiles += [overlay_labels(normalise(celsius, "minmax"), labels) for celsius, labels in shown]
    save_sheet(folder / "examples.png", tiles, SHEET_COLUMNS)


def plot_contrasts(path: Path, contrasts: Contrasts) -> None:
    """Draw the box plot of Figure 2, the published boxes behind."""
    figure, axes = _figure(4.6, 3.4)
    ours = [one[np.isfinite(one)] for one in (contrasts.before, contrasts.after)]
    style = {"widths": 0.3, "patch_artist": True, "medianprops": {"color": "black"}}
    axes.boxplot(
        ours, positions=[0, 1], boxprops={"facecolor": "C0", "alpha": 0.6}, sym=".", **style
    )
    low, middle, high = PUBLISHED_BEFORE
    boxes = [{"q1": low, "med": middle, "q3": high, "whislo": low, "whishi": high}]
    low, middle, high = PUBLISHED_AFTER
    first, last = PUBLISHED_WHISKERS
    boxes.append({"q1": low, "med": middle, "q3": high, "whislo": first, "whishi": last})
    axes.bxp(boxes, positions=[0.4, 1.4], showfliers=False, boxprops={"facecolor": "0.8"}, **style)
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set_xticks(
        [0, 0.4, 1, 1.4],
        ["original", "published", "TiAug", "published"],
        fontsize=8,
    )
    axes.set_ylabel("mean of face − mean of background\n(picture stretched to 0–1)", fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    figure.savefig(path, dpi=90)


def plot_histograms(path: Path, contrasts: Contrasts) -> None:
    """Draw the temperature histograms of Figure 3."""
    figure, axes = _figure(4.6, 3.0)
    for frequencies, label in (
        (contrasts.frequencies_before, "original"),
        (contrasts.frequencies_after, "TiAug"),
    ):
        axes.stairs(100 * frequencies, contrasts.edges_c, fill=True, alpha=0.5, label=label)
    axes.set_xlabel("temperature, °C", fontsize=8)
    axes.set_ylabel("pixels, %", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=90)


def _transforms(data: TiAugData) -> tuple[TiAug, TiAug]:
    """Return what only brings a picture to size, and TiAug at the same size."""
    return upright(data.stream), TiAug(data.tiaug, (data.stream.height, data.stream.width))


def _frequencies(
    pictures: Sequence[NDArray[np.float32]], edges_c: NDArray[np.float64]
) -> NDArray[np.float64]:
    # Clipped to the outermost bins, or pictures hotter than the axis would lose pixels and the
    # frequencies no longer sum to 1.
    counts = np.zeros(len(edges_c) - 1)
    for celsius in pictures:
        counts += np.histogram(np.clip(celsius, edges_c[0], edges_c[-1]), edges_c)[0]
    return np.asarray(counts / counts.sum(), np.float64)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(
            [value if isinstance(value, int) else f"{value:.6g}" for value in row] for row in rows
        )


def _figure(width_in: float, height_in: float) -> tuple[Any, Any]:
    """Make a figure that needs no screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()
