"""Before a recording it is said what speaks against it, and how long the disk lasts."""

from dataclasses import replace
from math import inf

import pytest

from tests.ui.conftest import FakeSession
from thermoseg.session_view import SessionView
from ui.live.checklist import list_doubts, seconds_left

PLENTY = 10**12


def good_view(session: FakeSession) -> SessionView:
    session.segment(session.show(1))
    return session.look()


def test_nothing_speaks_against_a_face_on_an_empty_disk(session: FakeSession) -> None:
    assert list_doubts(good_view(session), PLENTY, 600.0, pictures=True) == {}


def test_each_doubt_has_its_name(session: FakeSession) -> None:
    view = good_view(session)

    def doubts(**changes: object) -> set[str]:
        return set(list_doubts(replace(view, **changes), PLENTY, 0.0, pictures=True))  # type: ignore[arg-type]

    assert doubts(model=None) == {"model"}
    assert doubts(result=None) == {"face"}
    assert doubts(lost="unplugged") == {"camera"}
    counts_only = FakeSession(radiometric=False)
    assert doubts(info=counts_only.info) == {"celsius"}


def test_a_disk_shorter_than_the_session_is_said_with_both_lengths(session: FakeSession) -> None:
    # 64×48 pixels of 2 bytes, 30 a second, packed to six tenths: 110 592 bytes a second.
    view = good_view(session)
    minutes_10 = 110_592 * 600

    assert seconds_left(view, minutes_10, pictures=True) == pytest.approx(600)
    assert "disk" not in list_doubts(view, minutes_10, 599.0, pictures=True)
    told = list_doubts(view, minutes_10, 1200.0, pictures=True)["disk"]
    assert told == "the disk holds 10 min, the session takes 20 min"


def test_traces_alone_and_an_unknown_disk_are_long_enough(session: FakeSession) -> None:
    view = good_view(session)

    assert seconds_left(view, 1000, pictures=False) == inf
    assert seconds_left(view, -1, pictures=True) == inf
