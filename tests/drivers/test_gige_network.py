"""The GigE driver against Aravis's own fake camera, in a network that only this test is in.

Needs root, Aravis and PyGObject (`make gige`); skipped with the reason where one is missing.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from drivers.gige import FAREWELL, GigeCamera, load_aravis
from thermoseg.cameras import make_camera
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraTimeoutError,
    DriverMissingError,
    FrameRefusedError,
)
from thermoseg.frames import Frame, FrameFlag
from thermoseg.radiometry import LinearRadiometry, ObjectParameters
from thermoseg.session import Session

PROGRAM = Path(__file__).with_name("fake_gige_camera.py")
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, UP_AND_RUNNING = 0x8914, 0x41
WALL_C, FACE_C = 22.01, 34.49
SIXTY_HZ = ("width=640", "height=512", "period_us=16667")


@pytest.fixture(scope="module", autouse=True)
def private_network() -> Iterator[None]:
    """Move this thread, and those it starts, into a network with nothing but itself."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a network of one's own needs Linux and root")
    try:
        load_aravis()
    except DriverMissingError as missing:
        pytest.skip(str(missing))
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET):
            pytest.skip(f"no network of one's own here: {os.strerror(ctypes.get_errno())}")
        with socket.socket() as control:
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", UP_AND_RUNNING))
        yield
        assert libc.setns(before, CLONE_NEWNET) == 0
    finally:
        os.close(before)


