"""What waits is seen with its trend, before anything is lost."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.conftest import WaitFor
from tests.session_parts import FaceSegmenter, ScriptedCamera, StuckSink, make_frame
from thermoseg.backlog import Backlog, BacklogTrends, Waiting, waiting_for_network
from thermoseg.session import Session


def follow(counts: Iterable[int], each_s: float = 0.25) -> list[Backlog]:
    trends = BacklogTrends()
    return [
        trends.look(number * each_s, [Waiting("recorder", count, 100)])[0]
        for number, count in enumerate(counts)
    ]


def test_a_queue_that_grows_is_rising_before_it_is_full() -> None:
    backlogs = follow(range(0, 100, 5))

    assert backlogs[-1].rising
    first = next(backlog for backlog in backlogs if backlog.rising)
    assert first.share < 0.6
    assert not backlogs[0].rising


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param([80] * 30, id="full but steady"),
        pytest.param(range(100, 0, -4), id="falling"),
        pytest.param([0, 3] * 15, id="restless"),
        pytest.param([*range(0, 60, 6), *[60] * 15], id="grown and steady since"),
    ],
)
def test_a_queue_that_does_not_grow_is_not_rising(counts: Iterable[int]) -> None:
    assert not follow(counts)[-1].rising


def test_looking_often_does_not_shorten_the_memory() -> None:
    assert follow((number // 2 for number in range(190)), each_s=0.03)[-1].rising


def test_a_queue_that_was_away_begins_anew() -> None:
    trends = BacklogTrends()
    for second in range(5):
        trends.look(float(second), [Waiting("recorder", 0, 100)])
    assert trends.look(5.0, []) == ()

    (back,) = trends.look(6.0, [Waiting("recorder", 90, 100)])
    assert (back.waiting, back.rising) == (90, False)


def test_without_room_nothing_is_full() -> None:
    assert Backlog("recorder", 0, 0, rising=False).share == 0.0


def test_the_network_without_a_mask_is_as_late_as_can_be() -> None:
    assert waiting_for_network(None, None, 30.0) == Waiting("network", 0, 30)
    assert waiting_for_network(make_frame(7, 0.0), None, 30.0) == Waiting("network", 30, 30)


def backlog(session: Session, name: str) -> Backlog | None:
    found = [each for each in session.look().backlogs if each.name == name]
    return found[0] if found else None


def test_a_sink_that_hangs_a_slow_network_and_the_recorder_are_seen(
    wait_for: WaitFor, tmp_path: Path
) -> None:
    sink = StuckSink()
    session = Session(ScriptedCamera(range(10_000)), FaceSegmenter(seconds=0.3), [sink])
    session.start()
    session.wait_opened(10)
    wait_for(lambda: (late := backlog(session, "the sink StuckSink")) and late.rising)
    wait_for(lambda: (late := backlog(session, "network")) and late.waiting >= 10)
    assert backlog(session, "recorder") is None

    session.start_recording(tmp_path / "s.h5")
    recorder = backlog(session, "recorder")
    session.stop_recording()
    sink.let_go.set()
    after = backlog(session, "recorder")
    session.stop()

    assert recorder is not None
    assert recorder.capacity >= 100, "a second of frames"
    assert 0 <= recorder.waiting < recorder.capacity
    assert after is None, "nothing waits for a recording that is finished"
