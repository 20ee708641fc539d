"""Another rate than was asked for is said, steadily, and no longer than it lasts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import WaitFor
from tests.session_parts import ScriptedCamera
from thermoseg import rate_watch
from thermoseg.rate_watch import RateWatch, asked_rate_hz
from thermoseg.session import Session


def notes(*stretches: tuple[float, float], asked_hz: float = 30.0) -> list[str]:
    """What is said at each half second of stretches of (seconds, rate)."""
    watch, now_s, said = RateWatch(), 0.0, []
    for seconds, rate_hz in stretches:
        for _ in range(int(seconds * 2)):
            said.append(watch.note(now_s, rate_hz, asked_hz))
            now_s += 0.5
    return said


def test_a_camera_that_is_too_slow_is_told_after_a_few_seconds_and_no_longer_when_it_is_right() -> (
    None
):
    said = notes((10, 8.7), (10, 30.1))

    assert said[:6] == [""] * 6
    assert said[6:20] == ["the camera delivers 8.7/s, asked for 30/s"] * 14
    assert said[-1] == ""


def test_a_camera_that_is_too_fast_is_told_as_well() -> None:
    assert notes((5, 60.0))[-1] == "the camera delivers 60/s, asked for 30/s"


@pytest.mark.parametrize(
    "stretches",
    [
        pytest.param([(20, 28.0)], id="almost right"),
        pytest.param([(2, 8.0), (2, 30.0)] * 5, id="for a moment, again and again"),
        pytest.param([(20, 0.0)], id="nothing to measure"),
    ],
)
def test_what_is_no_wrong_rate_is_not_told(stretches: list[tuple[float, float]]) -> None:
    assert not any(notes(*stretches))


def test_a_rate_at_the_limit_does_not_flicker() -> None:
    said = notes((5, 20.0), *[(0.5, 27.2), (0.5, 26.8)] * 20)

    assert all(said[10:])


def test_without_a_nominal_rate_any_is_right() -> None:
    assert not any(notes((10, 8.7), asked_hz=0.0))


@given(st.lists(st.floats(0, 1000), max_size=60))
def test_the_note_changes_at_most_every_three_seconds(rates_hz: list[float]) -> None:
    watch, told = RateWatch(), [False]
    told += [bool(watch.note(float(second), max(r, 0.1), 30)) for second, r in enumerate(rates_hz)]
    changes = [second for second in range(1, len(told)) if told[second] != told[second - 1]]

    assert all(later - earlier >= 3 for earlier, later in pairwise(changes))


@pytest.mark.parametrize(
    ("address", "rate_hz"),
    [
        ("simulated:?rate_hz=12.5&width=64", 12.5),
        ("simulated:", 0.0),
        ("", 0.0),
        ("gige:?rate_hz=fast", 0.0),
        ("gige:?rate_hz=nan", 0.0),
    ],
)
def test_the_rate_that_was_asked_for_stands_in_the_address(address: str, rate_hz: float) -> None:
    assert asked_rate_hz(address) == rate_hz


def test_a_session_says_so_while_its_camera_is_there(
    wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_watch, "SURE_S", 0.05)
    session = Session(ScriptedCamera(range(100_000)), None, address="fake:?rate_hz=1000")
    session.start()
    wait_for(lambda: session.look().rate_note)
    said = session.look().rate_note
    session.stop()

    assert said.endswith("/s, asked for 1000/s")
    assert session.look().rate_note == "", "nobody delivers any more"


def test_a_file_has_no_rate_to_keep(wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_watch, "SURE_S", 0.0)
    camera = ScriptedCamera(range(100_000), live=False)
    session = Session(camera, None, address="fake:?rate_hz=1000")
    session.start()
    wait_for(lambda: session.look().counts.camera_rate_hz > 0)
    notes = {session.look().rate_note for _ in range(20)}
    session.stop()

    assert notes == {""}
