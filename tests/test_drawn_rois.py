"""Drawn ROIs: their pixels, what is refused, how sessions measure and files keep them."""

import csv
import json
from math import inf
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from tests.conftest import WaitFor
from tests.session_parts import (
    HEIGHT,
    RADIOMETRY,
    WIDTH,
    FaceSegmenter,
    ListSink,
    ScriptedCamera,
    make_frame,
)
from thermoseg import cli, drawn_meter, rois
from thermoseg.commands import segment
from thermoseg.drawn_meter import DrawnMeter, cover
from thermoseg.drawn_rois import MAX_CORNERS, MAX_NAME, MAX_ROIS, DrawnRoi, check_rois, read_move
from thermoseg.errors import ConfigError
from thermoseg.frames import Frame, FrameFlag
from thermoseg.labels import ROI_NAMES
from thermoseg.recording.layout import TEXT_BYTES
from thermoseg.recording.reader import Recording
from thermoseg.recording.recovery import recover
from thermoseg.session import Session

SHAPE = (24, 32)
CHEEK = DrawnRoi(name="cheek", outline_px=((4, 3), (9, 3), (9, 7), (4, 7)))


def pixels(roi: DrawnRoi, shape: tuple[int, int] = SHAPE) -> set[tuple[int, int]]:
    mask = cover(roi, shape)
    if mask is None:
        return set()
    places = np.argwhere(mask.inside) + np.array([mask.top, mask.left])
    return {(int(row), int(column)) for row, column in places}


def polygon(*corners: tuple[float, float]) -> DrawnRoi:
    return DrawnRoi(name="drawn", outline_px=corners)


def test_a_rectangle_covers_the_pixels_between_its_edges() -> None:
    assert pixels(CHEEK) == {(row, column) for row in range(3, 7) for column in range(4, 9)}


@pytest.mark.parametrize(("side_px", "reach"), [(1, 0), (3, 1)])
def test_a_spot_is_one_pixel_or_nine(side_px: int, reach: int) -> None:
    spot = DrawnRoi.spot("tip", 12.7, 8.2, side_px)
    span = range(-reach, reach + 1)

    assert pixels(spot) == {(8 + row, 12 + column) for row in span for column in span}


def test_a_triangle_covers_half_of_its_rectangle() -> None:
    assert pixels(polygon((0, 0), (10, 0), (0, 10))) == {
        (row, column) for row in range(10) for column in range(10) if row + column + 1 < 10
    }


