"""Where training pictures come from, and how they become batches.

A batch is a function of the configuration and its number alone: which worker makes it, and
whether the run was interrupted before, changes nothing.
"""

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from thermoseg.errors import ConfigError, FormatError
from thermoseg.labels import NUM_CLASSES
from thermoseg.phantom.people import Person
from thermoseg.phantom.training import draw_person, draw_picture
from thermoseg.preprocess import normalise
from trainer.config import FolderConfig, PhantomConfig, SourceConfig, StreamConfig, TrainingConfig
from trainer.contrast import ContrastAug
from trainer.tiaug import TiAug, TiAugConfig

Picture = tuple[NDArray[np.float32], NDArray[np.uint8]]
"""(h, w) °C and (h, w) labels."""

PICTURE_ENDINGS: Final = (".npy", ".png", ".tif", ".tiff", ".jpg", ".jpeg")

WORKER_TIMEOUT_S: Final = 300
"""A worker that gives no batch for so long is taken for dead."""

UPRIGHT: Final = {
    "horizontal_flip": 0.0,
    "vertical_flip": 0.0,
    "rotate": 0.0,
    "resize": 0.0,
    "occlude": 0.0,
    "noise": 0.0,
    "blur": 0.0,
    "hard_border": 0.0,
}
"""TiAug settings that only bring a picture to the network's size."""


PICTURES_PER_SITTER: Final = 8
"""Phantom pictures of one person in a row: a person costs eight times as much as a picture."""