class Plugged:
    """A fake camera that runs."""

    def __init__(self, serial: str, family: str, *settings: str) -> None:
        self.arguments = serial, family, *settings
        self.plug()

    def plug(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *self.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def unplug(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def plug(wait_for: Callable[..., None]) -> Iterator[Callable[..., Plugged]]:
    """Start fake cameras; afterwards wait until what was lost has been freed."""
    plugged: list[Plugged] = []

    def start(*arguments: str) -> Plugged:
        plugged.append(Plugged(*arguments))
        return plugged[-1]

    yield start
    for camera in plugged:
        camera.unplug()
    wait_for(lambda: not any(thread.name == FAREWELL for thread in threading.enumerate()), 30)


@pytest.fixture
def open_camera() -> Iterator[Callable[[str], GigeCamera]]:
    cameras: list[GigeCamera] = []

    def make(address: str) -> GigeCamera:
        camera = make_camera(address)
        assert isinstance(camera, GigeCamera)
        cameras.append(camera)
        return camera

    yield make
    for camera in cameras:
        camera.close()


def number_in(frame: Frame) -> int:
    """Return the number that the fake camera wrote into the picture."""
    return int(frame.counts[0, 0]) + (int(frame.counts[0, 1]) << 14)


def test_an_a700_is_listed_and_streams_known_temperatures_at_60_hz_without_a_loss(
    plug: Callable[..., Plugged], open_camera: Callable[[str], GigeCamera]
) -> None:
    plug("A7", "a700", *SIXTY_HZ)
    (listing,) = GigeCamera.discover()
    camera = open_camera(listing.address)
    info = camera.open()
    began_s = time.monotonic()
    numbers, steps_s, last_s, hot_c, cold_c, indices = [], [], None, set(), set(), []
    for _ in range(600):
        frame = camera.read(timeout_s=0.5)
        numbers.append(number_in(frame))
        indices.append(frame.index)
        hot_c.add(round(float(frame.celsius[256, 320]), 3))
        cold_c.add(round(float(frame.celsius[500, 10]), 3))
        steps_s += [] if last_s is None else [frame.time_s - last_s]
        last_s = frame.time_s
    took_s = time.monotonic() - began_s
    told = camera.telemetry()

    assert (listing.address, listing.model) == ("gige:A7", "FLIR A700")
    assert (info.width, info.height, info.rate_hz, info.serial) == (640, 512, 60, "A7")
    assert (hot_c, cold_c) == ({FACE_C}, {WALL_C})
    assert set(np.diff(numbers)) == {1}, "a picture is missing, or came twice"
    assert indices == list(range(600)), "the camera's 16-bit numbers begin anew on the way"
    assert numbers[0] < 65536 <= numbers[-1] + 600
    assert np.median(steps_s) == pytest.approx(1 / 60, rel=0.02)
    assert 9 < took_s < 12
    assert told["incomplete"] == told["frames_missing"] == told["underruns"] == 0
    assert float(told["packets"]) > 600 * 400


def test_object_parameters_are_set_read_back_and_told(
    plug: Callable[..., Plugged], open_camera: Callable[[str], GigeCamera]
) -> None:
    plug("A7", "a700")
    camera = open_camera(
        "gige:A7?resolution=coarse&emissivity=0.98&reflected_c=24.5&humidity=0.6&shutter=manual"
    )
    info = camera.open()
    frame = camera.read(timeout_s=0.5)

    # What is not set here is what the fake camera began with: 295.15 K of air over 1.5 m.
    expected = ObjectParameters(
        emissivity=0.98, reflected_c=24.5, atmosphere_c=22.0, humidity=0.6, distance_m=1.5
    )
    assert info.radiometry == LinearRadiometry(0.1, scene=expected)
    assert frame.celsius[256, 256] == pytest.approx(FACE_C, abs=0.05)


def test_an_ax5_streams_14_bits_of_four_hundredths_of_a_kelvin(
    plug: Callable[..., Plugged], open_camera: Callable[[str], GigeCamera]
) -> None:
    plug("AX", "ax5")
    camera = open_camera("gige:")
    info = camera.open()
    frame = camera.read(timeout_s=0.5)

    assert (info.model, info.serial, info.rate_hz) == ("FLIR AX5", "AX", 0)
    assert info.radiometry == LinearRadiometry(0.04)
    assert frame.counts.max() < 1 << 14
    assert frame.celsius[256, 256] == pytest.approx(FACE_C, abs=0.02)


def test_a_camera_that_knows_no_temperatures_gives_relative_counts_with_the_reason(
    plug: Callable[..., Plugged], open_camera: Callable[[str], GigeCamera]
) -> None:
    plug("VIS", "plain")
    camera = open_camera("gige:VIS?ip=127.0.0.1&rate_hz=50&packet_size=1000")
    info = camera.open()
    frame = camera.read(timeout_s=0.5)

    assert not info.radiometric
    assert "neither of the nodes IRFormat and TemperatureLinearMode" in info.radiometry.reason
    assert frame.flags & FrameFlag.UNCALIBRATED
    assert (info.rate_hz, info.model, info.serial) == (50, "Aravis Fake", "VIS")
    assert camera.telemetry()["packet_bytes"] == 1000
    with pytest.raises(CameraError, match="no command"):
        camera.run_nuc()


def test_a_nuc_reaches_the_camera_and_flags_the_frames(
    plug: Callable[..., Plugged],
    open_camera: Callable[[str], GigeCamera],
    wait_for: Callable[..., None],
) -> None:
    plug("A7", "a700")
    camera = open_camera("gige:A7")
    camera.open()
    before = camera.read(timeout_s=0.5)
    camera.actions["Flat-field correction"]()
    after: list[Frame] = []
    wait_for(lambda: after.append(camera.read(0.5)) or after[-1].counts[0, 2] > before.counts[0, 2])

    assert not before.flags & FrameFlag.SHUTTER
    assert after[-1].flags & FrameFlag.SHUTTER


def test_incomplete_pictures_are_refused_and_none_is_delivered(
    plug: Callable[..., Plugged], open_camera: Callable[[str], GigeCamera]
) -> None:
    plug("A7", "a700", "lost=0.004", *SIXTY_HZ)
    camera = open_camera("gige:A7")
    camera.open()
    delivered, refused, indices = 0, list[str](), list[int]()
    until_s = time.monotonic() + 3
    while time.monotonic() < until_s:
        try:
            frame = camera.read(timeout_s=0.25)
        except FrameRefusedError as error:
            refused.append(str(error))
        except CameraTimeoutError:
            continue
        else:
            delivered += 1
            indices.append(frame.index)
            assert frame.celsius[256, 320] == pytest.approx(FACE_C, abs=0.01)
            assert set(np.unique(frame.counts[1:])) == {29516, 30764}
    told = camera.telemetry()

    assert delivered > 0
    assert float(told["packets_missing"]) > 0 or float(told["packets_resent"]) > 0
    assert all("came in pieces" in reason for reason in refused)
    assert len(refused) <= float(told["incomplete"])
    assert np.all(np.diff(indices) >= 1)


def test_a_camera_that_another_program_controls_is_named_so(
    plug: Callable[..., Plugged], open_camera: Callable[[str], GigeCamera]
) -> None:
    plug("A7", "a700")
    first = open_camera("gige:A7")
    first.open()

    with pytest.raises(CameraError, match="in use by another program"):
        open_camera("gige:A7").open()
    assert first.read(timeout_s=0.5).radiometric


def test_the_wrong_camera_at_an_address_is_refused(
    plug: Callable[..., Plugged], open_camera: Callable[[str], GigeCamera]
) -> None:
    plug("A7", "a700")

    with pytest.raises(CameraError, match="is A7 and not B8"):
        open_camera("gige:B8?ip=127.0.0.1").open()
    with pytest.raises(CameraError, match=r"does not answer \(there: gige:A7\)"):
        open_camera("gige:B8").open()
    with pytest.raises(CameraError, match=r"cannot send 50 frames.* one of 15, 30, 60"):
        open_camera("gige:A7?rate_hz=50").open()


def test_a_lost_camera_is_noticed_in_time_and_neither_read_nor_close_hang(
    plug: Callable[..., Plugged], open_camera: Callable[[str], GigeCamera]
) -> None:
    plugged = plug("A7", "a700")
    camera = open_camera("gige:A7")
    camera.open()
    camera.read(timeout_s=0.5)
    plugged.unplug()
    gone_s, longest_s = time.monotonic(), 0.0
    lost = None
    while lost is None:
        began_s = time.monotonic()
        try:
            camera.read(timeout_s=0.25)
        except CameraTimeoutError:
            pass
        except CameraLostError as error:
            lost = error
        longest_s = max(longest_s, time.monotonic() - began_s)
    noticed_s = time.monotonic() - gone_s
    camera.close()
    closed_s = time.monotonic() - gone_s - noticed_s

    assert "does not answer any more" in str(lost)
    assert noticed_s < 2
    assert longest_s < 0.5
    assert closed_s < 0.2


def test_a_session_survives_a_restart_of_its_camera_and_records_the_gap(
    plug: Callable[..., Plugged], wait_for: Callable[..., None], tmp_path: Path
) -> None:
    plugged = plug("A7", "a700")
    session = Session(make_camera("gige:A7"), None, address="gige:A7")
    with session:
        session.wait_opened(10)
        wait_for(lambda: session.counts().captured > 20)
        plugged.unplug()
        wait_for(lambda: session.lost)
        plugged.plug()
        wait_for(lambda: session.counts().reopened == 1 and not session.lost)
        captured = session.counts().captured
        wait_for(lambda: session.counts().captured > captured + 20)
    counts = session.counts()
    texts = [event.text for event in session.events]

    assert (counts.gaps, counts.reopened, counts.refused) == (1, 1, 0)
    assert 1 < counts.gap_seconds < 10
    assert any(text.startswith("gap of") for text in texts)
    assert not any("kept a read waiting" in text for text in texts)