def test_an_outline_that_crosses_itself_leaves_out_what_it_goes_round_twice() -> None:
    twice = polygon((0, 0), (8, 0), (8, 4), (0, 4), (0, 0), (4, 0), (4, 4), (0, 4))

    assert pixels(twice) == {(row, column) for row in range(4) for column in range(4, 8)}


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-80, 400), st.integers(-80, 400)), min_size=3, max_size=MAX_CORNERS
    )
)
def test_pixels_are_those_whose_middles_the_winding_angle_finds(
    tenths: list[tuple[int, int]],
) -> None:
    """Another definition of inside: the outline goes round the point an odd number of times."""
    roi = polygon(*((x / 10, y / 10) for x, y in tenths))
    corners = np.array(roi.outline_px)
    rows, columns = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]] + 0.5
    spokes = corners[None] - np.stack([columns.ravel(), rows.ravel()], axis=1)[:, None]
    angles = np.arctan2(spokes[..., 1], spokes[..., 0])
    steps = np.diff(np.concatenate([angles, angles[:, :1]], axis=1), axis=1)
    steps = (steps + np.pi) % (2 * np.pi) - np.pi
    rounds = steps.sum(axis=1) / (2 * np.pi)
    ends = np.roll(spokes, -1, axis=1)
    across = spokes[..., 0] * ends[..., 1] - spokes[..., 1] * ends[..., 0]
    clear = (np.abs(across) > 1e-9).all(axis=1)  # on an edge, both answers are right
    inside = (np.rint(rounds).astype(int) % 2 == 1).reshape(SHAPE)
    found = np.zeros(SHAPE, np.bool_)
    for row, column in pixels(roi):
        found[row, column] = True

    np.testing.assert_array_equal(found.ravel()[clear], inside.ravel()[clear])


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "needs a name"),
        ("left cheek", "use letters, digits and _"),
        ("../../x", "use letters, digits and _"),
        ("a/b", "use letters, digits and _"),
        ("9th", "with a letter in front"),
        ("nose", "is a region of the face"),
        ("nostril_left", "is a region of the face"),
        ("background", "is a region of the face"),
        ("x" * (MAX_NAME + 1), "longer than 32"),
    ],
)
def test_a_name_that_is_none_is_refused_in_one_sentence(name: str, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        DrawnRoi(name=name, outline_px=CHEEK.outline_px)


@pytest.mark.parametrize(
    "outline",
    [
        (),
        ((1, 1), (2, 2)),
        ((0, 0), (1, 0), (float("nan"), 1)),
        ((0, 0), (1, 0), (1e9, 1)),
        ((0, 0),) * (MAX_CORNERS + 1),
    ],
)
def test_an_outline_that_is_none_is_refused(outline: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValidationError):
        DrawnRoi(name="cheek", outline_px=outline)


def test_two_of_one_name_and_too_many_are_refused() -> None:
    with pytest.raises(ConfigError, match="two drawn ROIs are called “Cheek”"):
        check_rois([DrawnRoi(name="Cheek", outline_px=CHEEK.outline_px), CHEEK])
    with pytest.raises(ConfigError, match=f"at most {MAX_ROIS}"):
        check_rois([DrawnRoi.spot(f"s{n}", n, 1) for n in range(MAX_ROIS + 1)])


def test_a_roi_is_part_of_what_pydantic_writes_and_reads() -> None:
    class Study(BaseModel):
        rois: tuple[DrawnRoi, ...]

    study = Study(rois=(CHEEK, DrawnRoi.spot("tip", 3, 4)))

    assert Study.model_validate_json(study.model_dump_json()) == study


def test_the_longest_outline_fits_into_an_event(wait_for: WaitFor) -> None:
    corners = tuple((1279.5 - n / 10, 1023.9 - n / 10) for n in range(MAX_CORNERS))
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.set_rois([DrawnRoi(name="x" * MAX_NAME, outline_px=corners)])
        [event] = session.look().events

    assert len(event.text.encode()) <= TEXT_BYTES


def test_statistics_are_those_of_the_pixels() -> None:
    meter, frame = DrawnMeter(), make_frame(3, 0.5)
    meter.set([CHEEK])
    [sample] = meter.measure(frame)
    values = frame.celsius[3:7, 4:9].astype(np.float64)

    assert (sample.region, sample.time_s, sample.pixels) == ("cheek", 0.5, 20)
    assert (sample.valid, sample.reason) == (True, "")
    assert (sample.mean_c, sample.sd_k) == pytest.approx((values.mean(), values.std()))
    assert (sample.min_c, sample.max_c) == (values.min(), values.max())


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (FrameFlag.SHUTTER, rois.SHUTTER),
        (FrameFlag.DUPLICATE, rois.DUPLICATE),
        (FrameFlag.UNCALIBRATED, rois.NO_TEMPERATURES),
    ],
)
def test_what_spoils_a_frame_spoils_its_drawn_rois(flags: FrameFlag, reason: str) -> None:
    meter, frame = DrawnMeter(), make_frame(3, 0.5)
    meter.set([CHEEK])
    [sample] = meter.measure(
        Frame(frame.counts, frame.celsius, frame.index, frame.time_s, frame.wall_time, flags)
    )

    assert (sample.valid, sample.reason, sample.pixels) == (False, reason, 20)


def test_outside_the_picture_and_without_temperatures_nothing_is_measured() -> None:
    meter, frame = DrawnMeter(), make_frame(3, 0.5)
    celsius = frame.celsius.copy()
    celsius[3:7, 4:9] = np.nan
    meter.set([CHEEK, DrawnRoi.spot("away", 500, 5)])
    samples = meter.measure(Frame(frame.counts, celsius, 3, 0.5, 0.0))

    assert [sample.reason for sample in samples] == [drawn_meter.MISSING, drawn_meter.OUTSIDE]
    assert all(np.isnan(sample.mean_c) and not sample.valid for sample in samples)


