"""°C made anew for another emissivity: formulas, sessions, and the files that they leave."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import WaitFor
from tests.session_parts import (
    COUNTS_34_C,
    FaceSegmenter,
    ListSink,
    RadiometricCamera,
    ScriptedCamera,
    make_frame,
)
from thermoseg.cameras import make_camera
from thermoseg.errors import ConfigError, StreamEndedError
from thermoseg.frames import Frame
from thermoseg.radiometry import (
    KELVIN,
    LinearRadiometry,
    ObjectParameters,
    PlanckRadiometry,
    Radiometry,
    RelativeCounts,
)
from thermoseg.radiometry_text import radiometry_from_dict, radiometry_to_dict
from thermoseg.recording.reader import Recording
from thermoseg.recording.recovery import recover
from thermoseg.scene import CorrectedRadiometry, Scene, in_scene, scene_of, with_scene
from thermoseg.session import Session

TLINEAR = LinearRadiometry(0.01, scene=ObjectParameters())
"""A camera that takes every surface for black."""
PLANCK = PlanckRadiometry(21106.77, 1501.0, 1.0, -7340.0, 0.012545258, ObjectParameters())
SKIN = Scene(0.98, 22.0)
emissivities = st.floats(0.5, 1.0)
temperatures = st.floats(-10.0, 60.0)


def test_skin_is_warmer_than_a_black_surface_would_be() -> None:
    """By hand: at 10 µm S is 9.32e-3 at 34 °C and 7.69e-3 at 22 °C, so 2 % of the difference is
    missing; S rises by 1.43e-4 per kelvin."""
    corrected = with_scene(TLINEAR, SKIN)
    counts = np.array([[COUNTS_34_C]], np.uint16)

    assert corrected.to_celsius(counts)[0, 0] == pytest.approx(34.0 + 0.02 * 1.63 / 0.143, abs=0.02)


def test_the_correction_is_that_of_a_calibrated_camera() -> None:
    """The law at one wavelength against a FLIR's own constants, from 20 to 40 °C."""
    counts = PLANCK.to_counts(np.linspace(20, 40, 11)).round().astype(np.uint16)
    apparent_c = PLANCK.to_celsius(counts).astype(np.float64)
    linear = LinearRadiometry(0.001, -20.0, scene=ObjectParameters())
    steps = linear.to_counts(apparent_c).round().astype(np.uint16)
    expected = with_scene(PLANCK, Scene(0.95, 22.0)).to_celsius(counts) - apparent_c
    found = with_scene(linear, Scene(0.95, 22.0)).to_celsius(steps) - apparent_c

    np.testing.assert_allclose(found, expected, atol=0.02)
    assert abs(expected).max() > 0.8


@settings(deadline=None, max_examples=60)
@given(emissivities, temperatures, emissivities, temperatures, st.floats(5, 45))
def test_a_correction_is_undone_by_the_scene_before(
    own: float, own_reflected: float, other: float, other_reflected: float, skin_c: float
) -> None:
    camera = LinearRadiometry(
        0.01, scene=ObjectParameters(emissivity=own, reflected_c=own_reflected)
    )
    corrected = with_scene(camera, Scene(other, other_reflected))
    back = with_scene(corrected, Scene(own, own_reflected))
    assert back == camera

    counts = camera.to_counts(skin_c).round().astype(np.uint16)
    celsius = corrected.to_celsius(counts.reshape(1, 1))[0, 0]
    if np.isfinite(celsius) and isinstance(corrected, CorrectedRadiometry):
        assert corrected.to_counts(celsius) == pytest.approx(float(counts), abs=0.1)


@settings(deadline=None)
@given(emissivities, temperatures)
def test_what_mirrors_its_own_temperature_looks_the_same_for_any_emissivity(
    emissivity: float, celsius: float
) -> None:
    camera = LinearRadiometry(0.01, scene=ObjectParameters())
    scale = in_scene(camera, Scene(emissivity, celsius))
    counts = camera.to_counts(celsius).round().astype(np.uint16).reshape(1, 1)

    np.testing.assert_allclose(scale.to_celsius(counts), camera.to_celsius(counts), atol=0.02)


def test_pixels_without_a_temperature_stay_without() -> None:
    camera = LinearRadiometry(0.01, missing=7, scene=ObjectParameters())
    celsius = with_scene(camera, SKIN).to_celsius(np.array([[7, COUNTS_34_C, 0]], np.uint16))

    assert np.isnan(celsius).tolist() == [[True, False, True]]


