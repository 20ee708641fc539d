"""Memory that runs out is seen in time, and a machine that is merely full is left alone."""

from collections.abc import Iterable

import pytest

from thermoseg.memory_guard import Memory, MemoryGuard, read_memory

MB = 1_000_000
TOTAL = 16_000 * MB  # 3 % of it are 480 MB


def complaints(free_mb: Iterable[float]) -> list[str]:
    """What the guard says, asked once a second while memory is so free."""
    values = list(free_mb)
    feed = iter(values)
    guard = MemoryGuard(lambda: Memory(int(next(feed) * MB), TOTAL))
    return [guard.complaint(float(second)) for second in range(len(values))]


def test_memory_below_three_percent_that_goes_on_falling_is_told_before_it_is_gone() -> None:
    said = complaints(900 - 40 * second for second in range(20))

    assert not any(said[:11]), "above 3 % it is nobody's business"
    assert "460 MB of 16 GB" in said[11]


@pytest.mark.parametrize(
    "free_mb",
    [
        pytest.param([300.0] * 60, id="low and steady"),
        pytest.param([300.0, 310, 290, 305, 295, 300] * 10, id="low and restless"),
        pytest.param([100 + 5.0 * second for second in range(60)], id="low and rising"),
        pytest.param([5000 - 60.0 * second for second in range(60)], id="falling with much left"),
        pytest.param([500.0] * 20 + [300.0] * 40, id="a program that takes its share once"),
        pytest.param([300.0, 280, 320, 300, 280] * 12, id="busy"),
        pytest.param([400 - 0.5 * second for second in range(60)], id="falling for ten minutes"),
    ],
)
def test_a_machine_that_is_only_low_is_left_alone(free_mb: list[float]) -> None:
    assert not any(complaints(free_mb))


def test_a_leak_in_an_instant_is_seen_within_three_seconds() -> None:
    said = complaints([2000.0] * 10 + [450.0, 350, 250, 150])

    assert any(said[:13])


def test_one_low_look_after_a_pause_is_not_a_fall() -> None:
    feed = iter([Memory(1000 * MB, TOTAL), Memory(300 * MB, TOTAL)])
    guard = MemoryGuard(lambda: next(feed))

    assert guard.complaint(0.0) == ""
    assert guard.complaint(3600.0) == ""


def test_this_machine_has_memory() -> None:
    memory = read_memory()

    assert 0 < memory.free_bytes <= memory.total_bytes
