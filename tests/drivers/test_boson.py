"""Boson: the real flirpy over a camera that exists in memory."""

import struct
import time
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray

import drivers.boson
from drivers import boson_link, picture_stream, uvc_capture, vendor_library
from drivers.boson import BosonCamera
from drivers.boson_link import SerialPorts
from tests.conftest import WaitFor
from tests.drivers.boson_stand_in import BosonPort, boson_picture
from tests.drivers.conftest import PlugBoson, in_session, reason_of
from tests.drivers.hand_clock import HandClock
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    DriverMissingError,
    FrameRefusedError,
)
from thermoseg.frames import FrameFlag
from thermoseg.radiometry import LinearRadiometry, RelativeCounts
from thermoseg.session import Session

FFC_MODE = 0x00050013
"""Function that reads when a Boson corrects itself: 0 manual, 1 automatic, 2 external."""
FLAGS = ~FrameFlag.UNCALIBRATED


def test_a_boson_streams_relative_counts_with_the_reason(boson: PlugBoson) -> None:
    camera = boson()
    info = camera.open()
    frames = [camera.read(0.25) for _ in range(3)]

    assert (info.model, info.serial, info.width, info.height) == (
        "FLIR Boson 320",
        "93588",
        320,
        256,
    )
    assert info.rate_hz == 60
    assert isinstance(info.radiometry, RelativeCounts)
    assert "tlinear" in reason_of(info)
    assert [np.array_equal(f.counts, boson_picture(n)) for n, f in enumerate(frames)] == [True] * 3
    assert all(frame.flags & FrameFlag.UNCALIBRATED for frame in frames)


def test_a_large_boson_keeps_its_own_size(boson: PlugBoson) -> None:
    info = boson(lambda number: boson_picture(number, 512, 640), uvc={"sizes": [(640, 512)]}).open()

    assert (info.model, info.width, info.height) == ("FLIR Boson 640", 640, 512)


@pytest.mark.parametrize("shape", [(1, 320 * 256 * 2), (256, 320, 2)])
def test_flattened_pictures_are_put_right(shape: tuple[int, ...], boson: PlugBoson) -> None:
    camera = boson(lambda number: boson_picture(number).view(np.uint8).reshape(shape))
    camera.open()

    assert np.array_equal(camera.read(0.25).counts, boson_picture(0))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(np.zeros((258, 320), np.uint16), id="telemetry-rows"),
        pytest.param(np.zeros((256, 320, 3), np.uint8), id="colours"),
        pytest.param(np.zeros((256, 320), np.uint8), id="8-bit"),
    ],
)
def test_pictures_of_another_kind_are_refused_never_cut(
    wrong: NDArray[Any], boson: PlugBoson
) -> None:
    camera = boson(lambda number: wrong if number == 1 else boson_picture(number))
    camera.open()
    camera.read(0.25)
    with pytest.raises(FrameRefusedError):
        camera.read(0.25)

    assert np.array_equal(camera.read(0.25).counts, boson_picture(2))


def test_an_unplugged_boson_is_lost_and_not_none_for_ever(boson: PlugBoson) -> None:
    camera = boson()
    camera.open()
    camera.read(0.25)
    boson.uvc.present = False
    with pytest.raises(CameraLostError, match="plug it in again"):
        camera.read(0.25)
    camera.close()

    assert boson.uvc.released == 1


def test_the_shutter_is_known_from_the_camera(boson: PlugBoson, boson_port: BosonPort) -> None:
    camera = boson()
    camera.open()
    frames = []
    for number in range(240):
        boson_port.values[0x0005000C] = struct.pack(">H", 2 if 30 <= number < 60 else 3)
        frames.append(camera.read(0.25))
    flags = [frame.flags & FLAGS for frame in in_session(frames)]
    closed = [n for n, flag in enumerate(flags) if flag == FrameFlag.SHUTTER]
    after = [n for n, flag in enumerate(flags) if flag == FrameFlag.AFTER_SHUTTER]

    # It is asked four times a second, 15 pictures apart.
    assert 30 <= closed[0] <= 45
    assert 60 <= closed[-1] + 1 <= 75
    assert closed == list(range(closed[0], closed[-1] + 1))
    assert after == list(range(closed[-1] + 1, closed[-1] + 120))


def test_a_frozen_picture_is_the_shutter_too(boson: PlugBoson) -> None:
    camera = boson(lambda number: boson_picture(min(number, 5)))
    camera.open()
    flags = [camera.read(0.25).flags & FLAGS for _ in range(10)]

    assert flags[:6] == [FrameFlag.NONE] * 6
    assert flags[6:8] == [FrameFlag.DUPLICATE] * 2
    assert flags[8:] == [FrameFlag.DUPLICATE | FrameFlag.SHUTTER] * 2