def test_what_camera_and_air_do_stays_as_it_is() -> None:
    air = ObjectParameters(distance_m=2.0, humidity=0.3, window_transmission=0.9, window_c=25.0)
    changed = with_scene(PlanckRadiometry(21106.77, 1501.0, 1.0, -7340.0, 0.0125, air), SKIN)

    assert isinstance(changed, PlanckRadiometry)
    assert (changed.scene.distance_m, changed.scene.window_c) == (2.0, 25.0)
    assert scene_of(changed) == SKIN


@pytest.mark.parametrize(
    ("radiometry", "complaint"),
    [
        (LinearRadiometry(0.01), "does not tell the emissivity"),
        (RelativeCounts("AGC is on"), "no temperatures .* AGC is on"),
    ],
)
def test_what_physics_does_not_allow_is_refused_in_a_sentence(
    radiometry: Radiometry, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        with_scene(radiometry, SKIN)
    assert in_scene(radiometry, None) is radiometry


def test_a_corrected_scale_survives_json() -> None:
    corrected = with_scene(TLINEAR, SKIN)
    text = json.dumps(radiometry_to_dict(corrected))

    assert radiometry_from_dict(json.loads(text)) == corrected


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"emissivity": 0.0}, "emissivity must be in"),
        ({"emissivity": 1.2}, "emissivity must be in"),
        ({"emissivity": float("nan")}, "emissivity must be in"),
        ({"reflected_c": -300.0}, "reflected_c must be above"),
        ({"reflected_c": float("inf")}, "reflected_c must be above"),
    ],
)
def test_a_scene_that_cannot_be_is_refused_by_the_session(
    values: dict[str, float], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Session(ScriptedCamera(range(3)), None).set_scene(**values)


@pytest.mark.parametrize("radiometry", [TLINEAR, PLANCK], ids=["TLinear", "Planck"])
def test_frames_and_traces_step_and_the_file_shows_the_same(
    wait_for: WaitFor, tmp_path: Path, radiometry: Radiometry
) -> None:
    sink = ListSink()
    session = Session(RadiometricCamera(radiometry), FaceSegmenter(), [sink])
    session.start_recording(tmp_path / "step.h5")
    with session:
        wait_for(lambda: len(sink.results) >= 5)
        session.set_scene(0.9, 15.0)
        wait_for(lambda: sink.frames[-1].scene == Scene(0.9, 15.0))
        before = len(sink.frames)
        session.set_scene(emissivity=0.95)
        wait_for(lambda: len(sink.frames) > before + 5 and len(sink.results) > 8)
    told = [event for event in session.look().events if event.text.startswith("emissivity")]
    scenes = [frame.scene for frame in sink.frames]
    first = scenes.index(Scene(0.9, 15.0))

    assert [event.text for event in told] == [
        "emissivity 0.9, reflected temperature 15 °C",
        "emissivity 0.95, reflected temperature 15 °C",
    ]
    assert told[0].time_s == pytest.approx(sink.frames[first].time_s, abs=0.2)
    assert scenes[0] == scene_of(radiometry)
    assert scenes[-1] == Scene(0.95, 15.0)
    step_k = np.nanmean(sink.frames[first].celsius) - np.nanmean(sink.frames[first - 1].celsius)
    assert step_k > 1
    chins = {r.frame.index: s for r in sink.results for s in r.samples if s.region == "chin"}
    with Recording(tmp_path / "step.h5") as recording:
        assert recording.problems == ()
        assert recording.info.radiometry == radiometry
        assert [scene for _, scene in recording.scenes] == [Scene(0.9, 15.0), Scene(0.95, 15.0)]
        for position, live in enumerate(sink.frames):
            stored = recording.frame(position)
            np.testing.assert_array_equal(stored.celsius, live.celsius)
            assert stored.scene == live.scene
        recorded = recording.samples("chin")
        for row in recorded:
            assert row["mean_c"] == chins[int(row["frame_index"])].mean_c
        assert {str(event.text) for event in told} <= {event.text for event in recording.events}


def test_a_scene_set_before_the_camera_is_open_holds_from_the_first_frame(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    sink = ListSink()
    session = Session(RadiometricCamera(TLINEAR), None, [sink])
    session.start_recording(tmp_path / "first.h5")
    session.set_scene(0.98, 22.0)
    with session:
        wait_for(lambda: len(sink.frames) >= 3)
    with Recording(tmp_path / "first.h5") as recording:
        assert {frame.scene for frame in sink.frames} == {SKIN}
        assert recording.info.radiometry == with_scene(TLINEAR, SKIN)
        assert recording.scenes == ()
        np.testing.assert_array_equal(recording.frame(0).celsius, sink.frames[0].celsius)


def test_a_recording_that_starts_later_has_the_scene_in_its_header(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    with Session(RadiometricCamera(PLANCK), None) as session:
        session.wait_opened(10)
        session.set_scene(0.98, 22.0)
        wait_for(lambda: (frame := session.look().frame) and frame.scene == SKIN)
        session.start_recording(tmp_path / "later.h5")
        wait_for(lambda: session.look().counts.recorded >= 3)
    with h5py.File(tmp_path / "later.h5") as file:
        described = json.loads(file.attrs["radiometry"])
        assert len(file["scenes"]) == 0

    assert described["kind"] == "planck"
    assert described["scene"]["emissivity"] == 0.98


def test_a_camera_of_finished_temperatures_refuses_and_goes_on(wait_for: WaitFor) -> None:
    with Session(RadiometricCamera(LinearRadiometry(0.01)), None) as session:
        session.wait_opened(10)
        with pytest.raises(ConfigError, match="set the emissivity in the camera itself"):
            session.set_scene(0.95)
        seen = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured > seen + 3)
        assert session.look().error is None


def test_a_study_s_scene_that_the_camera_cannot_have_is_told(wait_for: WaitFor) -> None:
    session = Session(RadiometricCamera(RelativeCounts("AGC is on")), None)
    session.set_scene(0.98)
    with session:
        wait_for(lambda: session.look().events)
        [event] = session.look().events

    assert event.text.startswith("emissivity not set: there are no temperatures")


@pytest.fixture
def stepped(wait_for: WaitFor, tmp_path: Path) -> Path:
    """A recording whose emissivity was changed in the middle."""
    path, sink = tmp_path / "stepped.h5", ListSink()
    session = Session(RadiometricCamera(TLINEAR), None, [sink])
    session.start_recording(path)
    with session:
        wait_for(lambda: len(sink.frames) >= 5)
        session.set_scene(0.9, 15.0)
        wait_for(lambda: len(sink.frames) >= 10 and sink.frames[-3].scene == Scene(0.9, 15.0))
    return path


def test_a_played_session_shows_the_step_and_another_scene_replaces_both(stepped: Path) -> None:
    def play(options: str = "") -> list[Frame]:
        camera, frames = make_camera(f"file:{stepped}?realtime=false{options}"), []
        camera.open()
        while True:
            try:
                frames.append(camera.read(1.0))
            except StreamEndedError:
                camera.close()
                return frames

    with Recording(stepped) as recording:
        stored = [recording.frame(position) for position in range(len(recording))]
    played = play()

    assert [frame.scene for frame in played] == [frame.scene for frame in stored]
    assert len({frame.scene for frame in played}) == 2
    for one, other in zip(played, stored, strict=True):
        np.testing.assert_array_equal(one.celsius, other.celsius)
        np.testing.assert_array_equal(one.counts, other.counts)


def test_a_recovered_session_keeps_its_scenes(stepped: Path) -> None:
    with Recording(stepped) as before, Recording(recover(stepped).path) as after:
        assert after.scenes == before.scenes != ()
        last = len(after) - 1
        np.testing.assert_array_equal(after.frame(last).celsius, before.frame(last).celsius)


def test_a_change_of_the_scene_that_cannot_be_is_named_and_left_out(stepped: Path) -> None:
    with h5py.File(stepped, "r+") as file:
        row = file["scenes"][0]
        row["emissivity"] = 7.0
        file["scenes"][0] = row
    with Recording(stepped) as recording:
        assert recording.scenes == ()
        assert any(problem.startswith("scenes: 1 of 1 rows") for problem in recording.problems)
        assert recording.frame(-1).scene == Scene(1.0, 20.0)


def test_a_frame_tells_the_scene_of_its_temperatures() -> None:
    frame = make_frame(1, 0.1)
    black = frame.converted(TLINEAR)

    assert frame.scene is None
    assert black.scene == Scene(1.0, 20.0)
    assert black.counts is frame.counts
    assert not black.celsius.flags.writeable
    assert float(frame.celsius.mean()) == pytest.approx(34.0 - KELVIN + KELVIN, abs=0.1)
