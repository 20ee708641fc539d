"""A mask is shown on its own frame while it keeps up, and never pretends otherwise."""

import pytest

from tests.ui.conftest import FakeSession
from thermoseg.frames import Frame
from ui.live.pairing import Pairing


@pytest.fixture
def frames(session: FakeSession) -> list[Frame]:
    return [session.show(index) for index in range(120)]


def test_without_a_mask_the_newest_frame_is_shown(frames: list[Frame]) -> None:
    shown = Pairing().choose(frames[5], None)

    assert shown.frame is frames[5]
    assert shown.result is None


def test_a_mask_that_keeps_up_is_shown_on_its_own_frame(
    session: FakeSession, frames: list[Frame]
) -> None:
    shown = Pairing().choose(frames[12], session.segment(frames[10]))

    assert shown.frame is frames[10]
    assert shown.behind_s == 0


def test_a_slow_mask_lies_over_the_newest_frame_and_says_so(
    session: FakeSession, frames: list[Frame]
) -> None:
    shown = Pairing().choose(frames[16], session.segment(frames[10]))

    assert shown.frame is frames[16]
    assert shown.result is not None
    assert shown.behind_s == pytest.approx(0.2)


def test_an_outdated_mask_is_left_out(session: FakeSession, frames: list[Frame]) -> None:
    shown = Pairing().choose(frames[60], session.segment(frames[10]))

    assert shown.result is None
    assert shown.behind_s == pytest.approx(50 / 30)


def test_the_picture_never_steps_back_while_masks_are_sometimes_late(
    session: FakeSession, frames: list[Frame]
) -> None:
    pairing, shown = Pairing(), []
    for newest in range(20, 45):
        behind = 4 if newest % 5 == 0 else 2
        shown.append(pairing.choose(frames[newest], session.segment(frames[newest - behind])))

    indices = [each.frame.index for each in shown]
    assert indices == sorted(indices)


def test_masks_that_keep_up_again_are_paired_again(
    session: FakeSession, frames: list[Frame]
) -> None:
    pairing = Pairing()
    pairing.choose(frames[16], session.segment(frames[10]))

    assert pairing.choose(frames[30], session.segment(frames[29])).frame is frames[30]
    assert pairing.choose(frames[50], session.segment(frames[49])).frame is frames[49]


def test_a_clock_that_starts_anew_is_no_delay(session: FakeSession, frames: list[Frame]) -> None:
    pairing = Pairing()
    pairing.choose(frames[100], session.segment(frames[90]))

    assert pairing.choose(frames[2], session.segment(frames[1])).frame is frames[1]
