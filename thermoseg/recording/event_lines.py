"""The lines beside a recording that runs: events and marks, each safe at once.

Events enter the session file at its end, marks once they cannot be taken back any more.  After a
crash they are read from here.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.events import SessionEvent
from thermoseg.recording.layout import KIND_BYTES, MARKER, SOURCE_BYTES, TEXT_BYTES, encode_text

_MARK: Final = "mark"
"""Key of a line that is a mark and no event: its number in the recording."""
_TAKEN_BACK: Final = "taken_back"
"""Key of a line that takes a mark back, and is an event as well: the number of the mark."""


def event_line(event: NDArray[Any]) -> bytes:
    """Return the line of an event in a slot of the ring."""
    return _line({**_times(event), "text": _text(event, "text")})


def mark_line(mark: NDArray[Any]) -> bytes:
    """Return the line of a mark in a slot of the ring."""
    label = _text(mark, "text")
    row = {"label": label, "kind": _text(mark, "kind"), "source": _text(mark, "source")}
    told = {"text": f"mark: {label}", _MARK: int(mark["number"])}
    return _line({**_times(mark), **told, **row, "duration_s": float(mark["duration_s"])})


def taken_back_line(event: NDArray[Any]) -> bytes:
    """Return the line that takes back a mark, from a slot of the ring."""
    number = int(event["number"])
    return _line({**_times(event), "text": _text(event, "text"), _TAKEN_BACK: number})


def read_event_lines(path: Path) -> tuple[SessionEvent, ...]:
    """Read the events of an unfinished recording; a line cut off by the crash is left out."""
    return tuple(event for event, fields in _read(path) if _MARK not in fields)


def read_mark_lines(path: Path, written: NDArray[Any]) -> NDArray[Any]:
    """Read the marks of an unfinished recording that are not in its file, nor taken back.

    Parameters
    ----------
    written
        (n,) of `MARKER`, those that are in the file.

    Returns
    -------
    (m,) of `MARKER`.
    """
    known = {_identity(row) for row in written}
    rows: dict[int, NDArray[Any]] = {}
    for event, fields in _read(path):
        if _TAKEN_BACK in fields:
            rows.pop(int(fields[_TAKEN_BACK]), None)
        elif _MARK in fields:
            rows[int(fields[_MARK])] = _row(event, fields)
    return np.array([row for row in rows.values() if _identity(row) not in known], MARKER)


def count_lines(path: Path) -> tuple[int, int]:
    """Return how many lines there are, and how many of them can be read."""
    lines = [line for line in _lines(path) if line.strip()]
    return len(lines), sum(1 for _ in _read(path))


def _read(path: Path) -> Iterator[tuple[SessionEvent, dict[str, Any]]]:
    """Yield each line that can be read, as the event that it tells and as it stands."""
    for line in _lines(path):
        try:
            fields = json.loads(line)
            event = SessionEvent(
                time_s=float(fields["time_s"]),
                text=str(fields["text"]),
                wall_time=float(fields["wall_time"]),
            )
            if _MARK in fields:
                _row(event, fields)
            int(fields.get(_MARK, 0)), int(fields.get(_TAKEN_BACK, 0))
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError, AttributeError):
            continue
        yield event, fields


def _row(event: SessionEvent, fields: dict[str, Any]) -> NDArray[Any]:
    return np.array(
        (
            event.time_s,
            float(fields["duration_s"]),
            event.wall_time,
            encode_text(str(fields["kind"]), KIND_BYTES),
            encode_text(str(fields["label"]), TEXT_BYTES),
            encode_text(str(fields["source"]), SOURCE_BYTES),
        ),
        MARKER,
    )


def _identity(row: Any) -> tuple[float, float, bytes]:  # noqa: ANN401  # one row of a table
    return row["begin_s"].item(), row["wall_time"].item(), row["label"].item()


def _times(slot: NDArray[Any]) -> dict[str, Any]:
    return {name: float(slot[name]) for name in ("time_s", "wall_time")}


def _text(slot: NDArray[Any], name: str) -> str:
    return bytes(slot[name]).decode()


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines() if path.is_file() else []
