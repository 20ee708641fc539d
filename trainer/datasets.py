"""Where training pictures come from, and how they become batches.

A batch is a function of the configuration and its number alone: which worker makes it, and
whether the run was interrupted before, changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from thermoseg.errors import ConfigError, ThermoSegError
from thermoseg.phantom.people import Person
from thermoseg.phantom.training import draw_person, draw_picture
from thermoseg.preprocess import normalise
from trainer.config import PhantomConfig, SourceConfig, StreamConfig, TrainingConfig
from trainer.degradation import Degradation
from trainer.labelled_folder import LabelledFolder
from trainer.sources import Picture, PictureSet, Side, Source, refuse_leaks
from trainer.thermal_face_db import ThermalFaceDb
from trainer.tiaug import TiAug, without_randomness

WORKER_TIMEOUT_S: Final = 300
"""A worker that gives no batch for so long is taken for dead."""

PICTURES_PER_SITTER: Final = 8
"""Phantom pictures of one person in a row: a person costs eight times as much as a picture."""


class PhantomSource:
    """The synthetic head, endless or of as many pictures as are wanted."""

    def __init__(self, config: PhantomConfig, height: int, width: int) -> None:
        self.height = height
        self.width = width
        self._config = config
        self._sitter: tuple[int, ...] = ()
        self._person: Person | None = None
        self._kept: dict[tuple[int, ...], Picture] = {}

    @property
    def unseen(self) -> Side:
        """Itself: another seed gives other people."""
        return self

    def sample(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
        """Render a picture of (height, width), or take one of the `pictures` rendered before.

        Which pictures these are depends on the first number of `sitter`, the seed of the run.
        """
        if self._config.pictures == 0:
            return self._render(rng, sitter)
        number = int(rng.integers(self._config.pictures))
        if (sitter[0], number) not in self._kept:
            for one in _of_one_sitter(number):
                if one < self._config.pictures:
                    person = (sitter[0], 3, one // PICTURES_PER_SITTER)
                    own = np.random.default_rng((sitter[0], 4, one))
                    self._kept[sitter[0], one] = self._render(own, person)
        return self._kept[sitter[0], number]

    def _render(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
        scene = self._config.scene
        if sitter != self._sitter:
            self._person = draw_person(np.random.default_rng(sitter), scene)
            self._sitter = sitter
        return draw_picture(rng, self.height, self.width, self._person, scene)


class Mixture:
    """Several sources, each with its weight."""

    def __init__(self, sources: Sequence[Side], weights: Sequence[float]) -> None:
        self._sources = tuple(sources)
        self._bounds = np.cumsum(weights) / sum(weights)

    def sample(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
        """Return a picture of one of the sources."""
        chosen = int(np.searchsorted(self._bounds, rng.random(), side="right"))
        return self._sources[min(chosen, len(self._sources) - 1)].sample(rng, sitter)


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source of the configuration, opened and checked."""

    name: str
    """Kind and folder, different for each."""
    source: Source
    weight: float


def open_sources(configs: tuple[SourceConfig, ...], stream: StreamConfig) -> tuple[OpenSource, ...]:
    """Open every source.

    Raises
    ------
    ConfigError
        If a folder is missing or empty, anything in it does not fit, or somebody is on both sides
        of the split.
    """
    opened: list[OpenSource] = []
    for number, config in enumerate(configs):
        try:
            source = _open_source(config, stream)
        except ConfigError as error:
            raise ConfigError(f"sources.{number}: {error}") from error
        name = config.kind if config.kind == "phantom" else f"{config.kind} {config.path.name}"
        same = sum(one.name.partition(" #")[0] == name for one in opened)
        name = f"{name} #{same + 1}" if same else name
        opened.append(OpenSource(name, source, config.weight))
    refuse_leaks(
        member
        for one in opened
        if isinstance(one.source, LabelledFolder | ThermalFaceDb)
        for member in one.source.members
    )
    return tuple(opened)


def _open_source(config: SourceConfig, stream: StreamConfig) -> Source:
    match config.kind:
        case "phantom":
            return PhantomSource(config, stream.height, stream.width)
        case "folder":
            return LabelledFolder(config)
        case "thermal_face_db":
            return ThermalFaceDb(config)


def training_side(sources: Sequence[OpenSource]) -> Side:
    """Mix what the sources give to learn from."""
    return Mixture([one.source for one in sources], [one.weight for one in sources])


