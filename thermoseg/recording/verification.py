"""Reads everything of a session, or of an analysis of one, and tells whether it is sound.

Every chunk of every picture and table is read, which verifies its checksum; pictures one by one,
so that an hour's file takes no more memory than a short one.
"""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from thermoseg.errors import AnalysisError, FormatError
from thermoseg.recording.analysis_file import AnalysisFile, is_analysis
from thermoseg.recording.layout import PICTURES, tables_of
from thermoseg.recording.manifest import compare_manifest
from thermoseg.recording.opening import OpenSession, naming, open_leniently
from thermoseg.recording.reader import Recording
from thermoseg.recording.soundness import are_regions
from thermoseg.recording.strangers import unknown_datasets
from thermoseg.recording.tables import HDF5_ERRORS, why_not_read

_LABELS: Final = "labels/labels"
_BLOCK_BYTES: Final = 16_000_000
"""Read at once of a dataset that is not known."""


class State(StrEnum):
    """State that a session file was found in."""

    SOUND = "sound"
    UNFINISHED = "unfinished"
    """Nothing is damaged; the end is that of a crash."""
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Findings in one file."""

    path: Path
    state: State
    finished: bool
    being_recorded: bool
    """Whether a living process writes it, so that only what has reached the disk was looked at."""
    rows: dict[str, int]
    """Rows looked at, by name of the dataset."""
    damaged: dict[str, int]
    """Rows that cannot be read, by name of the dataset; without those that have none."""
    problems: tuple[str, ...]
    """A sentence each; empty if the file is sound."""
    analysis_of: str = ""
    """Name of the session's file if this is an analysis of one; empty if it is a session."""


def verify(path: Path) -> Verdict:
    """Read everything of the file `path`, a session or an analysis; it is not changed."""
    if is_analysis(path):
        return _verify_analysis(path)
    try:
        with Recording(path) as recording:
            problems = list(recording.problems)
        usable = True
    except FormatError as refusal:
        problems, usable = [str(refusal)], False
    try:
        with open_leniently(path) as session, naming(path):
            return _Examination(session, problems).verdict(State.UNREADABLE if not usable else None)
    except FormatError as refusal:
        sentences = tuple(dict.fromkeys([*problems, str(refusal)]))
        return Verdict(path, State.UNREADABLE, False, False, {}, {}, sentences)


def _verify_analysis(path: Path) -> Verdict:
    """Read the masks of an analysis; its tables are read, and checked, when it is opened."""
    try:
        analysis = AnalysisFile(path)
    except AnalysisError as refusal:
        return Verdict(path, State.UNREADABLE, False, False, {}, {}, (str(refusal),))
    problems = []
    with closing(analysis):
        for row in range(len(analysis)):
            try:
                analysis.labels_in_row(row)
            except FormatError as fault:
                problems.append(str(fault))
        state = State.DAMAGED if problems else State.SOUND
        damaged = {_LABELS: len(problems)} if problems else {}
        of, rows = analysis.header.session_name, {_LABELS: len(analysis)}
    return Verdict(path, state, True, False, rows, damaged, tuple(problems), of)


class _Examination:
    """One file under examination."""

    def __init__(self, session: OpenSession, problems: list[str]) -> None:
        self._session = session
        self._rows: dict[str, int] = {}
        self._damaged: Counter[str] = Counter()
        self._problems = problems

    def verdict(self, state: State | None) -> Verdict:
        """Read everything, add it to what was found at opening, and tell.

        Parameters
        ----------
        state
            What the file is for certain; None if that is to be found out.
        """
        session = self._session
        for name in PICTURES:
            self._read_pictures(name)
        types = tables_of(session.attributes.regions())
        for name, dtype in types.items():
            stored = session.stored(name, dtype)
            self._rows[name] = len(stored.values)
            self._damaged[name] += stored.damaged
        self._read_strangers({*PICTURES, *types})
        if session.finished:
            session_id = session.attributes.described("session_id", str, [])
            self._problems += compare_manifest(session.path, session_id)
        found = State.DAMAGED if self._problems else State.SOUND
        if not session.finished and not session.being_recorded:
            found = State.DAMAGED if self._problems else State.UNFINISHED
            self._problems.append(
                f"it was never finished (a crash?); try: thermoseg recover {session.path}"
            )
        return Verdict(
            session.path,
            state or found,
            session.finished,
            session.being_recorded,
            self._rows,
            {name: number for name, number in self._damaged.items() if number},
            tuple(dict.fromkeys(self._problems)),
        )

    def _read_pictures(self, name: str) -> None:
        session = self._session
        index = session.stored(*self._numbers_of(name))
        held = min(session.picture_count(name), len(index.values))
        lost, strange = [], []
        for row in range(held):
            picture = session.picture(name, row)
            if picture is None:
                lost.append(row)
            elif name == _LABELS and not are_regions(picture, newer=session.newer):
                strange.append(row)
        if not session.finished:
            # What a crash leaves at the end was never whole.
            while lost and lost[-1] == held - 1:
                held -= 1
                lost.pop()
        self._rows[name] = held
        self._damaged[name] += len(lost)
        if lost:
            self._problems.append(
                f"{name}: {len(lost)} of {held} pictures are damaged (first: {lost[0]})"
            )
        if strange:
            self._problems.append(
                f"{name}: {len(strange)} of {held} pictures hold labels of no region (first: "
                f"{strange[0]})"
            )

    def _numbers_of(self, name: str) -> tuple[str, np.dtype[Any]]:
        numbers = "frames/index" if name == "frames/counts" else "labels/frame_index"
        return numbers, tables_of(())[numbers]

    def _read_strangers(self, known: set[str]) -> None:
        losses: list[str] = []
        for name, dataset in unknown_datasets(self._session.file, known, losses):
            try:
                refusal = why_not_read(dataset)
                if refusal:
                    self._problems.append(f"unknown dataset {name} {refusal}")
                else:
                    self._read_stranger(name, dataset)
            except HDF5_ERRORS as error:
                self._problems.append(f"unknown dataset {name} is damaged ({error})")
        self._problems += losses

    def _read_stranger(self, name: str, dataset: h5py.Dataset) -> None:
        if dataset.chunks is None or not dataset.shape:
            return
        places: list[tuple[int, ...]] = []
        dataset.id.chunk_iter(lambda chunk: places.append(chunk.chunk_offset))
        row_bytes = max(int(np.prod(dataset.chunks)) * dataset.dtype.itemsize, 1)
        self._rows[name] = len(dataset)
        for place in places:
            if row_bytes > _BLOCK_BYTES:
                continue
            block = tuple(
                slice(at, min(at + side, end))
                for at, side, end in zip(place, dataset.chunks, dataset.shape, strict=True)
            )
            try:
                dataset[block]
            except HDF5_ERRORS:
                self._damaged[name] += block[0].stop - block[0].start
        if self._damaged[name]:
            self._problems.append(f"{name}: {self._damaged[name]} rows are damaged")