def test_a_correction_can_be_asked_for(boson: PlugBoson, boson_port: BosonPort) -> None:
    camera = boson()
    camera.open()
    camera.read(0.25)
    camera.actions["Flat-field correction"]()

    assert boson_port.told[-1] == (0x00050007, b"")
    assert camera.read(0.25).flags & FrameFlag.SHUTTER


@pytest.mark.parametrize("mode", [1, 2], ids=["automatic", "external"])
def test_a_boson_waits_to_be_asked_for_corrections_and_then_goes_on_as_before(
    mode: int, boson: PlugBoson, boson_port: BosonPort
) -> None:
    boson_port.values[FFC_MODE] = struct.pack(">I", mode)
    camera = boson()
    camera.open()
    camera.set_automatic_correction(False)
    assert boson_port.values[FFC_MODE] == struct.pack(">I", 0)
    camera.set_automatic_correction(True)
    assert boson_port.values[FFC_MODE] == struct.pack(">I", mode)
    camera.set_automatic_correction(False)
    camera.close()

    assert boson_port.values[FFC_MODE] == struct.pack(">I", mode)


def test_a_boson_whose_cable_was_pulled_gets_its_mode_back_when_it_is_opened_again(
    boson: PlugBoson, boson_port: BosonPort
) -> None:
    camera = boson()
    camera.open()
    camera.set_automatic_correction(False)
    boson_port.silent = True
    camera.close()
    boson_port.silent = False
    camera.open()

    assert boson_port.values[FFC_MODE] == struct.pack(">I", 1)


def test_a_session_outlives_the_pulled_cable_of_a_boson(
    boson: PlugBoson,
    boson_port: BosonPort,
    wait_for: WaitFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (drivers.boson, boson_link, picture_stream, uvc_capture):
        monkeypatch.setattr(module, "time", time)
    camera = boson()
    with Session(camera, None) as session:
        wait_for(lambda: session.look().counts.captured > 5)
        boson.uvc.present, boson_port.silent = False, True
        wait_for(lambda: session.look().lost)
        boson.uvc.present, boson_port.silent = True, False
        wait_for(lambda: session.look().counts.reopened == 1 and not session.look().lost)
        seen = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured > seen + 5)
        wait_for(lambda: session.look().telemetry.get("sensor_serial") == "7001")

    assert session.look().counts.gaps == 1


def test_once_opened_it_stays_with_the_same_boson(boson: PlugBoson) -> None:
    camera = boson()
    camera.open()
    boson.uvc.present, boson.uvc.others = False, [boson.uvc.twin]
    with pytest.raises(CameraError, match="no Boson “93588” is plugged in"):
        camera.open()
    boson.uvc.present = True

    assert camera.open().serial == "93588"
    assert boson.uvc.plugged == ["/dev/video7"] * 2


def test_options_are_set_and_read_back(boson: PlugBoson, boson_port: BosonPort) -> None:
    boson(gain="low", shutter="manual").open()

    assert (0x00050014, struct.pack(">I", 1)) in boson_port.told
    assert (0x00050012, struct.pack(">I", 0)) in boson_port.told


def test_a_boson_says_who_it_is(boson: PlugBoson) -> None:
    camera = boson()
    camera.open()

    assert camera.telemetry() == {"sensor_serial": "7001", "gain": "high", "fpa_c": 38.0}


def test_a_boson_tells_of_its_shutter_and_temperature_while_it_streams(
    boson: PlugBoson, boson_port: BosonPort
) -> None:
    camera = boson()
    camera.open()
    camera.read(0.25)
    before = camera.telemetry()
    boson_port.values[0x00050030] = struct.pack(">H", 415)
    boson_port.values[0x0005000C] = struct.pack(">H", 2)
    for _ in range(70):
        camera.read(0.25)
    told = camera.telemetry()
    asked = [function for function, _ in boson_port.told].count(0x00050030)

    assert (before["fpa_c"], before["shutter"]) == (38.0, "open")
    assert (told["fpa_c"], told["shutter"]) == (41.5, "closed")
    assert asked == 2, "at opening, and once in the second since"


def test_a_boson_that_falls_silent_tells_nothing_old(
    boson: PlugBoson, boson_port: BosonPort
) -> None:
    camera = boson()
    camera.open()
    camera.read(0.25)
    boson_port.spoil = lambda reply: (
        reply if int.from_bytes(reply[6:10], "big") != 0x00050030 else b""
    )
    for _ in range(70):
        camera.read(0.25)
    without_fpa = camera.telemetry()
    boson_port.silent = True
    for _ in range(70):
        camera.read(0.25)

    assert without_fpa == {"sensor_serial": "7001", "gain": "high", "shutter": "open"}
    assert camera.telemetry() == {"sensor_serial": "7001", "gain": "high"}


