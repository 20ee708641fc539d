"""Tau: the real flirpy, pyftdi and pyusb over a grabber that exists in memory."""

import binascii
import errno
import struct
import time
from collections.abc import Iterator
from typing import NoReturn

import numpy as np
import pytest

import drivers.tau
from drivers import vendor_library
from drivers.tau import TauCamera, TauOptions
from tests.conftest import WaitFor
from tests.drivers.conftest import in_session, reason_of
from tests.drivers.hand_clock import HandClock
from tests.drivers.tau_stand_in import Grabber, tau_counts, teax
from tests.drivers.virtual_usb import VirtualBus, VirtualDevice
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraTimeoutError,
    DriverMissingError,
)
from thermoseg.frames import FrameFlag
from thermoseg.radiometry import LinearRadiometry, RelativeCounts
from thermoseg.session import Session

FLAGS = ~FrameFlag.UNCALIBRATED


class PlugTau:
    """Plugs in Taus and makes a camera; `device` is the first USB device of the last time."""

    device: VirtualDevice

    def __init__(self, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[TauCamera] = []
        self._clock, self._monkeypatch = clock, monkeypatch

    def __call__(self, *grabbers: Grabber, target: str = "", **differences: object) -> TauCamera:
        devices = [
            VirtualDevice(
                firmware=grabber,
                vendor=0x0403,
                product=0x6010,
                release=0x0700,
                interfaces={(0, 0): (0x81, 0x02), (1, 0): (0x83, 0x04)},
                texts={3: f"TX{number}"},
                ports=(number + 1,),
                active=1,
            )
            for number, grabber in enumerate(grabbers or [Grabber(self._clock)])
        ]
        for name, value in differences.items():
            for device in devices:
                setattr(device, name, value)
        self._monkeypatch.setattr(TauCamera, "backend", VirtualBus(*devices))
        self.device = devices[0]
        self.made.append(TauCamera(target, TauOptions()))
        return self.made[-1]


@pytest.fixture
def tau(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlugTau]:
    """Plug in a Tau and make its camera."""
    plug = PlugTau(clock, monkeypatch)
    yield plug
    for camera in plug.made:
        camera.close()


def test_a_tau_streams_steps_of_forty_millikelvin(tau: PlugTau) -> None:
    camera = tau()
    info = camera.open()
    frames = [camera.read(0.25) for _ in range(3)]

    assert (info.model, info.serial, info.width, info.height) == ("FLIR Tau 336", "TX0", 336, 256)
    assert [np.array_equal(f.counts, tau_counts(n)) for n, f in enumerate(frames)] == [True] * 3
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert info.radiometry == LinearRadiometry(0.04)
    assert frames[0].celsius[5, 7] == pytest.approx(tau_counts(0)[5, 7] * 0.04 - 273.15, abs=1e-4)


def test_a_large_tau_is_not_turned_on_its_side(tau: PlugTau, clock: HandClock) -> None:
    counts = tau_counts(3, 640, 512)
    camera = tau(Grabber(clock, [teax(counts)] * 2))
    camera.open()

    assert np.array_equal(camera.read(0.25).counts, counts)


def test_a_tau_without_tlinear_gives_relative_counts(tau: PlugTau, clock: HandClock) -> None:
    info = tau(Grabber(clock, [teax(tau_counts(1) // 3)] * 2)).open()

    assert isinstance(info.radiometry, RelativeCounts)
    assert "0.04 K" in reason_of(info)


def test_pictures_cut_off_are_counted_and_broken_ones_flagged(
    tau: PlugTau, clock: HandClock
) -> None:
    whole = [teax(tau_counts(number)) for number in range(5)]
    shifted = whole[3][:9000] + whole[3][9002:] + b"\0\0"
    camera = tau(Grabber(clock, [whole[0], whole[1][:50_000], whole[2], shifted, whole[4]]))
    camera.open()
    frames = [camera.read(0.25) for _ in range(4)]

    assert [frame.index for frame in frames] == [0, 2, 3, 4]
    assert [bool(frame.flags & FrameFlag.DAMAGED) for frame in frames] == [
        False,
        False,
        True,
        False,
    ]


def test_a_correction_of_a_tau_is_sent_and_its_pictures_flagged(
    tau: PlugTau, clock: HandClock
) -> None:
    grabber = Grabber(clock)
    camera = tau(grabber)
    camera.open()
    before = camera.read(0.25)
    camera.actions["Flat-field correction"]()
    closed = camera.read(0.25)
    clock.now += 1.5
    after = camera.read(0.25)
    clock.now += 2
    late = camera.read(0.25)

    head = bytes.fromhex("6E 00 00 0C 00 00")
    command = head + struct.pack(">H", binascii.crc_hqx(head, 0)) + b"\0\0"
    (written,) = grabber.written
    assert written[:4] == b"UART"
    assert written[5:15] == command
    assert [frame.flags for frame in in_session([before, closed, after, late])] == [
        FrameFlag.NONE,
        FrameFlag.SHUTTER,
        FrameFlag.AFTER_SHUTTER,
        FrameFlag.NONE,
    ]


def argument_of(written: bytes, function: int) -> bytes:
    """Return the argument of a command as the protocol of the Tau packs it; checks its sums."""
    packet = written[5:]
    assert (packet[0], packet[3]) == (0x6E, function)
    size = int.from_bytes(packet[4:6], "big")
    argument = packet[8 : 8 + size]
    assert int.from_bytes(packet[6:8], "big") == binascii.crc_hqx(packet[:6], 0)
    assert int.from_bytes(packet[8 + size : 10 + size], "big") == binascii.crc_hqx(argument, 0)
    return argument


def test_a_tau_waits_to_be_asked_for_corrections_until_it_is_closed(
    tau: PlugTau, clock: HandClock
) -> None:
    grabber = Grabber(clock)
    camera = tau(grabber)
    camera.open()
    camera.set_automatic_correction(False)
    camera.read(0.25)
    camera.close()
    camera.close()

    assert [argument_of(command, 0x0B) for command in grabber.written] == [b"\0\0", b"\0\1"]
    with pytest.raises(CameraError, match="not open"):
        camera.set_automatic_correction(False)


def test_a_tau_whose_cable_was_pulled_corrects_itself_when_it_is_opened_again(
    tau: PlugTau, clock: HandClock
) -> None:
    grabber = Grabber(clock)
    camera = tau(grabber)
    camera.open()
    camera.set_automatic_correction(False)
    grabber.command_faults.append(errno.ENODEV)
    camera.close()
    camera.open()

    assert [argument_of(command, 0x0B) for command in grabber.written] == [b"\0\0", b"\0\1"]


def test_a_correction_is_flagged_though_the_next_picture_comes_late(
    tau: PlugTau, clock: HandClock
) -> None:
    camera = tau()
    camera.open()
    frames = [camera.read(0.25)]
    camera.run_ffc()
    clock.now += 1.5
    frames += [camera.read(0.25) for _ in range(2)]

    assert [frame.flags for frame in in_session(frames)] == [
        FrameFlag.NONE,
        FrameFlag.SHUTTER,
        FrameFlag.AFTER_SHUTTER,
    ]


def test_a_tau_that_falls_silent_is_no_crash(tau: PlugTau, clock: HandClock) -> None:
    camera = tau(Grabber(clock, [teax(tau_counts(0))]))
    camera.open()
    camera.read(0.25)
    start_s = clock.now
    for _ in range(3):
        with pytest.raises(CameraTimeoutError, match="read again"):
            camera.read(0.25)

    assert clock.now - start_s < 3 * 0.4


def test_a_transfer_that_times_out_costs_a_picture_at_most(tau: PlugTau, clock: HandClock) -> None:
    grabber = Grabber(clock)
    camera = tau(grabber)
    camera.open()
    camera.read(0.25)
    grabber.faults.append(errno.ETIMEDOUT)
    frames = [camera.read(0.25) for _ in range(3)]

    assert [frame.index for frame in frames] == [2, 3, 4]
    assert [np.array_equal(f.counts, tau_counts(f.index)) for f in frames] == [True] * 3


@pytest.mark.parametrize("code", [errno.ENODEV, errno.EIO])
def test_pulling_the_cable_of_a_tau_loses_it(code: int, tau: PlugTau, clock: HandClock) -> None:
    grabber = Grabber(clock)
    camera = tau(grabber)
    camera.open()
    camera.read(0.25)
    grabber.faults.append(code)
    with pytest.raises(CameraLostError, match="unplug its grabber"):
        camera.read(0.25)
    camera.close()

    with pytest.raises(CameraError, match="not open"):
        camera.run_ffc()


def test_a_correction_that_could_not_be_sent_fails(tau: PlugTau, clock: HandClock) -> None:
    grabber = Grabber(clock)
    camera = tau(grabber)
    camera.open()
    grabber.command_faults.append(errno.ETIMEDOUT)
    with pytest.raises(CameraLostError, match="does not answer any more"):
        camera.run_ffc()

    assert grabber.written == []
    assert camera.read(0.25).flags == FrameFlag.NONE, "no shutter closed"


@pytest.mark.parametrize("succeed", range(7))
def test_a_grabber_that_does_not_take_a_setting_in_time_is_not_open(
    succeed: int, tau: PlugTau, clock: HandClock
) -> None:
    grabber = Grabber(clock)
    camera = tau(grabber)
    grabber.setting_faults.extend([0] * succeed + [errno.ETIMEDOUT])
    with pytest.raises(CameraLostError, match="unplug its grabber"):
        camera.open()

    assert camera.open().serial == "TX0", "it opens once the grabber answers"


def test_a_grabber_that_cannot_be_claimed_in_time_is_said(tau: PlugTau) -> None:
    camera = tau()
    tau.device.stuck = True
    with pytest.raises(CameraLostError, match="unplug its grabber"):
        camera.open()


def test_an_ftdi_chip_that_is_no_grabber_is_said_in_time(tau: PlugTau, clock: HandClock) -> None:
    start_s = clock.now
    with pytest.raises(CameraTimeoutError, match="TeAx grabber"):
        tau(Grabber(clock, [])).open()

    assert clock.now - start_s < 2


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("refusal", errno.EACCES, "install-udev"), ("taken", True, "close other programs")],
)
def test_a_grabber_that_cannot_be_opened_says_why(
    name: str, value: int, words: str, tau: PlugTau
) -> None:
    camera = tau()
    setattr(tau.device, name, value)
    with pytest.raises(CameraError, match=words) as caught:
        camera.open()
    assert "Errno" not in str(caught.value)


def test_no_tau_and_two_taus_are_said(tau: PlugTau, clock: HandClock) -> None:
    with pytest.raises(CameraError, match="plug in its TeAx grabber"):
        tau(present=False).open()
    with pytest.raises(CameraError, match="tau:TX0, tau:TX1"):
        tau(Grabber(clock), Grabber(clock)).open()
    assert tau(Grabber(clock), Grabber(clock), target="TX1").open().serial == "TX1"


def test_grabbers_are_listed_by_serial_number_and_with_their_problem(
    tau: PlugTau,
) -> None:
    tau()
    (listing,) = TauCamera.discover()
    assert (listing.address, listing.problem) == ("tau:TX0", "")
    tau(refusal=errno.EACCES)
    (listing,) = TauCamera.discover()
    assert "Errno" not in listing.problem
    assert listing.address == "tau:usb-99-1"
    assert "install-udev" in listing.problem


def test_a_missing_libusb_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("libusb1", "libusb0", "openusb"):
        monkeypatch.setattr(f"usb.backend.{name}.get_backend", lambda: None)
    with pytest.raises(DriverMissingError, match=r"libusb-1.0-0"):
        TauCamera.discover()


class RealClock:
    sleep = staticmethod(time.sleep)


def test_a_session_outlives_the_pulled_cable_of_a_tau(
    tau: PlugTau, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers.tau, "time", time)
    camera = tau(Grabber(time))
    with Session(camera, None) as session:
        wait_for(lambda: session.look().counts.captured >= 3)
        tau.device.present = False
        wait_for(lambda: session.look().lost)
        seen = session.look().counts.captured
        tau.device.present = True
        wait_for(lambda: session.look().counts.captured >= seen + 3)

    assert session.look().counts.gaps == 1


def test_a_missing_library_is_named(tau: PlugTau, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> NoReturn:
        raise ImportError(name)

    camera = tau()
    monkeypatch.setattr(vendor_library, "import_module", refuse)
    with pytest.raises(DriverMissingError, match="a Tau needs flirpy; pip install flirpy"):
        TauCamera.discover()
    with pytest.raises(DriverMissingError, match="a Tau needs pyusb; pip install pyusb"):
        camera.open()
