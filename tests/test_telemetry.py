"""What cameras tell of themselves, in words."""

import math

import pytest

from thermoseg.telemetry import describe_front, describe_telemetry


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("battery_percent", 83, "battery 83 %"),
        ("battery_volt", 3.914, "battery 3.914 V"),
        ("fpa_c", 29.4, "FPA 29.4 °C"),
        ("uptime_s", 12.0, "uptime 12 s"),
        ("packets_lost", 4, "packets lost 4"),
        ("frames_completed", 1234567, "frames completed 1234567"),
        ("shutter", "closed", "shutter closed"),
        ("serial_c", "abc", "serial c abc"),
        ("c", 3.0, "c 3"),
        ("fpa_c", math.nan, "FPA unknown"),
    ],
)
def test_an_entry_in_words(name: str, value: float | str, words: str) -> None:
    assert describe_telemetry({name: value}) == [words]


def test_the_battery_is_seen_without_asking() -> None:
    assert describe_front({"fpa_c": 29.4, "battery_percent": 7.0}) == "battery 7 %"
    assert describe_front({"fpa_c": 29.4}) == ""