def test_a_roi_that_is_moved_leaves_a_gap_of_one_sample() -> None:
    meter = DrawnMeter()
    reasons = []
    for x in (3, 3, 12, 12):
        meter.set([DrawnRoi.spot("tip", x, 4)])
        [sample] = meter.measure(make_frame(x, 0.5))
        reasons.append(sample.reason)

    assert reasons == ["", "", drawn_meter.MOVED, ""]


@pytest.mark.parametrize("segmenter", [None, FaceSegmenter()], ids=["no model", "model"])
def test_a_session_measures_and_records_what_is_drawn(
    wait_for: WaitFor, tmp_path: Path, segmenter: FaceSegmenter | None
) -> None:
    path, sink = tmp_path / "drawn.h5", ListSink()
    session = Session(ScriptedCamera(range(10_000)), segmenter, [sink])
    session.set_rois([CHEEK, DrawnRoi.spot("tip", 12, 8)])
    session.start_recording(path)
    with session:
        wait_for(lambda: len(session.traces.window("tip", 0, inf)) >= 10)
    trace = session.traces.window("cheek", 0, inf)
    times_s, mean_c = trace.time_s, trace.mean_c
    with Recording(path) as recording:
        assert recording.problems == ()
        assert recording.regions == (*ROI_NAMES, "cheek", "tip")
        assert recording.drawn_rois == (CHEEK, DrawnRoi.spot("tip", 12, 8))
        samples = recording.samples("cheek")
        assert samples["time_s"].tolist() == times_s.tolist()
        # Traces in memory are in single precision.
        np.testing.assert_allclose(samples["mean_c"], mean_c, rtol=1e-6)
        assert samples["valid"].all()
        by_index = dict(zip(recording.indices.tolist(), range(len(recording)), strict=True))
        for row in samples:
            frame = recording.frame(by_index[int(row["frame_index"])])
            assert row["mean_c"] == pytest.approx(frame.celsius[3:7, 4:9].mean(), abs=1e-4)
        labelled = [n for n in range(len(recording)) if recording.labels(n) is not None]
        assert bool(labelled) == (segmenter is not None)
        assert len(recording.samples("chin")) == len(labelled)


def test_without_a_model_every_frame_is_measured_while_that_goes(wait_for: WaitFor) -> None:
    session = Session(ScriptedCamera(range(10_000), rate_hz=50), None)
    session.set_rois([CHEEK])
    with session:
        wait_for(lambda: session.look().counts.captured >= 30)
    counts = session.look().counts
    measured = len(session.traces.window("cheek", 0, inf))

    assert counts.captured - counts.replaced - measured in (0, 1)