class BatchStream(Dataset[tuple[Tensor, Tensor]]):
    """Batches by their number.

    Batch b belongs to lane b mod `lanes`.  In its lane, item j draws one of the `window` newest
    pictures, of which there is a new one every `repeats` items; pictures are rendered when one of
    the same sitter is first drawn, and kept while they can be drawn again.
    """

    def __init__(
        self, config: TrainingConfig, side: Side | None = None, *, rank: int = 0, world: int = 1
    ) -> None:
        """Prepare the stream.

        Parameters
        ----------
        config
            Settings of the run.
        side
            Where pictures come from; None opens the sources of `config` to train on them.
        rank, world
            This process among all that train together; each gets its part of a batch that is
            `world` times as large.

        Raises
        ------
        ConfigError
            If a source does not fit.
        """
        self._config = config
        self._rank, self._world = rank, world
        stream = config.stream
        self._side = side or training_side(open_sources(config.sources, stream))
        size = stream.height, stream.width
        self._upright = upright(stream)
        self._tiaug = self._upright if config.tiaug is None else TiAug(config.tiaug, size)
        self._contrast = None if config.contrast is None else Degradation(config.contrast)
        self._rendered: list[dict[int, Picture]] = [{} for _ in range(stream.lanes)]

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
        reach = 1 if stream.repeats == 1 else min(stream.window, newest + 1)
        back = 0 if stream.repeats == 1 else int(rng.integers(reach))
        celsius, labels = self._picture(lane, newest - back, newest - reach + 1)
        if rng.random() < stream.augment:
            celsius, labels = self._tiaug(celsius, labels, rng)
            if self._contrast is not None:
                celsius, labels = self._contrast(celsius, labels, rng)
        else:
            celsius, labels = self._upright(celsius, labels, rng)
        method = stream.normalisations[int(rng.integers(len(stream.normalisations)))]
        return normalise(celsius, method), labels

    def _picture(self, lane: int, number: int, oldest: int) -> Picture:
        """Return picture `number` of a lane, whose pictures before `oldest` are no longer drawn."""
        rendered = self._rendered[lane]
        if number not in rendered:
            for gone in [kept for kept in rendered if kept < oldest]:
                del rendered[gone]
            # Drawn in any order, pictures of one sitter would each build that person anew.
            repeating = self._config.stream.repeats > 1
            for one in _of_one_sitter(number) if repeating else (number,):
                if one >= oldest and one not in rendered:
                    rng = np.random.default_rng((self._config.seed, 0, lane, one))
                    sitter = (self._config.seed, 2, lane, one // PICTURES_PER_SITTER)
                    rendered[one] = self._side.sample(rng, sitter)
        return rendered[number]


def _of_one_sitter(number: int) -> range:
    """Return the numbers of the pictures that show whom picture `number` shows."""
    first = number - number % PICTURES_PER_SITTER
    return range(first, first + PICTURES_PER_SITTER)


def validation_sets(
    config: TrainingConfig, sources: Sequence[OpenSource] | None = None
) -> dict[str, list[Picture]]:
    """Make the fixed pictures a run is validated on; none of them is trained on.

    Parameters
    ----------
    sources
        If they are open already.

    Returns
    -------
    "plain": every picture that folders and data sets keep from training, and some of the phantom's;
    "augmented": some of them all, augmented as in training; with several sources, the plain ones
    of each by its name.  Pictures are normalised, (h, w) float32, with labels (h, w) uint8.

    Raises
    ------
    ConfigError
        If a source does not fit, or nothing is kept from training.
    """
    if sources is None:
        sources = open_sources(config.sources, config.stream)
    unseen = {one.name: one.source.unseen for one in sources}
    kept = {name: side for name, side in unseen.items() if side is not None}
    if not kept:
        raise ConfigError(
            "sources: keep no picture to validate on; set validation_share or validation_path of "
            "one of them"
        )
    half = config.validation.pictures // 2
    endless = sum(not isinstance(side, PictureSet) for side in kept.values())
    plain = {
        name: _plain_pictures(config, side)
        if isinstance(side, PictureSet)
        else _draw_pictures(config, side, max(1, half // endless), augment=0.0)
        for name, side in kept.items()
    }
    mixture = Mixture(list(kept.values()), [one.weight for one in sources if one.name in kept])
    sets = {
        "plain": [picture for pictures in plain.values() for picture in pictures],
        "augmented": _draw_pictures(config, mixture, half, augment=1.0),
    }
    return sets | plain if len(plain) > 1 else sets


def _plain_pictures(config: TrainingConfig, kept: PictureSet) -> list[Picture]:
    """Bring the pictures of a set to the network's size, or evenly spaced ones of too many."""
    stream = config.stream
    fit = upright(stream)
    count = min(len(kept), config.validation.most)
    chosen = np.linspace(0, len(kept) - 1, count).round().astype(int)
    pictures: list[Picture] = []
    for index in chosen.tolist():
        celsius, labels = fit(*kept[index], np.random.default_rng(0))
        pictures.append((normalise(celsius, stream.normalisations[0]), labels))
    return pictures


def _draw_pictures(
    config: TrainingConfig, side: Side, count: int, *, augment: float
) -> list[Picture]:
    """Draw pictures with the seed of the validation."""
    changed = {
        "repeats": 1,
        "lanes": 1,
        "normalisations": config.stream.normalisations[:1],
        "augment": augment,
    }
    fixed = config.model_copy(
        update={
            "seed": config.validation.seed,
            "stream": config.stream.model_copy(update=changed),
            "run": config.run.model_copy(update={"batch": count}),
        }
    )
    images, labels = BatchStream(fixed, side)[0]
    return [(image[0].numpy(), truth.numpy()) for image, truth in zip(images, labels, strict=True)]


def upright(stream: StreamConfig) -> TiAug:
    """Return what only brings a picture to the network's size."""
    return TiAug(without_randomness(), (stream.height, stream.width))


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


def open_loader(
    stream: BatchStream, config: TrainingConfig, first: int, *, pin_memory: bool = False
) -> DataLoader[Any]:
    """Open the endless sequence of batches from number `first` on.

    Parameters
    ----------
    stream
        Makes them.
    config
        Settings of the run.
    first
        Number of the first batch.
    pin_memory
        Whether batches lie in memory that a GPU copies from while the program goes on.
    """
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
        pin_memory=pin_memory,
    )


def next_batch(batches: Iterator[Any]) -> tuple[Tensor, Tensor]:
    """Wait for a batch; an error of a source in another process loses that one's traceback."""
    try:
        images, labels = next(batches)
    except ThermoSegError as error:
        said = str(error).strip().splitlines()[-1]
        name = type(error).__name__
        raise type(error)(said.partition(f"{name}: ")[2] or said) from error
    return images, labels


def _start_worker(_: int) -> None:
    # Every core has a process already; threads on top would only get into each other's way.
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
