"""The lines beside a recording, of which a crash or a stranger may have left anything."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from thermoseg.recording.event_lines import count_lines, read_event_lines, read_mark_lines
from thermoseg.recording.layout import MARKER

NOTHING = np.array([], MARKER)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
KEYS = ("time_s", "wall_time", "text", "mark", "taken_back", "label", "kind", "source")
LINES = st.binary(max_size=40) | st.dictionaries(
    st.sampled_from((*KEYS, "duration_s")), VALUES
).map(lambda fields: json.dumps(fields).encode())


@settings(deadline=None, max_examples=300)
@given(lines=st.lists(LINES, max_size=6))
def test_any_lines_are_read_or_left_out(lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.events.jsonl"
        path.write_bytes(b"\n".join(lines))
        there, read = count_lines(path)
        assert 0 <= read <= there
        events, marks = read_event_lines(path), read_mark_lines(path, NOTHING)
        assert len(events) + len(marks) <= read


Deed = tuple[str, int]
DEEDS = st.lists(st.tuples(st.sampled_from(["mark", "back", "event"]), st.integers(0, 5)))


@settings(deadline=None, max_examples=200)
@given(deeds=DEEDS, rows=st.integers(0, 3), cut=st.integers(0, 30))
def test_marks_are_those_that_were_neither_written_nor_taken_back(
    deeds: list[Deed], rows: int, cut: int
) -> None:
    lines: list[bytes] = []
    marks: dict[int, float] = {}
    for place, (kind, number) in enumerate(deeds):
        fields: dict[str, Any] = {"time_s": float(place), "wall_time": 1.0, "text": kind}
        if kind == "mark" and number in marks:
            continue
        if kind == "mark":
            marks[number] = float(place)
            fields |= {"mark": number, "label": "x", "kind": "k", "source": "s"}
            fields |= {"duration_s": 0.0}
        elif kind == "back":
            fields |= {"taken_back": number}
            marks.pop(number, None)
        lines.append(json.dumps(fields).encode() + b"\n")
    written = [(begin_s, 0.0, 1.0, b"k", b"x", b"s") for begin_s in list(marks.values())[:rows]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.events.jsonl"
        torn = b'{"time_s": 1.0, "wall_time": 1.0, "text": "half'
        path.write_bytes(b"".join(lines) + torn[: cut + 1])
        read = read_mark_lines(path, np.array(written, MARKER))
        assert read["begin_s"].tolist() == list(marks.values())[rows:]
        events = [kind for kind, _ in deeds if kind != "mark"]
        assert [event.text for event in read_event_lines(path)] == events
