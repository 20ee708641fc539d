"""A cut is a session of its own: sound, and everything in it is as it was recorded."""

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.export.hand_made import (
    INDICES,
    SESSION_ID,
    TIMES_S,
    counts_of,
    damage,
    labels_of,
    write_session,
)
from thermoseg.errors import ExportError
from thermoseg.export.cut import cut_session
from thermoseg.export.cutting import Cutting
from thermoseg.export.stretch import FrameRange, TimeRange
from thermoseg.recording.layout import EVENT, LIBVER, TABLES, append
from thermoseg.recording.opening import open_session
from thermoseg.recording.reader import Recording
from thermoseg.recording.verification import State, verify


def cut(session: Path, out: Path, begin_s: float, end_s: float) -> Path:
    exported = cut_session(session, out, TimeRange(begin_s, end_s))
    assert exported.notes == ()
    return exported.paths[0]


def test_a_cut_is_sound_and_has_the_frames_of_its_stretch(session: Path, out: Path) -> None:
    path = cut(session, out, 0.6, 3.1)

    assert path.name == "rest_0.6-3.1s.h5"
    assert verify(path).problems == ()
    assert verify(path).state is State.SOUND
    with h5py.File(path) as file:
        assert file["frames/time_s"][:].tolist() == [0.6, 0.7, 0.85, 1.0, 3.0]
        assert file["frames/index"][:].tolist() == [11, 12, 13, 14, 34]
        assert file["frames/flags"][:].tolist() == [0, 1, 0, 0, 32]
        assert file["frames/monotonic_s"][:].tolist() == [100.6, 100.7, 100.85, 101, 103]
        for row, position in enumerate((1, 2, 3, 4, 5)):
            np.testing.assert_array_equal(file["frames/counts"][row], counts_of(position))


def test_a_cut_has_a_manifest_of_its_own(session: Path, out: Path) -> None:
    path = cut(session, out, 0.6, 3.1)
    manifest = json.loads(path.with_suffix(".json").read_text())

    assert manifest["kind"] == "thermoseg manifest"
    (listed,) = manifest["files"]
    assert (listed["name"], listed["bytes"]) == (path.name, path.stat().st_size)
    assert listed["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    with Recording(path) as recording:
        assert manifest["session_id"] == recording.session_id
    assert manifest["counts"]["recorded"] == 5
    assert manifest["seconds"] == pytest.approx(2.4)
    path.write_bytes(path.read_bytes() + b" ")
    assert "in its manifest" in verify(path).problems[-1]


def test_labels_samples_and_reasons_come_with_it(session: Path, out: Path) -> None:
    with h5py.File(cut(session, out, 0.7, 3.2)) as file:
        assert file["labels/frame_index"][:].tolist() == [13, 35]
        np.testing.assert_array_equal(file["labels/labels"][0], labels_of(3))
        nose = file["samples/nose"][:]
        assert nose["mean_c"].tolist() == [34.25, 34.75]
        assert nose["pixels"].tolist() == [32, 31]
        reasons = file["reasons"][:]
        assert reasons[nose["reason"]].tolist() == [b"in motion", b""]
        nostrils = file["samples/nostrils"][:]
        assert reasons[nostrils["reason"]].tolist() == [b"too small", b""]
        assert np.isnan(nostrils["mean_c"]).tolist() == [True, False]


def test_markers_that_last_into_the_stretch_and_its_events_come_with_it(
    session: Path, out: Path
) -> None:
    with h5py.File(cut(session, out, 0.8, 3.1)) as file:
        # “baseline” ended at 0.75 s, “open” begins at 3.15 s.
        assert file["markers"]["label"].tolist() == [b'stress, "hard"']
        assert [text.decode() for text in file["events"]["text"]] == ["späte Notiz"]
    with h5py.File(cut(session, out, 2.0, 3.1)) as file:
        assert file["markers"]["begin_s"].tolist() == [0.9]


def test_a_gap_counts_where_both_its_frames_are_in_the_cut(session: Path, out: Path) -> None:
    with Recording(cut(session, out, 0.5, 3.05)) as recording:
        assert [(gap.frames, gap.cause) for gap in recording.gaps] == [(19, "camera")]
        assert (recording.counts.recorded, recording.counts.missed) == (6, 19)
    with Recording(cut(session, out, 1.5, 3.05)) as recording:
        assert recording.gaps == ()
        assert (recording.counts.captured, recording.counts.missed) == (1, 0)


def test_it_tells_where_it_comes_from_and_is_a_session_of_its_own(session: Path, out: Path) -> None:
    path = cut(session, out, 0.6, 3.1)

    with h5py.File(path) as file:
        assert json.loads(file.attrs["cut"]) == {
            "file": "rest.h5",
            "session_id": SESSION_ID,
            "begin_s": 0.6,
            "end_s": 3.1,
        }
        assert file.attrs["session_id"] not in ("", SESSION_ID)
        assert json.loads(file.attrs["study"]) == {"participant": "sub-07", "age": 33}
        assert (file.attrs["complete"], file.attrs["camera_serial"]) == (1, "007")
        assert bytes(file.attrs["ended"]) == b"cut from rest.h5"


def test_a_cut_of_a_cut_is_sound_too(session: Path, out: Path) -> None:
    path = cut(cut(session, out, 0.5, 3.1), out, 0.6, 1.0)

    assert verify(path).state is State.SOUND
    with h5py.File(path) as file:
        assert file["frames/time_s"][:].tolist() == [0.6, 0.7, 0.85]


def test_packed_pictures_are_copied_as_they_are(session: Path, out: Path) -> None:
    with h5py.File(session) as parent, h5py.File(cut(session, out, 0.6, 3.1)) as file:
        for row in range(5):
            chunk = file["frames/counts"].id.read_direct_chunk((row, 0, 0))
            assert chunk == parent["frames/counts"].id.read_direct_chunk((row + 1, 0, 0))


def test_pictures_that_are_packed_otherwise_are_packed_anew(session: Path, out: Path) -> None:
    with h5py.File(session, "r+") as file:
        pictures = file["frames/counts"][:]
        del file["frames/counts"]
        shape = pictures.shape[1:]
        file.create_dataset(
            "frames/counts",
            data=pictures,
            maxshape=(None, *shape),
            chunks=(1, *shape),
            compression="gzip",
        )
    path = cut(session, out, 0.6, 3.1)

    assert verify(path).state is State.SOUND
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["frames/counts"][0], counts_of(1))


