"""Reads session files, finished or not, and trusts nothing in them."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import nan
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import FormatError
from thermoseg.events import SessionEvent
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.recording.event_lines import read_event_lines, read_mark_lines
from thermoseg.recording.layout import (
    CLOCKS,
    COUNTS,
    GAP_CAUSES,
    PICTURES,
    SAMPLE,
    SessionNames,
    samples_of,
    tables_of,
)
from thermoseg.recording.opening import naming, open_session
from thermoseg.recording.soundness import (
    MAX_RATE_HZ,
    are_regions,
    possible_frames,
    possible_rows,
    possible_wall_times,
    say_rows,
)
from thermoseg.recording.tables import StoredRows

log = logging.getLogger(__name__)

UNKNOWN_REASON: Final = "reason not recorded"
"""Reason given for an invalid sample whose own reason a crash has cut off."""

_LABELS_LOOKED_AT: Final = 8
"""Pictures of labels whose values are checked when a session is opened, spread over all of it."""
_KNOWN_FLAGS: Final = sum(FrameFlag)


@dataclass(frozen=True, slots=True)
class RecordingCounts:
    """Counts of the session's frames; recorded + dropped = captured."""

    captured: int
    """Frames offered to the recorder."""
    recorded: int
    dropped: int
    missed: int
    """Frames that the camera numbered but never delivered."""


