"""The telemetry of a Lepton, word by word, and what is no telemetry."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.lepton_telemetry import FfcState, Telemetry
from thermoseg.errors import FormatError

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no fault of the parser."""


def recorded() -> np.ndarray:
    """Words of a real Lepton 3.5, as far as they are known: rows A, B, C and an empty one."""
    words = np.zeros(320, np.uint16)
    words[[0, 22, 23, 24, 25, 26, 29, 32]] = 14, 3241, 7021, 30613, 8596, 30518, 30663, 30554
    for at, value in {1: 6_829_926, 3: 0x830, 20: 59_884, 30: 6_730_814}.items():
        words[at], words[at + 1] = value & 0xFFFF, value >> 16
    words[5:9] = 0x5F2A, 0x0012, 0x0000, 0x8000
    words[160 + 48 : 160 + 54] = 1, 1, 29487, 29500, 29481, 4
    return words


def test_a_real_lepton_is_understood() -> None:
    telemetry = Telemetry.parse(recorded().reshape(2, 160))

    assert telemetry.revision == 14
    assert telemetry.uptime_ms == 6_829_926
    assert telemetry.frame_counter == 59_884
    assert telemetry.ffc_state is FfcState.DONE
    assert telemetry.ffc_uptime_ms == 6_730_814
    assert telemetry.fpa_c == pytest.approx(32.98)
    assert telemetry.housing_c == pytest.approx(32.03)
    assert telemetry.serial == "8000000000125f2a"
    assert (telemetry.tlinear, telemetry.resolution_k) == (True, 0.01)
    assert not telemetry.agc
    assert not telemetry.shutter_locked
    assert not telemetry.overheating


@pytest.mark.parametrize(
    ("status", "state"), [(0x800, 0), (0x810, 1), (0x820, 2), (0x830, 3)], ids=FfcState.__members__
)
def test_the_shutter_has_four_states(status: int, state: int) -> None:
    words = recorded()
    words[3] = status

    assert Telemetry.parse(words).ffc_state == state


@pytest.mark.parametrize(
    ("bit", "name"), [(12, "agc"), (15, "shutter_locked"), (20, "overheating")]
)
def test_each_status_bit_has_its_place(bit: int, name: str) -> None:
    words = recorded()
    words[3], words[4] = (1 << bit) & 0xFFFF, (1 << bit) >> 16
    telemetry = Telemetry.parse(words)

    on = {other for other in ("agc", "shutter_locked", "overheating") if getattr(telemetry, other)}
    assert on == {name}


def test_tlinear_says_whether_and_how_fine() -> None:
    words = recorded()
    words[160 + 49] = 0
    assert Telemetry.parse(words).resolution_k == 0.1

    words[160 + 48] = 0
    assert Telemetry.parse(words).tlinear is False


def test_a_lepton_2_has_three_rows_of_80() -> None:
    telemetry = Telemetry.parse(recorded()[:240].reshape(3, 80))

    assert telemetry.frame_counter == 59_884
    assert telemetry.resolution_k == 0.01


def test_row_a_alone_leaves_the_calibration_open() -> None:
    telemetry = Telemetry.parse(recorded()[:80].reshape(1, 80))

    assert telemetry.frame_counter == 59_884
    assert telemetry.tlinear is None
    assert telemetry.resolution_k is None


@pytest.mark.parametrize("pixel", [0, 255, 2950, 8192, 29_500, 65_535])
def test_pixels_in_its_place_are_no_telemetry(pixel: int) -> None:
    with pytest.raises(FormatError, match="shifted"):
        Telemetry.parse(np.full((2, 160), pixel, np.uint16))


def test_a_piece_of_a_row_is_refused() -> None:
    with pytest.raises(FormatError, match="79 words instead of 80"):
        Telemetry.parse(recorded()[:79])


@PATIENT
@given(st.binary(max_size=800))
def test_whatever_comes_is_understood_or_refused(stream: bytes) -> None:
    words = np.frombuffer(stream[: len(stream) // 2 * 2], "<u2")
    try:
        telemetry = Telemetry.parse(words)
    except FormatError:
        return
    assert 0 <= telemetry.frame_counter < 1 << 32
    assert -74 < telemetry.fpa_c < 127


@PATIENT
@given(st.binary(min_size=640, max_size=640), st.integers(1, 2047), st.integers(20_001, 39_999))
def test_whatever_looks_like_telemetry_is_understood(
    stream: bytes, revision: int, fpa: int
) -> None:
    words = np.frombuffer(stream, "<u2").copy()
    words[0], words[24] = revision, fpa

    assert Telemetry.parse(words).fpa_c == pytest.approx(fpa / 100 - 273.15)
