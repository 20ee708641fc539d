"""Protocol of a source of labelled pictures: a side to train on and one to validate on."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import ConfigError

Picture = tuple[NDArray[np.float32], NDArray[np.uint8]]
"""(h, w) °C and (h, w) labels."""

MOST_LISTED: Final = 20
"""Faults on the screen; all of them are in a file."""


class Side(Protocol):
    """Pictures of one side of the split."""

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


class Source(Side, Protocol):
    """Anything that gives labelled pictures; `sample` gives those to learn from."""

    @property
    def unseen(self) -> Side | None:
        """Validation side of the source, or None if nothing is held out."""
        ...


@dataclass(frozen=True, slots=True)
class PictureSet:
    """Finitely many pictures, by number."""

    read: Callable[[int], Picture]
    """Reads the picture of a number."""
    numbers: Sequence[int]
    """Numbers of the pictures that belong to the set."""

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Picture:
        """Read one picture."""
        return self.read(self.numbers[index])

    def sample(
        self,
        rng: np.random.Generator,
        sitter: tuple[int, ...],  # noqa: ARG002 - its people are whoever was recorded
    ) -> Picture:
        """Read one picture at random."""
        return self[int(rng.integers(len(self.numbers)))]


@dataclass(frozen=True, slots=True)
class Member:
    """One picture of a source as the split sees it."""

    name: str
    """Path, for messages."""
    people: str
    """Numbering of the people; the same `subject` of the same `people` is the same person."""
    subject: str | None
    """Person in the picture, if known."""
    content: bytes
    """Digest of the pixels, empty if it was not taken."""
    unseen: bool
    """Whether it is kept from training."""


def refuse_leaks(members: Iterable[Member]) -> None:
    """Make sure that nobody, and no picture, is on both sides of the split.

    Raises
    ------
    ConfigError
        If somebody is; names all of them.
    """
    sides: dict[tuple[str, str | bytes], tuple[list[str], list[str]]] = {}
    for member in members:
        keys: list[tuple[str, str | bytes]] = []
        if member.subject is not None:
            keys.append((member.people, member.subject))
        if member.content:
            keys.append(("picture", member.content))
        for key in keys:
            sides.setdefault(key, ([], []))[member.unseen].append(member.name)
    faults = [
        f"{'the same picture' if isinstance(who, bytes) else f'subject {who}'}: "
        f"{learnt[0]} trains, {held_out[0]} validates"
        for (_, who), (learnt, held_out) in sides.items()
        if learnt and held_out
    ]
    if faults:
        raise ConfigError(
            listed(
                f"{len(faults)} people or pictures are on both sides of the split; "
                f"set subject and validation_subjects of the sources so that each is on one",
                faults,
            )
        )


def listed(sentence: str, faults: Sequence[str]) -> str:
    """Put a list behind a sentence; one that is too long for a screen goes to a file as well.

    Parameters
    ----------
    sentence
        Without its full stop.
    faults
        One line each.
    """
    shown = "".join(f"\n  {fault}" for fault in faults[:MOST_LISTED])
    if len(faults) <= MOST_LISTED:
        return f"{sentence}:{shown}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="thermoseg-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write("".join(f"{fault}\n" for fault in faults))
    except OSError:
        # With no place for the file, the screen has to do.
        return f"{sentence}:" + "".join(f"\n  {fault}" for fault in faults)
    return f"{sentence}; all are listed in {Path(file.name)}:{shown}\n  …"