def test_opening_a_boson_ends_in_time_whatever_comes(
    boson: PlugBoson, boson_port: BosonPort, clock: HandClock
) -> None:
    def late(number: int) -> NDArray[np.uint16]:
        clock.sleep(0.95 if number == 0 else 0)
        return np.zeros((256, 300), np.uint16)

    boson_port.silent = True
    start_s = clock.now
    with pytest.raises(CameraError, match="was due"):
        boson(late).open()

    assert clock.now - start_s < 1.95


def test_a_radiometric_boson_gives_hundredths_of_a_kelvin(
    boson: PlugBoson, boson_port: BosonPort
) -> None:
    camera = boson(lambda number: boson_picture(number) + np.uint16(number == 0), tlinear=True)
    info = camera.open()
    frame = camera.read(0.25)

    assert (0x000E000D, struct.pack(">I", 2)) in boson_port.told
    assert info.radiometry == LinearRadiometry(0.01)
    assert np.allclose(frame.celsius, frame.counts * 0.01 - 273.15, atol=1e-4)


def test_a_boson_that_is_not_radiometric_says_so(boson: PlugBoson, boson_port: BosonPort) -> None:
    boson_port.sets.pop(0x000E000D)
    with pytest.raises(CameraError, match="not a radiometric Boson; leave tlinear away"):
        boson(tlinear=True).open()

    assert boson_port.closed


def test_counts_that_cannot_be_kelvin_are_not_shown_as_such(
    boson: PlugBoson, boson_port: BosonPort
) -> None:
    boson_port.values[0x000E000E] = struct.pack(">I", 2)
    info = boson(lambda number: boson_picture(number) // 4).open()

    assert isinstance(info.radiometry, RelativeCounts)
    assert "0.01 K" in reason_of(info)


@pytest.mark.parametrize(
    "serial_ports",
    [
        pytest.param([], id="none"),
        pytest.param(
            [SimpleNamespace(vid=0x09CB, pid=0x4007, serial_number="other", device="/dev/a")],
            id="of-another-boson",
        ),
        pytest.param(
            [SimpleNamespace(vid=0x2341, pid=1, serial_number="93588", device="/dev/a")],
            id="of-something-else",
        ),
    ],
)
def test_without_its_serial_port_there_is_video_alone(
    serial_ports: list[SimpleNamespace], boson: PlugBoson
) -> None:
    camera = boson(serial_ports=serial_ports)
    camera.open()

    assert camera.read(0.25).counts.shape == (256, 320)
    with pytest.raises(CameraError, match=r"takes no commands.*install-udev"):
        camera.run_ffc()
    with pytest.raises(CameraError, match=r"takes no commands.*install-udev"):
        camera.set_automatic_correction(False)
    with pytest.raises(CameraError, match=r"gain cannot be set.*install-udev"):
        boson(serial_ports=serial_ports, gain="high").open()


def test_a_serial_port_that_may_not_be_opened_costs_only_the_commands(
    boson: PlugBoson, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    camera = boson()

    def refuse(path: str) -> NoReturn:
        # As pyserial writes it.
        raise OSError(13, f"could not open port {path}: [Errno 13] Permission denied: '{path}'")

    monkeypatch.setattr(BosonCamera, "ports", SerialPorts(BosonCamera.ports.find, refuse))
    camera.open()

    assert camera.read(0.25).index == 0
    assert "takes no commands (/dev/tty: Permission denied)" in caplog.text


def test_a_boson_is_listed_by_its_serial_number(boson: PlugBoson) -> None:
    boson()
    (listing,) = BosonCamera.discover()

    assert listing.address == "boson:93588"
    assert (listing.width, listing.height, listing.rate_hz) == (320, 256, 60)
    assert listing.problem == ""


def test_what_keeps_a_boson_from_being_used_is_listed(boson: PlugBoson) -> None:
    boson(uvc={"refusal": PermissionError(13, "no")})
    assert "install-udev" in BosonCamera.discover()[0].problem
    boson(uvc={"fourcc": "I420"})
    assert "Y16" in BosonCamera.discover()[0].problem
    boson(uvc={"platform": "darwin"})
    assert "macOS" in BosonCamera.discover()[0].problem
    with pytest.raises(CameraError, match="macOS"):
        boson(uvc={"platform": "darwin"}).open()


def test_closing_a_boson_frees_both_halves_and_it_opens_again(
    boson: PlugBoson, boson_port: BosonPort
) -> None:
    camera = boson()
    before = camera.open()
    camera.close()
    camera.close()

    assert boson_port.closed
    assert boson.uvc.released == 1
    with pytest.raises(CameraError, match="not open"):
        camera.read(0.1)
    with pytest.raises(CameraError, match="not open"):
        camera.run_ffc()
    assert camera.open() == before


def test_a_missing_library_is_named(boson: PlugBoson, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> NoReturn:
        raise ImportError(name)

    camera = boson()
    monkeypatch.setattr(vendor_library, "import_module", refuse)
    for use in (camera.open, BosonCamera.discover):
        with pytest.raises(DriverMissingError, match="a Boson needs flirpy; pip install flirpy"):
            use()