def test_by_frames_the_last_one_is_that_before_the_end(session: Path, out: Path) -> None:
    path, _ = cut_session(session, out, FrameRange(2, 5)).paths

    with h5py.File(path) as file:
        assert file["frames/index"][:].tolist() == [12, 13, 14]


def test_a_damaged_frame_becomes_a_gap_and_the_cut_is_sound(session: Path, out: Path) -> None:
    damage(session, "frames/counts", 3)
    damage(session, "labels/labels", 0)
    exported = cut_session(session, out, TimeRange(0.5, 3.1))

    assert exported.notes == (
        f"“{session}”: 1 frame is damaged and left out (first: 3)",
        f"“{session}”: 1 picture of labels is damaged and left out (first: 1)",
    )
    assert verify(exported.paths[0]).problems == ()
    with Recording(exported.paths[0]) as recording:
        gaps = [(gap.index_before, gap.index_after, gap.cause) for gap in recording.gaps]
        assert gaps == [(12, 14, "damaged"), (14, 34, "camera")]
        assert (recording.counts.captured, recording.counts.dropped) == (6, 1)


def test_an_unfinished_session_gives_a_finished_cut(tmp_path: Path, out: Path) -> None:
    session = write_session(tmp_path / "crashed.h5", complete=False)
    line = json.dumps({"time_s": 0.75, "wall_time": 1.7e9, "text": "shutter"})
    (tmp_path / "crashed.events.jsonl").write_text(line + "\n")
    path = cut(session, out, 0.6, 3.1)

    assert verify(path).state is State.SOUND
    with h5py.File(path) as file:
        assert file["events"]["text"].tolist() == [b"shutter"]


def test_traces_without_pictures_can_be_cut(tmp_path: Path, out: Path) -> None:
    session = write_session(tmp_path / "traces.h5", frames=(), segmented=())
    path = cut(session, out, 0.6, 3.0)

    assert verify(path).state is State.SOUND
    with h5py.File(path) as file:
        assert file["samples/nose"]["time_s"].tolist() == [0.6, 0.85]


def test_what_somebody_added_is_kept_if_it_is_an_attribute_and_told_if_it_is_a_table(
    session: Path, out: Path
) -> None:
    with h5py.File(session, "r+") as file:
        file.attrs["outlines"] = "[]"
        file.create_dataset("frames/focus", data=np.arange(8.0), chunks=(8,), maxshape=(None,))
    exported = cut_session(session, out, TimeRange(0.5, 3.1))

    assert exported.notes == (
        f"“{session}”: frames/focus is of a newer version and not in the cut",
    )
    with h5py.File(exported.paths[0]) as file:
        assert file.attrs["outlines"] == "[]"
        assert "focus" not in file["frames"]


