"""Reads the pictures of a session by their rows, verified or as they are packed."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FormatError
from thermoseg.recording.checksum import is_sound
from thermoseg.recording.contents import PackedPicture
from thermoseg.recording.layout import TABLES
from thermoseg.recording.opening import OpenSession
from thermoseg.recording.soundness import are_regions
from thermoseg.recording.tables import HDF5_ERRORS, filters_of

_COUNTS = "frames/counts"
_LABELS = "labels/labels"


class Pictures:
    """The pictures of one session; each is checked when it is read."""

    def __init__(self, session: OpenSession) -> None:
        """Read nothing yet."""
        self._session = session
        self._filters: dict[str, tuple[int, ...]] = {}

    def counts(self, row: int) -> NDArray[np.uint16]:
        """Read the counts of a frame, (height, width).

        Raises
        ------
        FormatError
            If they are damaged.
        """
        return self._read(_COUNTS, row, f"frame {row}")

    def labels(self, row: int) -> NDArray[np.uint8]:
        """Read labels, (height, width).

        Raises
        ------
        FormatError
            If they are damaged, or hold what is no region.
        """
        labels: NDArray[np.uint8] = self._read(_LABELS, row, f"labels {row}")
        if not are_regions(labels, newer=self._session.newer):
            raise FormatError(
                f"{self._session.path}: labels {row} hold {labels.max()}, which is no region; the "
                "others can be read, segment the session again"
            )
        return labels

    def packed_counts(self, row: int) -> PackedPicture:
        """Read the counts of a frame as they are packed, after a check of their checksum.

        Raises
        ------
        FormatError
            If they are damaged.
        """
        return self._packed(_COUNTS, row, f"frame {row}")

    def packed_labels(self, row: int) -> PackedPicture:
        """Read labels as they are packed; see `packed_counts`."""
        return self._packed(_LABELS, row, f"labels {row}")

    def _read(self, name: str, row: int, what: str) -> NDArray[Any]:
        picture = self._session.picture(name, row)
        if picture is None:
            raise self._damaged(what)
        return picture

    def _packed(self, name: str, row: int, what: str) -> PackedPicture:
        dataset, filters = self._session.dataset(name), self._filters.get(name)
        if dataset is None:
            raise self._damaged(what)
        if filters is None:
            filters = self._filters[name] = filters_of(dataset)
        try:
            skipped, data = dataset.id.read_direct_chunk((row, 0, 0))
        except HDF5_ERRORS as error:
            raise self._damaged(what) from error
        if skipped or filters[-1:] != (h5py.h5z.FILTER_FLETCHER32,):
            self._read(name, row, what)
        elif not is_sound(data):
            raise self._damaged(what)
        return PackedPicture(filters, int(skipped), data)

    def _damaged(self, what: str) -> FormatError:
        return FormatError(
            f"{self._session.path}: {what} is damaged (checksum, packing or absent); the other "
            "frames can be read, recover the session to drop this one"
        )


def read_label_rows(session: OpenSession) -> dict[tuple[int, float], int]:
    """Return where the labels of each frame are, by its number and its time in seconds."""
    indices, times_s = (
        session.stored(name, TABLES[name]) for name in ("labels/frame_index", "labels/time_s")
    )
    rows = min(len(indices.values), len(times_s.values), session.picture_count(_LABELS))
    rows = session.rows_with_pictures(_LABELS, rows)
    sound = indices.sound[:rows] & times_s.sound[:rows] & np.isfinite(times_s.values[:rows])
    numbers, moments_s = (each.values[:rows][sound].tolist() for each in (indices, times_s))
    of_frames = zip(numbers, moments_s, strict=True)
    return dict(zip(of_frames, np.flatnonzero(sound).tolist(), strict=True))


def say_no_pictures(path: Path) -> str:
    """Say that the session `path` was recorded without pictures, and what there is instead."""
    return (
        f"{path} was recorded as traces only and has no pictures; its traces can be read, to see "
        "pictures record with them"
    )
