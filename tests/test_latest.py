import threading
import time

import pytest

from thermoseg.latest import Latest


def test_peek_shows_the_newest_value_again_and_again() -> None:
    latest: Latest[str] = Latest()
    assert latest.peek() is None

    latest.put("first")
    latest.put("second")

    assert [latest.peek(), latest.peek()] == ["second", "second"]


def test_a_value_is_taken_once() -> None:
    latest: Latest[str] = Latest()
    latest.put("only")

    assert latest.take_newer(timeout_s=1) == "only"
    assert latest.take_newer(timeout_s=0) is None
    assert latest.peek() == "only"


def test_only_values_that_nobody_took_count_as_replaced() -> None:
    latest: Latest[int] = Latest()
    for value in (1, 2, 3):
        latest.put(value)
    latest.take_newer(timeout_s=1)
    latest.put(4)

    assert latest.replaced == 2


def test_taking_waits_for_a_value_from_another_thread() -> None:
    latest: Latest[int] = Latest()
    taken: list[int | None] = []
    reader = threading.Thread(target=lambda: taken.append(latest.take_newer(timeout_s=10)))
    reader.start()
    latest.put(7)
    reader.join(10)

    assert taken == [7]


def test_taking_gives_up_in_time() -> None:
    latest: Latest[int] = Latest()
    began = time.monotonic()

    assert latest.take_newer(timeout_s=0.05) is None
    assert 0.05 <= time.monotonic() - began < 5


def test_closing_wakes_who_waits() -> None:
    latest: Latest[int] = Latest()
    taken: list[int | None] = []
    reader = threading.Thread(target=lambda: taken.append(latest.take_newer(timeout_s=60)))
    reader.start()
    latest.close()
    reader.join(10)

    assert not reader.is_alive()
    assert taken == [None]


def test_the_last_value_can_be_taken_after_closing_but_none_be_put() -> None:
    latest: Latest[int] = Latest()
    latest.put(1)
    latest.close()
    latest.put(2)

    assert latest.closed
    assert latest.take_newer(timeout_s=0) == 1
    assert latest.take_newer(timeout_s=0) is None


@pytest.mark.parametrize("readers_pause_s", [0.0, 0.001])
def test_every_value_is_either_taken_or_counted(readers_pause_s: float) -> None:
    latest: Latest[int] = Latest()
    taken: list[int] = []
    pause = threading.Event()

    def read() -> None:
        while (value := latest.take_newer(timeout_s=10)) is not None:
            taken.append(value)
            pause.wait(readers_pause_s)

    reader = threading.Thread(target=read)
    reader.start()
    for value in range(2000):
        latest.put(value)
    latest.close()
    reader.join(10)

    assert taken == sorted(set(taken))
    assert len(taken) + latest.replaced == 2000
    assert taken[-1] == 1999