def test_a_scene_that_was_set_before_the_stretch_still_holds_in_it(
    session: Path, out: Path
) -> None:
    rows = [(0.6, 11, 0.9, 20.0), (0.85, 13, 0.95, 21.0), (3.1, 35, 0.98, 22.0)]
    with h5py.File(session, "r+") as file:
        names = [
            ("time_s", "f8"),
            ("frame_index", "i8"),
            ("emissivity", "f8"),
            ("reflected_c", "f8"),
        ]
        scenes = np.array(rows, names)
        del file["scenes"]
        file.create_dataset("scenes", data=scenes, chunks=(256,), maxshape=(None,), fletcher32=True)
    with h5py.File(cut(session, out, 1.0, 3.1)) as file:
        assert file["scenes"]["emissivity"].tolist() == [0.9, 0.95]


def test_a_drawn_region_begins_a_cut_where_it_was_moved_to(session: Path, out: Path) -> None:
    rois = [{"name": "cheek", "outline_px": [[3, 2], [6, 2], [6, 4]]}]
    moved = [(0.7, np.nan, "ROI “cheek” moved to 7,8 9,8 9,9".encode())]
    with h5py.File(session, "r+") as file:
        file.attrs["drawn_rois"] = json.dumps(rois)
        append(file["events"], np.array(moved, EVENT))
    with h5py.File(cut(session, out, 0.8, 3.1)) as file:
        outlines = [roi["outline_px"] for roi in json.loads(file.attrs["drawn_rois"])]
        assert outlines == [[[7, 8], [9, 8], [9, 9]]]


@pytest.mark.parametrize(
    ("stretch", "sentence"),
    [
        (TimeRange(1.1, 2.9), "has nothing from 1.1 to 2.9 s; it reaches from 0.500 to 3.200 s"),
        (TimeRange(3, 3), "a stretch from 3 to 3 s is empty"),
        (TimeRange(3, 1), "a stretch from 3 to 1 s is empty"),
        (FrameRange(6, 9), "has 8 frames, none from 6 to 9"),
        (FrameRange(-1, 3), "has 8 frames, none from -1 to 3"),
    ],
)
def test_an_empty_stretch_is_one_sentence(
    session: Path, out: Path, stretch: TimeRange | FrameRange, sentence: str
) -> None:
    with pytest.raises(ExportError, match=sentence):
        cut_session(session, out, stretch)
    assert not out.exists()


def test_an_empty_session_has_nothing_to_cut(tmp_path: Path, out: Path) -> None:
    session = write_session(tmp_path / "empty.h5", frames=(), segmented=(), samples=False)
    with pytest.raises(ExportError, match=r"empty\.h5” holds neither frames nor samples"):
        cut_session(session, out, TimeRange(0, 1))


moments = st.sampled_from([*TIMES_S, 0.0, 0.55, 2.0, 9.0])


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(begin_s=moments, end_s=moments)
def test_exactly_what_lies_in_a_stretch_is_copied(
    session: Path, tmp_path: Path, begin_s: float, end_s: float
) -> None:
    copy = tmp_path / "copy.h5"
    with (
        Recording(session) as recording,
        open_session(session) as source,
        h5py.File(copy, "w", libver=LIBVER) as file,
    ):
        Cutting(recording, source, file, begin_s, end_s).make(lambda _done, _total: None)
    expected = [n for n, time_s in zip(INDICES, TIMES_S, strict=True) if begin_s <= time_s < end_s]
    with Recording(copy) as recording:
        assert recording.problems == ()
        assert recording.indices.tolist() == expected
        assert recording.counts.missed == (19 if {14, 34} <= set(expected) else 0)


def test_every_table_of_the_layout_has_been_thought_of() -> None:
    """Whoever adds a table says in `cutting.py` what a cut takes of it, and then here."""
    assert set(TABLES) == {
        *("frames/index", "frames/time_s", "frames/wall_time", "frames/flags"),
        *("frames/monotonic_s", "frames/device_s", "frames/lsl_s"),
        *("labels/frame_index", "labels/time_s", "reasons", "gaps", "events"),
        *("markers", "breathing", "perspiration", "scenes"),
    }
