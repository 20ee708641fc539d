"""A session that says what cannot be is named as such when it is opened, and the rest is read."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from drivers.file_sources import open_source
from drivers.frame_source import FileOptions
from tests.recording import made_frames as made
from tests.recording.conftest import Change, Tamper
from thermoseg.errors import FormatError
from thermoseg.frames import FrameFlag
from thermoseg.recording.layout import BREATHING, EVENT, GAP, MARKER, append
from thermoseg.recording.reader import Recording
from thermoseg.recording.recovery import recover
from thermoseg.recording.soundness import longest_rise
from thermoseg.recording.verification import State, verify


@pytest.fixture
def tampered(session: Path) -> Tamper:
    """Let a function change a sound session, then return its path."""

    def tamper(change: Change) -> Path:
        with h5py.File(session, "r+") as file:
            change(file)
        return session

    return tamper


def setting(name: str, value: object, at: object = ...) -> Change:
    def change(file: h5py.File) -> None:
        file[name][at] = value

    return change


def setting_field(name: str, field: str, value: object, row: int) -> Change:
    def change(file: h5py.File) -> None:
        rows = file[name][:]
        rows[field][row] = value
        file[name][:] = rows

    return change


def appending(name: str, dtype: np.dtype[np.void], **fields: object) -> Change:
    def change(file: h5py.File) -> None:
        row = np.zeros(1, dtype)
        for field, value in fields.items():
            row[field] = value
        append(file[name], row)

    return change


def test_a_sound_session_has_no_problem(session: Path) -> None:
    with Recording(session) as recording:
        assert recording.problems == ()


@pytest.mark.parametrize("rate_hz", [-1.0, 1e300])
def test_a_rate_that_cannot_be_is_no_clock(tampered: Tamper, rate_hz: float) -> None:
    path = tampered(lambda file: file.attrs.modify("rate_hz", rate_hz))
    with Recording(path) as recording:
        assert recording.info.rate_hz == 0
        (problem,) = recording.problems
        assert "Hz cannot be" in problem
        assert len(recording) == made.SOUND_FRAMES
    with Recording(recover(path).path) as recording:
        assert (recording.info.rate_hz, recording.problems) == (0, ())


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (setting("frames/time_s", np.inf, 17), [17]),
        (setting("frames/time_s", -np.inf, 17), [17]),
        (setting("frames/time_s", 1e9, 17), [17]),
        (setting("frames/time_s", -5.0, 17), [17]),
        (setting("frames/time_s", 16 / 30, 17), [17]),
        (setting("frames/index", 16, 17), [17]),
        (setting("frames/index", 2**60, 17), [17]),
        (setting("frames/index", -4, 17), [17]),
        (setting("frames/time_s", [0.1, 0.05], slice(100, 102)), [100, 101]),
    ],
)
def test_one_wild_frame_costs_itself_and_is_named(
    tampered: Tamper, change: Change, lost: list[int]
) -> None:
    path = tampered(change)
    with Recording(path) as recording:
        kept = [index for index in range(made.SOUND_FRAMES) if index not in lost]
        assert recording.indices.tolist() == kept
        assert f"{len(lost)} of {made.SOUND_FRAMES}" in recording.problems[0]
        assert f"first: {lost[0]}" in recording.problems[0]
        info = made.made_info(*made.KILLED_SIZE)
        position = lost[0]
        frame = recording.frame(position)
        np.testing.assert_array_equal(frame.counts, made.made_counts(frame.index, info))
        np.testing.assert_array_equal(
            recording.labels(position), made.made_labels(frame.index, info)
        )
        counts = recording.counts
        assert (counts.recorded, counts.dropped) == (len(kept), len(lost))
    with Recording(recover(path).path) as recording:
        assert recording.indices.tolist() == kept
        assert recording.problems == ()


def test_a_frame_without_a_time_is_left_out(tampered: Tamper) -> None:
    with Recording(tampered(setting("frames/time_s", np.nan, 5))) as recording:
        assert len(recording) == made.SOUND_FRAMES - 1
        assert "frames/time_s: 1 of 600 rows were never written" in recording.problems[0]


def test_times_that_all_go_backwards_leave_one_frame(tampered: Tamper) -> None:
    times_s = np.arange(made.SOUND_FRAMES)[::-1] / 30
    with Recording(tampered(setting("frames/time_s", times_s))) as recording:
        assert len(recording) == 1
        assert f"{made.SOUND_FRAMES - 1} of {made.SOUND_FRAMES} rows" in recording.problems[0]


@pytest.mark.parametrize("wall_time", [np.inf, -1.0, 1e300])
def test_a_wall_time_in_no_calendar_is_not_known(tampered: Tamper, wall_time: float) -> None:
    with Recording(tampered(setting("frames/wall_time", wall_time, 3))) as recording:
        assert len(recording) == made.SOUND_FRAMES
        assert np.flatnonzero(np.isnan(recording.wall_times)).tolist() == [3]
        assert recording.problems[0].startswith("frames/wall_time: 1 of ")


def test_unknown_wall_times_are_no_problem(tampered: Tamper) -> None:
    with Recording(tampered(setting("frames/wall_time", np.nan))) as recording:
        assert recording.problems == ()
        assert len(recording) == made.SOUND_FRAMES


def test_labels_of_no_region_are_named_and_the_others_are_read(tampered: Tamper) -> None:
    path = tampered(setting("labels/labels", 255, 42))
    with Recording(path) as recording:
        with pytest.raises(FormatError, match="labels 42 hold 255, which is no region"):
            recording.labels(42)
        assert recording.labels(41) is not None
    verdict = verify(path)
    assert verdict.state is State.DAMAGED
    assert "1 of 600 pictures hold labels of no region (first: 42)" in verdict.problems[0]
    report = recover(path)
    assert any("labels/labels" in sentence for sentence in report.losses)
    assert verify(report.path).state is State.SOUND


def test_labels_that_are_all_of_no_region_show_when_a_session_is_opened(tampered: Tamper) -> None:
    with Recording(tampered(setting("labels/labels", 9))) as recording:
        assert recording.problems == (
            "labels/labels: picture 0 holds 9, which is no region; such pictures are not read",
        )


def test_more_regions_of_a_newer_program_are_no_problem(tampered: Tamper) -> None:
    def change(file: h5py.File) -> None:
        file["labels/labels"][3] = 9
        file.attrs["format_minor"] = np.int64(9)

    with Recording(tampered(change)) as recording:
        assert recording.problems == ()
        labels = recording.labels(3)
        assert labels is not None
        assert labels.max() == 9


@pytest.mark.parametrize("name", ["captured", "recorded", "dropped", "missed"])
def test_counts_that_do_not_fit_are_counted_anew(tampered: Tamper, name: str) -> None:
    path = tampered(lambda file: file.attrs.modify(name, np.int64(4711)))
    with Recording(path) as recording:
        counts = recording.counts
        assert (counts.captured, counts.recorded) == (made.SOUND_FRAMES, made.SOUND_FRAMES)
        assert (counts.dropped, counts.missed) == (0, 0)
        (problem,) = recording.problems
        assert f"4711 {name}" in problem


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("samples/nostrils", setting_field("samples/nostrils", "pixels", -1, 8)),
        ("samples/nostrils", setting_field("samples/nostrils", "mean_c", np.inf, 8)),
        ("samples/nostrils", setting_field("samples/nostrils", "sd_k", -0.1, 8)),
        ("samples/nostrils", setting_field("samples/nostrils", "time_s", np.inf, 8)),
        ("samples/nostrils", setting_field("samples/nostrils", "time_s", -3.0, 8)),
        ("samples/nostrils", setting_field("samples/nostrils", "frame_index", -3, 8)),
        ("samples/nostrils", setting_field("samples/nostrils", "valid", 7, 8)),
        ("gaps", appending("gaps", GAP, frames=-2)),
        ("gaps", appending("gaps", GAP, time_s=np.inf)),
        ("gaps", appending("gaps", GAP, index_before=-2)),
        ("gaps", appending("gaps", GAP, cause=99)),
        ("events", appending("events", EVENT, time_s=np.inf)),
        ("markers", appending("markers", MARKER, duration_s=-1)),
        ("breathing", appending("breathing", BREATHING, rate_per_min=-12)),
    ],
)
def test_a_row_that_cannot_be_is_left_out_and_named(
    tampered: Tamper, name: str, change: Change
) -> None:
    with Recording(tampered(change)) as recording:
        (problem,) = recording.problems
        assert problem.startswith(f"{name}: 1 of ")
        assert "cannot be" in problem
        if name == "samples/nostrils":
            indices = recording.samples("nostrils")["frame_index"].tolist()
            assert indices == [index for index in range(600) if index != 8]
        else:
            assert len(recording.table(name)) == (name == "events")


def test_a_sample_that_was_never_written_costs_only_itself(tampered: Tamper) -> None:
    change = setting_field("samples/nostrils", "time_s", np.nan, 8)
    with Recording(tampered(change)) as recording:
        assert len(recording.samples("nostrils")) == 599
        assert "samples/nostrils: 1 of 600 rows were never written" in recording.problems[0]


def test_an_event_at_a_strange_wall_time_is_kept_without_it(tampered: Tamper) -> None:
    with Recording(tampered(appending("events", EVENT, wall_time=1e300))) as recording:
        assert np.isnan(recording.events[-1].wall_time)
        assert recording.problems[0].startswith("events: 1 of 2")


def test_unknown_bits_of_a_flag_are_ignored(tampered: Tamper) -> None:
    with Recording(tampered(setting("frames/flags", 0x8004, 2))) as recording:
        assert recording.frame(2).flags == FrameFlag.DUPLICATE


def test_the_camera_that_plays_it_says_what_is_wrong(
    tampered: Tamper, caplog: pytest.LogCaptureFixture
) -> None:
    path = tampered(setting("frames/time_s", np.inf, 17))
    source = open_source(path, FileOptions())
    assert len(source) == 599
    source.close()
    assert "1 of 600 rows have times or numbers that do not rise" in caplog.text


class TestLongestRise:
    def test_everything_that_rises_is_kept(self) -> None:
        assert longest_rise(np.arange(5)).all()
        assert longest_rise(np.empty(0)).tolist() == []

    def test_one_wild_value_costs_itself(self) -> None:
        values = np.array([0.0, 1e9, 1, 2, -7, 3, 3, 4])
        expected = [True, False, True, True, False, True, False, True]
        found = longest_rise(values)
        assert values[found].tolist() == values[expected].tolist()

    def test_equal_neighbours_may_be_a_rise(self) -> None:
        assert longest_rise(np.array([1, 1, 2, 0, 2]), strictly=False).tolist() == [
            *(True, True, True, False, True)
        ]

    def test_no_longer_rise_exists(self) -> None:
        """Compared with dynamic programming over all pairs."""
        rng = np.random.default_rng(3)
        for _ in range(50):
            values = rng.integers(0, 12, 15)
            lengths: list[int] = []
            for row, value in enumerate(values):
                before = [n for n, v in zip(lengths, values[:row], strict=True) if v < value]
                lengths.append(1 + max(before, default=0))
            found = values[longest_rise(values)]
            assert len(found) == max(lengths)
            assert (np.diff(found) > 0).all()
