"""Sinks come, go and hang; what they lose stays in the account."""

import time

import pytest

from tests.session_parts import ListSink, StuckSink, make_frame
from thermoseg.sinks import SINK_QUEUE, FanOut


def soon() -> float:
    return time.monotonic() + 10


def test_what_a_sink_has_lost_is_counted_after_it_is_gone() -> None:
    stuck, told = StuckSink(), list[str]()
    sinks = FanOut([stuck], told.append)
    sinks.start()
    sinks.put(make_frame(0, 0.0))
    assert stuck.at_work.wait(30)
    for index in range(1, SINK_QUEUE + 10):
        sinks.put(make_frame(index, float(index)))
    assert sinks.dropped == 9
    stuck.let_go.set()
    sinks.remove(stuck, soon())

    assert sinks.dropped == 9
    assert stuck.indices == list(range(SINK_QUEUE + 1))
    with pytest.raises(ValueError, match="is not a sink"):
        sinks.remove(stuck, soon())


def test_what_a_sink_loses_while_it_is_removed_is_counted_too() -> None:
    stuck = StuckSink()
    sinks = FanOut([stuck], lambda _: None)
    sinks.start()
    sinks.put(make_frame(0, 0.0))
    assert stuck.at_work.wait(30)
    for index in range(1, 5):
        sinks.put(make_frame(index, float(index)))
    sinks.remove(stuck, time.monotonic())
    stuck.let_go.set()

    assert sinks.dropped == 4


def test_one_that_hangs_is_named_and_not_those_beside_it() -> None:
    stuck, sound = StuckSink(), ListSink()
    sinks = FanOut([stuck, sound], lambda _: None)
    sinks.start()
    sinks.put(make_frame(0, 0.0))
    assert stuck.at_work.wait(30)

    hanging = sinks.stop(time.monotonic() + 1)
    stuck.let_go.set()

    assert hanging == ["the sink StuckSink"]
    assert sound.indices == [0]


def test_one_that_is_added_before_the_start_gets_everything() -> None:
    sink = ListSink()
    sinks = FanOut([], lambda _: None)
    sinks.add(sink)
    sinks.start()
    sinks.put(make_frame(0, 0.0))

    assert sinks.stop(soon()) == []
    assert sink.indices == [0]