@dataclass(frozen=True, slots=True)
class SessionMarker:
    """A stretch of a session that somebody named."""

    begin_s: float
    """Time at which the event began, on the clock of the frames."""
    duration_s: float
    """0 for a moment; NaN where its end was not marked."""
    wall_time: float
    """Time at which the event began, seconds since 1970-01-01 UTC."""
    kind: str
    label: str
    source: str
    """Origin of the event: a key, a stream, another program."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames that are not in the file."""

    index_before: int
    """Index of the last frame before the gap; -1 if there is none."""
    index_after: int
    """Index of the first frame after the gap; -1 if there is none."""
    time_s: float
    """Time of the first frame after the gap, or of the last one before it."""
    frames: int
    cause: str
    """One of `GAP_CAUSES`: the camera, the recorder, damage to the file, a loss of the camera (then
    `frames` is 0, as nobody knows), or frames refused because they came broken."""


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
        self._problems: list[str] = []
        self._rows_of_tables: dict[str, NDArray[np.bool_]] = {}
        try:
            with naming(path):
                self._read_header()
                self._read_frames()
                self._look_at_tables()
                self._look_at_labels()
                self._counts = self._read_counts()
        except BaseException:
            self._session.close()
            raise
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
        return self._address

    @property
    def model(self) -> ModelIdentity | None:
        """The network that labelled the frames, None if none did."""
        return self._model

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that have a trace here, in the order of the file."""
        return self._regions

    @property
    def has_pictures(self) -> bool:
        """Whether pictures and labels were recorded, and not only numbers, times and traces."""
        return self._has_pictures

    @property
    def notes(self) -> str:
        """Notes of whoever recorded; empty if there are none."""
        return self._notes

    @property
    def study(self) -> Mapping[str, str | float]:
        """Study and participant fields, by name; empty if none were given."""
        return self._study

    @property
    def format_version(self) -> str:
        """Version of the file's format, such as “1.1”."""
        return self._format_version

    @property
    def session_id(self) -> str:
        """The same in a recovered copy."""
        return self._session_id

    @property
    def created(self) -> str:
        """When recording began, ISO 8601 with zone."""
        return self._created

    @property
    def program(self) -> str:
        """Program and version that wrote the file."""
        return self._program

    @property
    def complete(self) -> bool:
        """Whether recording was finished; if not, its last second may be missing."""
        return self._complete

    @property
    def ended(self) -> str:
        """Why recording ended, one clause; empty if it was not finished."""
        return self._ended

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
        if not self._has_pictures:
            raise FormatError(say_no_pictures(self.path))
        row = int(self._rows[place])
        counts = self._picture("frames/counts", row, f"frame {row}")
        return Frame.from_counts(
            counts,
            self._info.radiometry,
            int(self.indices[place]),
            float(self.times_s[place]),
            float(self.wall_times[place]),
            FrameFlag(int(self.flags[place]) & _KNOWN_FLAGS),
        )

    def labels(self, position: int) -> NDArray[np.uint8] | None:
        """Read the labels of one frame, (height, width); None if it was not segmented.

        Raises
        ------
        IndexError
            If there is no such frame.
        FormatError
            If they are damaged, or hold what is no region.
        """
        place = self._place(position)
        key = int(self.indices[place]), float(self.times_s[place])
        found = self._label_rows.get(key)
        if found is None:
            return None
        labels: NDArray[np.uint8] = self._picture("labels/labels", found, f"labels {found}")
        if not are_regions(labels, newer=self._session.newer):
            raise FormatError(
                f"{self.path}: labels {found} hold {labels.max()}, which is no region; the others "
                "can be read, segment the session again"
            )
        return labels

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
        if region not in self._regions:
            raise ValueError(
                f"no region is called “{region}”; known are {', '.join(self._regions)}"
            )
        stored = self.table(samples_of(region))
        reasons = np.array([*self._reasons, UNKNOWN_REASON])
        codes = np.minimum(stored["reason"], len(self._reasons))
        names = [name for name in SAMPLE.names or () if name not in ("valid", "reason")]
        kinds = [(name, SAMPLE[name]) for name in names]
        samples = np.empty(len(stored), [*kinds, ("valid", "?"), ("reason", reasons.dtype)])
        for name in names:
            samples[name] = stored[name]
        samples["valid"] = stored["valid"] != 0
        samples["reason"] = reasons[codes]
        return samples

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
        dtype = tables_of(self._regions)[name]
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
        stored = self._stored(name, tables_of(self._regions)[name])
        return self._beside_frames(stored, nan)

    @cached_property
    def markers(self) -> tuple[SessionMarker, ...]:
        """Events that were marked, in the order of the file."""
        return tuple(
            SessionMarker(
                begin_s=float(row["begin_s"]),
                duration_s=float(row["duration_s"]),
                wall_time=float(row["wall_time"]),
                kind=row["kind"].decode("utf-8", "replace"),
                label=row["label"].decode("utf-8", "replace"),
                source=row["source"].decode("utf-8", "replace"),
            )
            for row in self._marker_rows()
        )

    def _marker_rows(self) -> NDArray[Any]:
        rows = self.table("markers")
        if self._complete:
            return rows
        beside = read_mark_lines(SessionNames(self.path).events, rows)
        return np.concatenate([rows, beside[np.isfinite(beside["begin_s"])]])

    @cached_property
    def events(self) -> tuple[SessionEvent, ...]:
        """Notes in order; those of an unfinished recording come from the file beside it."""
        rows = self.table("events")
        if not self._complete and not len(rows):
            return read_event_lines(SessionNames(self.path).events)
        return tuple(
            SessionEvent(
                time_s=float(row["time_s"]),
                text=row["text"].decode("utf-8", "replace"),
                wall_time=float(row["wall_time"]),
            )
            for row in rows
        )

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Gaps in the numbers of the frames, in order."""
        rows = self.table("gaps")
        return tuple(
            Gap(
                int(row["index_before"]),
                int(row["index_after"]),
                float(row["time_s"]),
                int(row["frames"]),
                GAP_CAUSES[min(int(row["cause"]), len(GAP_CAUSES) - 1)],
            )
            for row in rows
        )

    def gap_seconds(self, gap: Gap) -> float:
        """Return the time between the frames on both sides of a gap; NaN where one is absent."""
        times: dict[int, float] = dict(
            zip(self.indices.tolist(), self.times_s.tolist(), strict=True)
        )
        return times.get(gap.index_after, nan) - times.get(gap.index_before, nan)

    @cached_property
    def _reasons(self) -> list[str]:
        stored = self._stored("reasons", tables_of(self._regions)["reasons"])
        texts = [reason.decode("utf-8", "replace") for reason in stored.values]
        return [
            text if sound else UNKNOWN_REASON
            for text, sound in zip(texts, stored.sound, strict=True)
        ]

    @cached_property
    def _label_rows(self) -> dict[tuple[int, float], int]:
        tables = tables_of(self._regions)
        indices, times_s = (
            self._stored(name, tables[name]) for name in ("labels/frame_index", "labels/time_s")
        )
        pictures = self._session.picture_count("labels/labels")
        rows = min(len(indices.values), len(times_s.values), pictures)
        rows = self._sound_rows("labels/labels", rows)
        sound = indices.sound[:rows] & times_s.sound[:rows] & np.isfinite(times_s.values[:rows])
        return {
            (int(indices.values[row]), float(times_s.values[row])): int(row)
            for row in np.flatnonzero(sound)
        }

    def _stored(self, name: str, dtype: np.dtype[Any]) -> StoredRows:
        with naming(self.path):
            return self._session.stored(name, dtype)

    def _place(self, position: int) -> int:
        if not -len(self) <= position < len(self):
            raise IndexError(f"{self.path} has {len(self)} frames, there is none at {position}")
        return position % len(self)

    def _picture(self, name: str, row: int, what: str) -> NDArray[Any]:
        picture = self._session.picture(name, row)
        if picture is None:
            raise FormatError(
                f"{self.path}: {what} is damaged (checksum, packing or absent); the other frames "
                "can be read, recover the session to drop this one"
            )
        return picture

    def _sound_rows(self, name: str, rows: int) -> int:
        """Leave out rows at the end whose pictures a crash or a cut has kept out of the file."""
        if self._complete and not self._session.missing_bytes:
            return rows
        while rows and self._session.picture(name, rows - 1) is None:
            rows -= 1
        return rows

    def _read_header(self) -> None:
        attributes, lost = self._session.attributes, self._problems

        def text(name: str) -> str:
            return attributes.described(name, str, lost)

        self._address, self._session_id = text("address"), text("session_id")
        self._created, self._program = text("created"), text("program")
        for name in ("created_epoch_s", "created_monotonic_s"):
            attributes.described(name, float, lost)
        model = ModelIdentity(*(text(f"model_{part}") for part in ("name", "sha256", "backend")))
        self._model = model if model.name else None
        self._format_version = (
            f"{attributes.integer('format_version')}.{attributes.integer('format_minor')}"
        )
        self._regions = attributes.regions()
        self._study = attributes.study(lost)
        self._notes = text("notes")
        self._complete = self._session.finished
        attributes.described("complete", int, lost)
        self._ended = text("ended")
        attributes.described("pictures", int, lost)
        self._has_pictures = self._session.has_pictures
        height, width = self._session.file["frames/counts"].shape[1:]
        if (attributes.integer("height"), attributes.integer("width")) != (height, width):
            raise FormatError(
                f"{self.path}: its pictures are not of the size that its header names; "
                "copy the file again from its source"
            )
        self._camera = (
            text("camera_model"),
            text("camera_serial"),
            width,
            height,
            self._rate_hz(attributes.described("rate_hz", float, lost)),
            attributes.radiometry(),
            attributes.described("live", int, lost) == 1,
        )

    def _rate_hz(self, rate_hz: float) -> float:
        if 0 <= rate_hz <= MAX_RATE_HZ:
            return rate_hz
        self._problems.append(
            f"its rate of {rate_hz:g} Hz cannot be; it is played by the times of its frames"
        )
        return 0.0

    def _read_frames(self) -> None:
        """Read what is known of each frame, and leave out those that cannot be."""
        session, types = self._session, tables_of(self._regions)
        names = [f"frames/{name}" for name in ("index", "time_s", "wall_time", "flags")]
        tables = {name: self._stored(name, types[name]) for name in names}
        indices, times_s = tables["frames/index"], tables["frames/time_s"]
        held = session.frame_count(len(indices.values))
        cut = bool(session.missing_bytes)
        # A crash may come between the growth of one table and of the next.
        needed = names[:2] if self._complete else [n for n in names if session.dataset(n)]
        rows = min(held, *(len(tables[name].values) for name in needed))
        claimed = max(held, len(indices.values), len(times_s.values))
        if self._has_pictures:
            rows = self._sound_rows("frames/counts", rows)
        sound = indices.sound[:rows] & times_s.sound[:rows]
        possible = possible_frames(indices.values[:rows], times_s.values[:rows], sound)
        self._problems += filter(None, [session.say_missing()])
        self._say_damage(tables)
        if self._complete and claimed > rows:
            lost = "are cut off" if cut else "lack a picture, a number or a time"
            self._problems.append(f"frames: the last {claimed - rows} {lost}; they are left out")
        if (sound & ~possible).any():
            fault = "have times or numbers that do not rise"
            self._problems.append(say_rows("frames", sound & ~possible, fault, "they are left out"))
        self._rows = np.flatnonzero(possible)
        walls = self._beside_frames(tables["frames/wall_time"], nan)
        if not possible_wall_times(walls).all():
            wrong = ~possible_wall_times(walls)
            self._problems.append(
                say_rows("frames/wall_time", wrong, "are in no calendar", "they are not known")
            )
            walls[wrong] = nan
        self.indices: NDArray[np.int64] = indices.values[self._rows]
        """(n,), numbers given by the camera."""
        self.times_s: NDArray[np.float64] = times_s.values[self._rows]
        """(n,), seconds since the camera was opened."""
        self.wall_times: NDArray[np.float64] = walls
        """(n,), seconds since 1970-01-01 UTC; NaN where the file has none."""
        self.flags: NDArray[np.uint16] = self._beside_frames(tables["frames/flags"], 0)
        """(n,), values of `FrameFlag`; 0 where the file has none."""
        for array in (self.indices, self.times_s, self.wall_times, self.flags):
            array.flags.writeable = False
        # What a crash leaves at the end was never whole, and is no loss of frames that were.
        self._left_out = (claimed if self._complete else rows) - len(self._rows)
        self._info = CameraInfo(*self._camera, frame_count=len(self._rows))

    def _beside_frames(self, stored: StoredRows, absent: float) -> NDArray[Any]:
        """Return what a table says of each frame that is read, `absent` where it says nothing."""
        values = np.full(len(self._rows), absent, stored.values.dtype)
        inside = self._rows < len(stored.values)
        rows = self._rows[inside]
        values[inside] = np.where(stored.sound[rows], stored.values[rows], values[inside])
        return values

    def _look_at_tables(self) -> None:
        """Name what is wrong with every table that stands beside the frames."""
        types = tables_of(self._regions)
        frames = {"frames/index", "frames/time_s", "frames/wall_time", "frames/flags"}
        for name, dtype in types.items():
            if name in frames:
                continue
            stored = self._stored(name, dtype)
            self._say_damage({name: stored})
            newer = self._session.newer
            possible = possible_rows(name, stored.values, stored.sound, newer=newer)
            if (stored.sound & ~possible).any():
                fault = "hold values that cannot be"
                wrong = stored.sound & ~possible
                self._problems.append(say_rows(name, wrong, fault, "they are left out"))
            if "wall_time" in (dtype.names or ()):
                wrong = possible & ~possible_wall_times(stored.values["wall_time"])
                if wrong.any():
                    fault = "have a wall time in no calendar"
                    self._problems.append(say_rows(name, wrong, fault, "it is not known"))
            self._rows_of_tables[name] = possible
        for name in PICTURES:
            self._say_fault(name)

    def _say_damage(self, tables: Mapping[str, StoredRows]) -> None:
        for name, stored in tables.items():
            self._say_fault(name)
            if stored.damaged:
                self._problems.append(
                    f"{name}: {stored.damaged} of {len(stored.values)} rows are damaged or cut "
                    "off; they are left out"
                )
            # A crash leaves such rows as a rule; a recording that was finished has none.
            if stored.unwritten and self._complete:
                self._problems.append(
                    f"{name}: {stored.unwritten} of {stored.claimed} rows were never written; they "
                    "are left out"
                )

    def _say_fault(self, name: str) -> None:
        if name in self._session.faults:
            fault = self._session.faults[name]
            self._problems.append(f"{name}: cannot be read ({fault}); it is taken for empty")

    def _look_at_labels(self) -> None:
        """Look at a few pictures of labels; `thermoseg verify` looks at all of them."""
        tables = tables_of(self._regions)
        lengths = [
            len(self._stored(name, tables[name]).values)
            for name in ("labels/frame_index", "labels/time_s")
        ] + [self._session.picture_count("labels/labels")]
        unmatched = max(lengths) - min(lengths)
        if unmatched and self._complete and not self._session.missing_bytes:
            self._problems.append(
                f"labels: the last {unmatched} lack a picture, a frame or a time; they are left out"
            )
        rows = sorted(self._label_rows.values())
        places = np.linspace(0, len(rows) - 1, min(len(rows), _LABELS_LOOKED_AT)).astype(int)
        for row in (rows[place] for place in dict.fromkeys(places.tolist())):
            labels = self._session.picture("labels/labels", row)
            if labels is not None and not are_regions(labels, newer=self._session.newer):
                self._problems.append(
                    f"labels/labels: picture {row} holds {labels.max()}, which is no region; such "
                    "pictures are not read"
                )
                return

    def _read_counts(self) -> RecordingCounts:
        derived = self._derive_counts(self.gaps)
        if not self._complete:
            return derived
        attributes = self._session.attributes
        try:
            told = RecordingCounts(*(attributes.integer(name) for name in COUNTS))
        except FormatError:
            self._problems.append("its counts cannot be read; they are counted anew")
            return derived
        if told != derived and not (self._left_out or self._session.missing_bytes):
            self._problems.append(
                f"its counts ({_list_counts(told)}) do not fit its frames and gaps; counted anew: "
                f"{_list_counts(derived)}"
            )
        return derived

    def _derive_counts(self, gaps: Iterable[Gap]) -> RecordingCounts:
        """Count frames and gaps; frames that are left out are dropped."""
        lost = dict.fromkeys(GAP_CAUSES, 0)
        for gap in gaps:
            lost[gap.cause] += gap.frames
        dropped = lost["recorder"] + lost["damaged"] + self._left_out
        return RecordingCounts(len(self) + dropped, len(self), dropped, lost["camera"])


def _list_counts(counts: RecordingCounts) -> str:
    return ", ".join(f"{getattr(counts, name)} {name}" for name in COUNTS)


def say_no_pictures(path: Path) -> str:
    """Say that the session `path` was recorded without pictures, and what there is instead."""
    return (
        f"{path} was recorded as traces only and has no pictures; its traces can be read, to see "
        "pictures record with them"
    )