def test_what_is_drawn_moved_and_removed_in_mid_recording_is_told(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    path = tmp_path / "moved.h5"
    session = Session(ScriptedCamera(range(10_000)), None)
    session.set_rois([CHEEK])
    session.start_recording(path)
    moved = DrawnRoi(name="cheek", outline_px=((5, 3), (10, 3), (10, 7.5)))
    with session:
        wait_for(lambda: len(session.traces.window("cheek", 0, inf)) >= 3)
        session.set_rois([moved, DrawnRoi.spot("tip", 12, 8)])
        wait_for(lambda: len(session.traces.window("tip", 0, inf)) >= 3)
        session.set_rois([moved])
        assert session.traces.newest("tip") is None
    texts = [event.text for event in session.look().events]

    assert texts == [
        "ROI “cheek” drawn at 4,3 9,3 9,7 4,7",
        "ROI “cheek” moved to 5,3 10,3 10,7.5",
        "ROI “tip” drawn at 12,8 13,8 13,9 12,9",
        "ROI “tip” is shown but not recorded, as the recording began without it; "
        "start a new recording to record it",
        "ROI “tip” removed",
    ]
    with Recording(path) as recording:
        assert recording.drawn_rois == (CHEEK,)
        assert "tip" not in recording.regions
        assert [event.text for event in recording.events][-4:] == texts[1:]
        assert "moved" in recording.samples("cheek")["reason"]


def test_a_recovered_session_keeps_its_drawn_rois(wait_for: WaitFor, tmp_path: Path) -> None:
    path = tmp_path / "drawn.h5"
    session = Session(ScriptedCamera(range(10_000)), None)
    session.set_rois([CHEEK])
    session.start_recording(path)
    with session:
        wait_for(lambda: len(session.traces.window("cheek", 0, inf)) >= 3)
    with Recording(path) as before, Recording(recover(path).path) as after:
        assert after.drawn_rois == before.drawn_rois == (CHEEK,)
        np.testing.assert_array_equal(after.samples("cheek"), before.samples("cheek"))


@pytest.mark.parametrize("text", ["nonsense", "{}", "[3]", '[{"name": "nose"}]'])
def test_outlines_that_are_none_are_named_and_left_out(
    wait_for: WaitFor, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "drawn.h5"
    session = Session(ScriptedCamera(range(10_000)), None)
    session.set_rois([CHEEK])
    session.start_recording(path)
    with session:
        wait_for(lambda: len(session.traces.window("cheek", 0, inf)) >= 3)
    with h5py.File(path, "r+") as file:
        file.attrs["drawn_rois"] = text
    with Recording(path) as recording:
        assert recording.drawn_rois == ()
        assert [problem for problem in recording.problems if "drawn_rois" in problem]
        assert len(recording.samples("cheek")) >= 3


def test_the_header_holds_what_a_stranger_can_read(wait_for: WaitFor, tmp_path: Path) -> None:
    path = tmp_path / "drawn.h5"
    session = Session(ScriptedCamera(range(10_000)), None)
    session.set_rois([CHEEK])
    session.start_recording(path)
    with session:
        wait_for(lambda: session.look().counts.recorded >= 2)
    with h5py.File(path) as file:
        [described] = json.loads(file.attrs["drawn_rois"])

    assert described == {"name": "cheek", "outline_px": [[4, 3], [9, 3], [9, 7], [4, 7]]}
    assert (HEIGHT, WIDTH) == SHAPE
    assert RADIOMETRY.radiometric


def test_info_and_segment_tell_of_what_was_drawn_where_it_was_moved_to(
    wait_for: WaitFor,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, out = tmp_path / "drawn.h5", tmp_path / "out"
    session = Session(ScriptedCamera(range(10_000)), None)
    session.set_rois([CHEEK])
    session.start_recording(path)
    tip = DrawnRoi.spot("cheek", 20, 20)
    with session:
        wait_for(lambda: len(session.traces.window("cheek", 0, inf)) >= 5)
        session.set_rois([tip])
        wait_for(lambda: len(session.traces.window("cheek", 0, inf)) >= 20)
    with Recording(path) as recording:
        first_s, last_s = recording.times_s[[0, -1]]
        assert recording.drawn_history.at(float(first_s)) == (CHEEK,)
        assert recording.drawn_history.at(float(last_s)) == (tip,)
        recorded = recording.samples("cheek")
    monkeypatch.setattr(segment, "choose_model", lambda *_, **__: FaceSegmenter())

    assert cli.main(["info", str(path)]) == 0
    assert "drawn ROIs         cheek\n" in capsys.readouterr().out
    assert cli.main(["segment", str(path), "--out", str(out)]) == 0
    with (out / "regions.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["region"] == "cheek"]
    assert {row["pixels"] for row in rows} == {"20", "1"}
    means = {row["time_s"]: row["mean_c"] for row in rows}
    last = recorded[-1]
    assert means[f"{last['time_s']:.4f}"] == f"{last['mean_c']:.4f}"
    assert [row["reason"] for row in rows].count("moved") == 1


@pytest.mark.parametrize(
    "text",
    [
        "moved",
        "ROI “tip” moved to 3,4 4,4",
        "ROI “tip” moved to a,b",
        "ROI “nose” moved to 1,1 2,2 3,3",
    ],
)
def test_other_events_are_no_moves(text: str) -> None:
    assert read_move(text) is None
