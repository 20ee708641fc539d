"""Reads session files, finished or not, and trusts nothing in them."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from math import nan
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from thermoseg.drawn_rois import DrawnHistory, DrawnRoi
from thermoseg.errors import FormatError
from thermoseg.events import SessionEvent
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.radiometry import Radiometry
from thermoseg.recording.contents import (
    Gap,
    PackedPicture,
    SessionMarker,
    events_of,
    gaps_of,
    markers_of,
)
from thermoseg.recording.event_lines import read_event_lines, read_mark_lines
from thermoseg.recording.findings import Findings
from thermoseg.recording.frame_table import read_frame_table
from thermoseg.recording.layout import (
    CLOCKS,
    SessionNames,
    samples_of,
    tables_of,
)
from thermoseg.recording.opening import naming, open_session
from thermoseg.recording.pictures import Pictures, read_label_rows, say_no_pictures
from thermoseg.recording.scene_changes import SceneChanges
from thermoseg.recording.session_counts import RecordingCounts, read_counts
from thermoseg.recording.session_header import read_header
from thermoseg.recording.soundness import possible_wall_times
from thermoseg.recording.tables import (
    UNKNOWN_REASON,
    StoredRows,
    trace_of,
)
from thermoseg.scene import Scene

log = logging.getLogger(__name__)

_KNOWN_FLAGS: Final = sum(FrameFlag)


class Recording:
    """A session file opened for reading; a context manager.

    A file still being written, or left by a crash, opens too: it shows what had reached the disk
    when it was opened, and `complete` is False.  The file is never changed.
    """

    def __init__(self, path: Path) -> None:
        """Open and check the file; no picture is read.

        Raises
        ------
        FormatError
            If it is no session file, or is damaged where all of it depends.
        """
        self.path = path
        self._session = open_session(path)
        self._pictures = Pictures(self._session)
        findings = Findings(self._session)
        self._problems = findings.sentences
        try:
            with naming(path):
                self._header = read_header(self._session, findings.sentences)
                self._frames = read_frame_table(self._session, findings)
                self._rows_of_tables = findings.look_at_tables(self._header.regions)
                self._label_rows = read_label_rows(self._session)
                findings.look_at_labels(self._label_rows.values())
                frames = len(self._frames.rows), self._frames.left_out
                self._counts = read_counts(self._session, self.gaps, *frames, findings.sentences)
        except BaseException:
            self._session.close()
            raise
        self.indices = self._frames.indices
        """(n,), numbers given by the camera."""
        self.times_s = self._frames.times_s
        """(n,), seconds since the camera was opened."""
        self.wall_times = self._frames.wall_times
        """(n,), seconds since 1970-01-01 UTC; NaN where the file has none."""
        self.flags = self._frames.flags
        """(n,), values of `FrameFlag`; 0 where the file has none."""
        self._info = replace(self._header.info, frame_count=len(self.indices))
        for problem in self._problems:
            log.info("%s: %s", path, problem)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.indices)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._session.close()

    @property
    def problems(self) -> tuple[str, ...]:
        """What was found wrong when the file was opened, a sentence each; empty if nothing was.

        What cannot be read or cannot be is left out everywhere; the rest is as it was recorded.
        """
        return tuple(self._problems)

    @property
    def being_recorded(self) -> bool:
        """Whether a living process wrote the file when it was opened."""
        return self._session.being_recorded

    @property
    def info(self) -> CameraInfo:
        """The camera as it described itself, with the number of frames in the file."""
        return self._info

    @property
    def address(self) -> str:
        """Address of the camera, as its user gave it."""
        return self._header.address

    @property
    def model(self) -> ModelIdentity | None:
        """The network that labelled the frames, None if none did."""
        return self._header.model

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that have a trace here, in the order of the file."""
        return self._header.regions

    @property
    def has_pictures(self) -> bool:
        """Whether pictures and labels were recorded, and not only numbers, times and traces."""
        return self._session.has_pictures

    @property
    def notes(self) -> str:
        """Notes of whoever recorded; empty if there are none."""
        return self._header.notes

    @property
    def drawn_rois(self) -> tuple[DrawnRoi, ...]:
        """The regions that were drawn, as they were when the recording began."""
        return self._header.drawn_rois

    @cached_property
    def drawn_history(self) -> DrawnHistory:
        """The same regions with the places that they were moved to."""
        return DrawnHistory(self.drawn_rois, self.events)

    @property
    def study(self) -> Mapping[str, str | float]:
        """Study and participant fields, by name; empty if none were given."""
        return self._header.study

    @property
    def format_version(self) -> str:
        """Version of the file's format, such as “1.1”."""
        return self._header.format_version

    @property
    def session_id(self) -> str:
        """The same in a recovered copy."""
        return self._header.session_id

    @property
    def created(self) -> str:
        """When recording began, ISO 8601 with zone."""
        return self._header.created

    @property
    def program(self) -> str:
        """Program and version that wrote the file."""
        return self._header.program

    @property
    def complete(self) -> bool:
        """Whether recording was finished; if not, its last second may be missing."""
        return self._session.finished

    @property
    def ended(self) -> str:
        """Why recording ended, one clause; empty if it was not finished."""
        return self._header.ended

    @property
    def counts(self) -> RecordingCounts:
        """Frames captured, recorded, dropped, missed; from the gaps if it was not finished."""
        return self._counts

    def frame(self, position: int) -> Frame:
        """Read one frame.

        Parameters
        ----------
        position
            0 to `len(self)` − 1, or negative from the end.

        Raises
        ------
        IndexError
            If there is no such frame.
        FormatError
            If it is damaged, while other frames can still be read; or if the file has no pictures.
        """
        place = self._place(position)
        if not self.has_pictures:
            raise FormatError(say_no_pictures(self.path))
        row = int(self._frames.rows[place])
        return Frame.from_counts(
            self._pictures.counts(row),
            self.radiometry_at(float(self.times_s[place])),
            int(self.indices[place]),
            float(self.times_s[place]),
            float(self.wall_times[place]),
            FrameFlag(int(self.flags[place]) & _KNOWN_FLAGS),
        )

    def radiometry_at(self, time_s: float) -> Radiometry:
        """Return what made °C of the frame of this time when it was recorded."""
        return self._scene_changes.radiometry_at(time_s)

    def labels(self, position: int) -> NDArray[np.uint8] | None:
        """Read the labels of one frame, (height, width); None if it was not segmented.

        Raises
        ------
        IndexError
            If there is no such frame.
        FormatError
            If they are damaged, or hold what is no region.
        """
        row = self._label_row(position)
        return None if row is None else self._pictures.labels(row)

    def packed_frame(self, position: int) -> PackedPicture:
        """Read the counts of one frame as they are packed, after a check of their checksum.

        Raises
        ------
        IndexError
            If there is no such frame.
        FormatError
            If it is damaged.
        """
        return self._pictures.packed_counts(int(self._frames.rows[self._place(position)]))

    def packed_labels(self, position: int) -> PackedPicture | None:
        """Read the labels of one frame as they are packed, after checking them as `labels` does."""
        row = self._label_row(position)
        if row is None:
            return None
        self._pictures.labels(row)
        return self._pictures.packed_labels(row)

    def is_labelled(self, position: int) -> bool:
        """Tell whether the file has labels of one frame, without reading them."""
        return self._label_row(position) is not None

    def samples(self, region: str) -> NDArray[Any]:
        """Read the trace of one region.

        Returns
        -------
        (n,) structured: frame_index, time_s, pixels, mean_c, min_c, max_c, sd_k, valid (bool),
        reason (text).  °C and kelvin; NaN where the region was absent.

        Raises
        ------
        ValueError
            If the file has no region of this name.
        FormatError
            If the file cannot be read any more.
        """
        if region not in self.regions:
            raise ValueError(f"no region is called “{region}”; known are {', '.join(self.regions)}")
        return trace_of(self.table(samples_of(region)), self.reasons)

    def table(self, name: str) -> NDArray[Any]:
        """Read one of the tables of `thermoseg.recording.layout`, such as `breathing`.

        Rows that are damaged or cannot be are left out; `problems` tells of them.

        Returns
        -------
        (n,) of the type it has there; empty if the file has no such table.

        Raises
        ------
        FormatError
            If the file cannot be read any more.
        """
        dtype = tables_of(self.regions)[name]
        stored = self._stored(name, dtype)
        if name in CLOCKS:
            return stored.values
        kept = self._rows_of_tables.get(name, stored.sound)
        # A file that is being recorded may have grown since it was opened.
        rows = min(len(kept), len(stored.values))
        values: NDArray[Any] = stored.values[:rows][kept[:rows]]
        if "wall_time" in (dtype.names or ()):
            values["wall_time"][~possible_wall_times(values["wall_time"])] = nan
        return values

    def clock(self, name: str) -> NDArray[np.float64]:
        """Read the time of each frame on another clock than the session's, (n,), seconds.

        Parameters
        ----------
        name
            One of `thermoseg.recording.layout.CLOCKS`.

        Returns
        -------
        NaN where it is unknown.
        """
        if name not in CLOCKS:
            raise ValueError(f"no clock is called “{name}”; known are {', '.join(CLOCKS)}")
        stored = self._stored(name, tables_of(self.regions)[name])
        return self._frames.beside(stored, nan)

    @property
    def scenes(self) -> tuple[tuple[float, Scene], ...]:
        """Changes of emissivity and reflected temperature: time of the first frame, and values."""
        return self._scene_changes.changes

    @cached_property
    def _scene_changes(self) -> SceneChanges:
        return SceneChanges(self.table("scenes"), self._info.radiometry, self.path)

    @cached_property
    def markers(self) -> tuple[SessionMarker, ...]:
        """Events that were marked, in the order of the file."""
        rows = self.table("markers")
        if not self.complete:
            beside = read_mark_lines(SessionNames(self.path).events, rows)
            rows = np.concatenate([rows, beside[np.isfinite(beside["begin_s"])]])
        return markers_of(rows)

    @cached_property
    def events(self) -> tuple[SessionEvent, ...]:
        """Notes in order; those of an unfinished recording come from the file beside it."""
        rows = self.table("events")
        if not self.complete and not len(rows):
            return read_event_lines(SessionNames(self.path).events)
        return events_of(rows)

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Gaps in the numbers of the frames, in order."""
        return gaps_of(self.table("gaps"))

    def gap_seconds(self, gap: Gap) -> float:
        """Return the time between the frames on both sides of a gap; NaN where one is absent."""
        times: dict[int, float] = dict(
            zip(self.indices.tolist(), self.times_s.tolist(), strict=True)
        )
        return times.get(gap.index_after, nan) - times.get(gap.index_before, nan)

    @cached_property
    def reasons(self) -> list[str]:
        """What the number in a sample's `reason` means, in the order of the file."""
        stored = self._stored("reasons", tables_of(self.regions)["reasons"])
        texts = [reason.decode("utf-8", "replace") for reason in stored.values]
        return [t if ok else UNKNOWN_REASON for t, ok in zip(texts, stored.sound, strict=True)]

    def _stored(self, name: str, dtype: np.dtype[Any]) -> StoredRows:
        with naming(self.path):
            return self._session.stored(name, dtype)

    def _label_row(self, position: int) -> int | None:
        place = self._place(position)
        return self._label_rows.get((int(self.indices[place]), float(self.times_s[place])))

    def _place(self, position: int) -> int:
        if not -len(self) <= position < len(self):
            raise IndexError(f"{self.path} has {len(self)} frames, there is none at {position}")
        return position % len(self)
