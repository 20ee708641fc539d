"""Your own pictures with label pictures or landmark files beside them."""

import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from thermoseg.errors import ConfigError, FormatError
from trainer.config import FolderConfig
from trainer.landmarks import paint_landmarks, read_landmarks
from trainer.sources import Member, Picture, PictureSet, listed, refuse_leaks
from trainer.thermal_pictures import PICTURE_ENDINGS, read_labels, read_picture

log = logging.getLogger(__name__)

LABELS_SUFFIX: Final = "_labels"
"""Ends the stem of a label picture that lies beside its picture."""

LANDMARK_ENDINGS: Final = (".ljson", ".pts")


@dataclass(frozen=True, slots=True)
class _Pair:
    picture: Path
    truth: Path
    """Label picture or landmark file."""
    subject: str | None


class LabelledFolder:
    """Pictures of a folder and its subfolders, all checked at once at the start."""

    def __init__(self, config: FolderConfig) -> None:
        """List, check and split the folder.

        Raises
        ------
        ConfigError
            If the folder holds no pictures, any of them does not fit (every one is named), or it
            cannot be split.
        """
        self._config = config
        faults: list[str] = []
        pairs = list(_pairs(config.path, config.labels, config, faults))
        ours = len(pairs)
        if config.validation_path is not None:
            pairs += _pairs(config.validation_path, None, config, faults)
        if not pairs and not faults:
            raise ConfigError(
                f"{config.path}: holds no pictures with labels; correct its path or labels"
            )
        contents, faceless = list[bytes](), list[str]()
        for pair in pairs:
            try:
                celsius, labels = _read(pair, config)
            except FormatError as error:
                faults.append(str(error))
                continue
            contents.append(hashlib.blake2b(celsius.tobytes(), digest_size=16).digest())
            if not labels.any():
                faceless.append(str(pair.picture))
        if faults:
            raise ConfigError(
                listed(
                    f"{config.path}: {len(faults)} pictures do not fit; repair or remove them",
                    faults,
                )
            )
        if len(faceless) == len(pairs):
            raise ConfigError(f"{config.path}: no picture has a label but 0; label some faces")
        if faceless:
            log.warning("%s", listed(f"{config.path}: no face is labelled in", faceless))
        self._pairs = pairs
        held_out = _choose_unseen(config, pairs, ours)
        self.members: tuple[Member, ...] = tuple(
            Member(str(pair.picture), "folder", pair.subject, content, unseen)
            for pair, content, unseen in zip(pairs, contents, held_out, strict=True)
        )
        refuse_leaks(self.members)
        self.training = PictureSet(
            self.read, [n for n, unseen in enumerate(held_out) if not unseen]
        )
        kept = [number for number, unseen in enumerate(held_out) if unseen]
        self.unseen: PictureSet | None = PictureSet(self.read, kept) if kept else None

    def __len__(self) -> int:
        return len(self._pairs)

    def sample(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
        """Read one picture to train on at random; see `Source`."""
        return self.training.sample(rng, sitter)

    def read(self, number: int) -> Picture:
        """Read picture `number` and its labels.

        Raises
        ------
        FormatError
            If it has changed since the start and no longer fits.
        """
        return _read(self._pairs[number], self._config)


def _pairs(
    folder: Path, labels: Path | None, config: FolderConfig, faults: list[str]
) -> Iterator[_Pair]:
    """Find the truth and the person of every picture by their names; note what is wrong."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: is no folder; correct its path")
    if labels is not None and not labels.is_dir():
        raise ConfigError(f"{labels}: is no folder; correct its labels")
    taken: dict[Path, Path] = {}
    elsewhere = [path.resolve() for path in (labels, config.validation_path) if path is not None]
    for picture in _pictures(folder, elsewhere):
        name = picture.relative_to(folder)
        candidates = _truths(picture) if labels is None else _truths(labels / name, "")
        if picture in candidates:
            continue
        truths = [path for path in candidates if path.is_file()]
        subject = None
        if config.subject is not None:
            found = re.search(config.subject, name.as_posix())
            if found is None or not found[1]:
                faults.append(
                    f"{picture}: the expression of subject finds nobody in “{name.as_posix()}”; "
                    "correct the expression or move the picture"
                )
                continue
            subject = found[1]
        if len(truths) != 1:
            said = "labels twice" if truths else "no labels"
            options = " or ".join(str(path.name) for path in truths or candidates)
            faults.append(f"{picture}: has {said}; {'keep' if truths else 'add'} {options}")
        elif truths[0] in taken:
            faults.append(f"{picture}: shares its labels with {taken[truths[0]].name}; keep one")
        else:
            taken[truths[0]] = picture
            yield _Pair(picture, truths[0], subject)


def _pictures(folder: Path, elsewhere: list[Path]) -> Iterator[Path]:
    """Walk through the folder in order of names, but not into hidden ones and those elsewhere."""
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be read ({error.strerror}); check its rights"
        ) from error
    # A link may lead back into a folder that it lies in.
    elsewhere = [*elsewhere, folder.resolve()]
    for path in paths:
        if path.is_dir():
            if path.resolve() not in elsewhere:
                yield from _pictures(path, elsewhere)
        elif path.suffix.lower() in PICTURE_ENDINGS and not path.stem.endswith(LABELS_SUFFIX):
            yield path


def _truths(picture: Path, suffix: str = LABELS_SUFFIX) -> list[Path]:
    """List where the truth of a picture may lie."""
    return [
        picture.with_name(f"{picture.stem}{suffix}.png"),
        *(picture.with_name(picture.stem + ending) for ending in LANDMARK_ENDINGS),
    ]


def _read(pair: _Pair, config: FolderConfig) -> Picture:
    celsius = read_picture(pair.picture, config.scale_k, config.offset_c)
    if not np.isfinite(celsius).all():
        raise FormatError(f"{pair.picture}: holds values that are not finite; replace them")
    size = celsius.shape[0], celsius.shape[1]
    if pair.truth.suffix == ".png":
        return celsius, read_labels(pair.truth, size)
    landmarks = read_landmarks(pair.truth, config.first_pixel)
    return celsius, paint_landmarks(pair.truth, landmarks, size)


def _choose_unseen(config: FolderConfig, pairs: list[_Pair], ours: int) -> list[bool]:
    """Say of every picture whether it is kept from training.

    Raises
    ------
    ConfigError
        If a named subject is absent or one side would be empty.
    """
    if config.validation_path is not None:
        chosen = [number >= ours for number in range(len(pairs))]
        for place, unseen in ((config.path, False), (config.validation_path, True)):
            if unseen not in chosen:
                raise ConfigError(f"{place}: holds no pictures with labels; correct its path")
        return chosen
    units = [pair.subject or pair.picture.relative_to(config.path).as_posix() for pair in pairs]
    if config.validation_subjects:
        absent = sorted(set(config.validation_subjects) - set(units))
        if absent:
            raise ConfigError(
                f"{config.path}: nobody is called {', '.join(absent)}; correct validation_subjects"
            )
        held_out = set(config.validation_subjects)
    else:
        held_out = _hold_out(sorted(set(units)), config.validation_share)
    if held_out >= set(units):
        raise ConfigError(
            f"{config.path}: nothing is left to train on, all {len(set(units))} are kept for "
            f"validation; add pictures, or give validation_path or validation_share = 0"
        )
    return [unit in held_out for unit in units]


def _hold_out(units: list[str], fraction: float) -> set[str]:
    """Choose units by a hash of their names, so that new pictures move no older ones."""
    if fraction == 0:
        return set()

    def place(unit: str) -> float:
        digest = hashlib.blake2b(unit.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

    chosen = {unit for unit in units if place(unit) < fraction}
    # With a handful of people the hash may spare all of them, or none.
    return (chosen or {min(units, key=place)}) - (
        {max(units, key=place)} if len(units) > 1 else set()
    )