class Source(Protocol):
    """Anything that gives labelled pictures."""

    def sample(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
        """Return one picture that depends on the arguments alone; the caller must not change it.

        Parameters
        ----------
        rng
            Chooses the picture.
        sitter
            Chooses what is costly to make; equal for a few pictures in a row.
        """
        ...


class PhantomSource:
    """The synthetic head, endless or of as many pictures as are wanted."""

    def __init__(self, config: PhantomConfig, height: int, width: int) -> None:
        self.height = height
        self.width = width
        self._config = config
        self._sitter: tuple[int, ...] = ()
        self._person: Person | None = None
        self._kept: dict[tuple[int, ...], Picture] = {}

    def sample(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
        """Render a picture of (height, width), or take one of the `pictures` rendered before.

        Which pictures these are depends on the first number of `sitter`, the seed of the run.
        """
        if self._config.pictures == 0:
            return self._render(rng, sitter)
        number = int(rng.integers(self._config.pictures))
        key = (sitter[0], number)
        if key not in self._kept:
            person = (sitter[0], 3, number // PICTURES_PER_SITTER)
            self._kept[key] = self._render(np.random.default_rng((sitter[0], 4, number)), person)
        return self._kept[key]

    def _render(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
        scene = self._config.scene
        if sitter != self._sitter:
            self._person = draw_person(np.random.default_rng(sitter), scene)
            self._sitter = sitter
        return draw_picture(rng, self.height, self.width, self._person, scene)


class LabelledFolder:
    """Pictures of a folder, each with a PNG of labels 0-5; all are checked at once at the start."""

    def __init__(self, config: FolderConfig) -> None:
        """List and check the folder.

        Raises
        ------
        ConfigError
            If the folder holds no pictures, or any of them does not fit; every one is named.
        """
        self._pairs: list[tuple[Path, Path]] = []
        faults: list[str] = []
        if not config.path.is_dir():
            raise ConfigError(f"{config.path}: is no folder; correct the source's path")
        for path in sorted(config.path.iterdir()):
            if path.suffix.lower() not in PICTURE_ENDINGS or path.stem.endswith("_labels"):
                continue
            truth = (
                config.path / f"{path.stem}_labels.png"
                if config.labels is None
                else config.labels / f"{path.stem}.png"
            )
            if truth == path:
                continue
            try:
                _read_pair(path, truth)
            except FormatError as error:
                faults.append(str(error))
            else:
                self._pairs.append((path, truth))
        if faults:
            listed = "\n  ".join(faults)
            raise ConfigError(
                f"{config.path}: {len(faults)} pictures do not fit; repair or remove\n  {listed}"
            )
        if not self._pairs:
            raise ConfigError(f"{config.path}: holds no pictures with labels; see its settings")

    def __len__(self) -> int:
        return len(self._pairs)

    def sample(
        self,
        rng: np.random.Generator,
        sitter: tuple[int, ...],  # noqa: ARG002 - its people are whoever was recorded
    ) -> Picture:
        """Read one picture at random."""
        return _read_pair(*self._pairs[int(rng.integers(len(self._pairs)))])


class Mixture:
    """Several sources, each with its share."""

    def __init__(self, sources: list[Source], weights: list[float]) -> None:
        self._sources = sources
        self._bounds = np.cumsum(weights) / sum(weights)

    def sample(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
        """Return a picture of one of the sources."""
        chosen = int(np.searchsorted(self._bounds, rng.random(), side="right"))
        return self._sources[min(chosen, len(self._sources) - 1)].sample(rng, sitter)


def open_sources(configs: tuple[SourceConfig, ...], stream: StreamConfig) -> Source:
    """Open every source and mix them.

    Raises
    ------
    ConfigError
        If a folder is missing, empty or does not fit.
    """
    sources: list[Source] = [
        LabelledFolder(config)
        if config.kind == "folder"
        else PhantomSource(config, stream.height, stream.width)
        for config in configs
    ]
    return Mixture(sources, [config.weight for config in configs])


def read_picture(path: Path) -> NDArray[np.float32]:
    """Read a thermal picture: °C from .npy and float TIFF, relative counts from the others.

    Returns
    -------
    (h, w) float32.

    Raises
    ------
    FormatError
        If it cannot be read or is not two-dimensional.
    """
    try:
        if path.suffix.lower() == ".npy":
            values = np.load(path, allow_pickle=False)
        elif path.suffix.lower() in (".tif", ".tiff"):
            values = tifffile.imread(path)
        else:
            values = cv2.imdecode(
                np.fromfile(path, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE
            )
    except (OSError, ValueError, cv2.error, tifffile.TiffFileError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); replace it") from error
    if values is None or values.ndim != 2 or values.size == 0 or values.dtype.kind not in "fiu":
        raise FormatError(f"{path}: holds no single picture of numbers; replace it")
    return np.ascontiguousarray(values, np.float32)


def _read_pair(path: Path, truth: Path) -> Picture:
    celsius = read_picture(path)
    if not truth.is_file():
        raise FormatError(f"{path}: has no labels; add {truth}")
    if not np.isfinite(celsius).all():
        raise FormatError(f"{path}: holds values that are not finite; replace them")
    labels = read_picture(truth)
    if labels.shape != celsius.shape:
        raise FormatError(
            f"{truth}: is {labels.shape} and its picture {celsius.shape}; make them equal"
        )
    if labels.min() < 0 or labels.max() >= NUM_CLASSES:
        raise FormatError(
            f"{truth}: holds labels {labels.min():.0f}-{labels.max():.0f}; "
            f"they must be 0-{NUM_CLASSES - 1}"
        )
    return celsius, labels.astype(np.uint8)


class BatchStream(Dataset[tuple[Tensor, Tensor]]):
    """Batches by their number.

    Batch b belongs to lane b mod `lanes`.  In its lane, item j draws one of the `window` newest
    pictures, of which there is a new one every `repeats` items; pictures are rendered when first
    drawn and kept while they can be drawn again.
    """

    def __init__(self, config: TrainingConfig, *, rank: int = 0, world: int = 1) -> None:
        """Prepare the stream.

        Parameters
        ----------
        config
            Of the run.
        rank, world
            This process among all that train together; each gets its part of a batch that is
            `world` times as large.
        """
        self._config = config
        self._rank, self._world = rank, world
        stream = config.stream
        self._source = open_sources(config.sources, stream)
        size = {"height": stream.height, "width": stream.width}
        self._upright = TiAug(TiAugConfig.model_validate({**UPRIGHT, **size}))
        self._tiaug = (
            self._upright if config.tiaug is None else TiAug(config.tiaug.model_copy(update=size))
        )
        self._contrast = None if config.contrast is None else ContrastAug(config.contrast)
        self._rendered: list[OrderedDict[int, Picture]] = [
            OrderedDict() for _ in range(stream.lanes)
        ]

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Make batch `number`: (n, 1, h, w) float32 and (n, h, w) uint8."""
        lanes, batch = self._config.stream.lanes, self._config.run.batch
        lane, turn = number % lanes, number // lanes
        first = turn * batch * self._world + self._rank * batch
        pictures = [self._item(lane, first + offset) for offset in range(batch)]
        return to_tensors(pictures)

    def _item(self, lane: int, item: int) -> Picture:
        stream = self._config.stream
        rng = np.random.default_rng((self._config.seed, 1, lane, item))
        newest = int(item / stream.repeats)
        back = 0 if stream.repeats == 1 else int(rng.integers(min(stream.window, newest + 1)))
        celsius, labels = self._render(lane, newest - back)
        if rng.random() < stream.augment:
            celsius, labels = self._tiaug(celsius, labels, rng)
            if self._contrast is not None:
                celsius, labels = self._contrast(celsius, labels, rng)
        else:
            celsius, labels = self._upright(celsius, labels, rng)
        method = stream.normalisations[int(rng.integers(len(stream.normalisations)))]
        return normalise(celsius, method), labels

    def _render(self, lane: int, number: int) -> Picture:
        rendered = self._rendered[lane]
        if number not in rendered:
            rng = np.random.default_rng((self._config.seed, 0, lane, number))
            sitter = (self._config.seed, 2, lane, number // PICTURES_PER_SITTER)
            rendered[number] = self._source.sample(rng, sitter)
            while len(rendered) > self._config.stream.window:
                del rendered[min(rendered)]
        return rendered[number]


def validation_pictures(config: TrainingConfig) -> list[Picture]:
    """Make the fixed pictures a run is judged on: as they are first, then as many augmented.

    Returns
    -------
    Normalised pictures (h, w) float32 and labels (h, w) uint8; the first half is plain.
    """
    fixed = config.model_copy(
        update={
            "seed": config.validation.seed,
            "stream": config.stream.model_copy(
                update={
                    "repeats": 1,
                    "lanes": 1,
                    "normalisations": config.stream.normalisations[:1],
                }
            ),
        }
    )
    half = config.validation.pictures // 2
    pictures: list[Picture] = []
    for augment in (0.0, 1.0):
        stream = fixed.stream.model_copy(update={"augment": augment})
        batches = BatchStream(
            fixed.model_copy(
                update={"stream": stream, "run": fixed.run.model_copy(update={"batch": half})}
            )
        )
        images, labels = batches[0]
        pictures += [
            (image[0].numpy(), truth.numpy()) for image, truth in zip(images, labels, strict=True)
        ]
    return pictures


def to_tensors(pictures: list[Picture]) -> tuple[Tensor, Tensor]:
    """Stack normalised pictures into (n, 1, h, w) float32 and (n, h, w) uint8."""
    images = np.stack([picture for picture, _ in pictures])[:, None]
    return torch.from_numpy(images), torch.from_numpy(np.stack([labels for _, labels in pictures]))


class BatchNumbers(Sampler[int]):
    """The numbers of the batches still to come."""

    def __init__(self, first: int) -> None:
        self._first = first

    def __iter__(self) -> Iterator[int]:
        number = self._first
        while True:
            yield number
            number += 1


def open_loader(stream: BatchStream, config: TrainingConfig, first: int) -> DataLoader[Any]:
    """Open the endless sequence of batches from number `first` on."""
    workers = config.stream.workers
    return DataLoader(
        stream,
        batch_size=None,
        sampler=BatchNumbers(first),
        num_workers=workers,
        # Of its own, or the loader would draw from the one that a resumed run must find untouched.
        generator=torch.Generator(),
        worker_init_fn=_start_worker,
        # A forked worker would wait for ever for the thread pools that OpenCV had in its parent.
        multiprocessing_context="spawn" if workers else None,
        timeout=WORKER_TIMEOUT_S if workers else 0,
        prefetch_factor=3 if workers else None,
        persistent_workers=False,
    )


def _start_worker(_: int) -> None:
    # Every core has a process already; threads on top would only get into each other's way.
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
