"""The TC001 and P2 Pro: the thermal half in each shape, the shutter, and what is refused."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeAlias, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.uvc_kelvin import P2ProCamera, Tc001Camera
from tests.conftest import WaitFor
from tests.drivers.conftest import Kelvin64, PlugKelvin64, in_session, reason_of
from tests.drivers.hand_clock import HandClock
from thermoseg.cameras import Camera, make_camera
from thermoseg.errors import CameraError, CameraLostError, CameraTimeoutError, FrameRefusedError
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.radiometry import LinearRadiometry
from thermoseg.session import Session

PLACE = "pci-0000:00:14.0-usb-0:2:1.0-video-index0"


class OpenedTc001(Tc001Camera):
    """A TC001 or P2 Pro, and what it said when it was opened."""

    info: CameraInfo


class OpenCamera(Protocol):
    """What the fixture `open_camera` gives."""

    def __call__(self, address: str = ...) -> OpenedTc001: ...


@pytest.fixture
def open_camera(clock: HandClock) -> Iterator[OpenCamera]:
    """Open an address; closed after the test."""
    opened: list[OpenedTc001] = []

    def build(address: str = "tc001:") -> OpenedTc001:
        camera = cast("OpenedTc001", make_camera(address))
        opened.append(camera)
        camera.info = camera.open()
        return camera

    yield build
    for camera in opened:
        camera.close()


def read(camera: Camera, count: int) -> list[Frame]:
    return [camera.read(timeout_s=1) for _ in range(count)]


def marked(frames: list[Frame], flag: FrameFlag) -> list[int]:
    return [number for number, frame in enumerate(frames) if frame.flags & flag]


Reshape: TypeAlias = Callable[[NDArray[np.uint16]], NDArray[Any]]
"""Makes another array of a picture."""
SHAPES: dict[str, Reshape] = {
    "byte pairs": lambda words: words.view(np.uint8).reshape(384, 256, 2),
    "flat bytes": lambda words: words.view(np.uint8).reshape(1, 196608),
    "words": lambda words: words,
    "rows of bytes": lambda words: words.view(np.uint8).reshape(384, 512),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_lower_half_is_celsius_in_each_shape(
    plug_kelvin64: PlugKelvin64, kelvin64: Kelvin64, open_camera: OpenCamera, shape: str
) -> None:
    plug_kelvin64(lambda number: SHAPES[shape](kelvin64(number)))
    camera = open_camera()
    frames = read(camera, 3)

    assert camera.info.radiometry == LinearRadiometry(1 / 64)
    assert (camera.info.width, camera.info.height, camera.info.rate_hz) == (256, 192, 25.0)
    for number, frame in enumerate(frames):
        assert np.array_equal(frame.counts, kelvin64(number)[192:])
        assert (frame.index, frame.flags) == (number, FrameFlag.NONE)
    assert np.median(frames[0].celsius) == pytest.approx(30, abs=0.05)


def test_low_and_high_byte_are_in_their_places(
    plug_kelvin64: PlugKelvin64, open_camera: OpenCamera
) -> None:
    # 0x4B 0x09 is 19209: 300.14 K.
    pair = np.tile(np.array([0x09, 0x4B], np.uint8), (384, 256, 1))
    pair[-1, -1] = 0x0A, 0x4B
    plug_kelvin64(lambda number: pair)

    frame = open_camera().read(timeout_s=1)
    assert frame.celsius[0, 0] == pytest.approx(26.990625)
    assert frame.celsius[-1, -1] == pytest.approx(27.00625)


def test_the_half_for_looking_at_does_not_matter(
    plug_kelvin64: PlugKelvin64, kelvin64: Kelvin64, open_camera: OpenCamera
) -> None:
    def picture(number: int) -> np.ndarray:
        words = kelvin64(number)
        words[:192] = number
        return words

    plug_kelvin64(picture)
    frames = read(open_camera(), 3)

    assert [frame.flags for frame in frames] == [FrameFlag.NONE] * 3


def test_times_are_those_of_the_driver(
    plug_kelvin64: PlugKelvin64, open_camera: OpenCamera
) -> None:
    plug_kelvin64()
    frames = read(open_camera(), 5)

    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])


def test_a_frozen_picture_is_the_shutter(
    plug_kelvin64: PlugKelvin64, kelvin64: Kelvin64, open_camera: OpenCamera
) -> None:
    plug_kelvin64(lambda number: kelvin64(10 if 10 <= number < 25 else number))
    frames = read(open_camera(), 80)

    assert marked(frames, FrameFlag.DUPLICATE) == list(range(11, 25))
    assert marked(frames, FrameFlag.SHUTTER) == list(range(13, 25))
    after = marked(in_session(frames), FrameFlag.AFTER_SHUTTER)
    assert after[0] == 25
    assert after[-1] in (73, 74)


def test_a_picture_that_came_twice_is_no_shutter(
    plug_kelvin64: PlugKelvin64, kelvin64: Kelvin64, open_camera: OpenCamera
) -> None:
    plug_kelvin64(lambda number: kelvin64(number // 2))
    frames = read(open_camera(), 8)

    assert marked(frames, FrameFlag.DUPLICATE) == [1, 3, 5, 7]
    assert marked(frames, FrameFlag.SHUTTER) == []


def test_a_picture_whose_end_was_lost_is_flagged(
    plug_kelvin64: PlugKelvin64, kelvin64: Kelvin64, open_camera: OpenCamera
) -> None:
    def picture(number: int) -> np.ndarray:
        words = kelvin64(number)
        if number == 6:
            words[300:] = kelvin64(2)[300:]
        return words

    plug_kelvin64(picture)
    assert marked(read(open_camera(), 9), FrameFlag.DAMAGED) == [6]


@pytest.mark.parametrize("value", [0, 65535])
def test_a_thermal_half_without_content_is_flagged(
    plug_kelvin64: PlugKelvin64, kelvin64: Kelvin64, open_camera: OpenCamera, value: int
) -> None:
    def picture(number: int) -> np.ndarray:
        words = kelvin64(number)
        if number == 2:
            words[192:] = value
        return words

    plug_kelvin64(picture)
    assert marked(read(open_camera(), 4), FrameFlag.DAMAGED) == [2]


@pytest.mark.parametrize("level", [128 << 8 | 90, 0, 1000])
def test_a_lower_half_that_is_no_kelvin_is_never_celsius(
    plug_kelvin64: PlugKelvin64, open_camera: OpenCamera, level: int
) -> None:
    slope = (np.arange(384 * 256) % 7).reshape(384, 256)
    plug_kelvin64(lambda number: (level + slope + number).astype("<u2"))
    camera = open_camera()

    assert "holds no kelvin × 64" in reason_of(camera.info)
    assert camera.read(timeout_s=1).flags & FrameFlag.UNCALIBRATED


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            lambda words: words[:192],
            r"sent a picture \(192, 256\) uint16, 98304 bytes, where 256×384",
        ),
        (lambda words: np.vstack([words, words[:4]]), r"198656 bytes"),
        (lambda words: np.zeros((384, 256, 3), np.uint8), "a colour picture"),
    ],
    ids=["half", "rows added", "converted"],
)
def test_a_picture_of_another_size_is_refused_and_the_next_one_comes(
    plug_kelvin64: PlugKelvin64,
    kelvin64: Kelvin64,
    open_camera: OpenCamera,
    broken: Reshape,
    message: str,
) -> None:
    plug_kelvin64(lambda number: broken(kelvin64(number)) if number == 1 else kelvin64(number))
    camera = open_camera()
    camera.read(timeout_s=1)
    with pytest.raises(FrameRefusedError, match=message):
        camera.read(timeout_s=1)

    assert np.array_equal(camera.read(timeout_s=1).counts, kelvin64(2)[192:])


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ((512, 484), r"YUYV 512×484 \(TC002C Duo, 1/16 K\)"),
        ((256, 192), r"YUYV 256×192 \(the picture alone, without temperatures\)"),
        ((640, 480), r"YUYV 640×480 \(the visible camera of a TC001 Plus\)"),
        ((1280, 720), r"YUYV 1280×720 \(the visible camera of a TC001 Plus\)"),
        ((256, 388), r"YUYV 256×388, and only YUYV 256×384 can be read; please report"),
    ],
    ids=lambda value: "×".join(map(str, value)) if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("listed", [True, False])
def test_other_geometry_is_refused_with_its_numbers(
    plug_kelvin64: PlugKelvin64,
    open_camera: OpenCamera,
    size: tuple[int, int],
    told: str,
    listed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    camera = plug_kelvin64(sizes=[size])
    if not listed:
        monkeypatch.setattr(camera, "modes", lambda path: [])

    with pytest.raises(CameraError, match=told):
        open_camera()
    if listed:
        assert "please report this camera" in Tc001Camera.discover()[0].problem


def test_another_format_is_refused_by_name(
    plug_kelvin64: PlugKelvin64, open_camera: OpenCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = plug_kelvin64(fourcc="MJPG", sizes=[(256, 384)])
    monkeypatch.setattr(camera, "modes", lambda path: [])

    with pytest.raises(CameraError, match="gives “MJPG” instead of raw pictures"):
        open_camera()
    assert camera.released == 1


def test_pictures_that_are_always_converted_are_refused(
    plug_kelvin64: PlugKelvin64, open_camera: OpenCamera
) -> None:
    plug_kelvin64(lambda number: np.zeros((384, 256, 3), np.uint8))

    with pytest.raises(CameraError, match="colour picture"):
        open_camera()


def test_a_camera_that_is_unplugged_is_lost_and_opens_again(
    plug_kelvin64: PlugKelvin64, open_camera: OpenCamera, clock: HandClock
) -> None:
    stand_in = plug_kelvin64()
    camera = open_camera(f"tc001:{PLACE}")
    read(camera, 3)
    stand_in.present = False
    start = clock.now
    with pytest.raises(CameraLostError):
        camera.read(timeout_s=0.25)
    assert clock.now - start <= 0.25
    with pytest.raises(CameraError, match=r"no TC001 “pci.*” is plugged in"):
        camera.open()

    stand_in.present = True
    assert camera.open() == camera.info
    assert camera.read(timeout_s=1).index == 0


def test_opening_ends_in_time_whatever_comes(
    plug_kelvin64: PlugKelvin64, open_camera: OpenCamera, clock: HandClock
) -> None:
    def late(number: int) -> np.ndarray:
        clock.sleep(0.95 if number == 0 else 0)
        return np.zeros((384, 250), np.uint16)

    plug_kelvin64(late)
    start = clock.now
    with pytest.raises(CameraError, match="where 256×384 with 16 bits was due"):
        open_camera()

    assert clock.now - start < 1.9


@pytest.mark.parametrize("serial", ["200901010001", "of its own"])
def test_once_opened_it_stays_with_the_same_camera(
    plug_kelvin64: PlugKelvin64, open_camera: OpenCamera, serial: str
) -> None:
    stand_in = plug_kelvin64(serial=serial)
    camera = open_camera("tc001:")
    stand_in.present, stand_in.others = False, [stand_in.twin]
    name = PLACE if serial.isdigit() else serial
    with pytest.raises(CameraError, match=f"no TC001 “{name}” is plugged in"):
        camera.open()
    stand_in.present = True
    camera.open()

    assert stand_in.plugged == ["/dev/video7"] * 2


def test_a_stall_ends_each_read_in_time(
    plug_kelvin64: PlugKelvin64,
    open_camera: OpenCamera,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in = plug_kelvin64()
    camera = open_camera()
    camera.read(timeout_s=1)
    monkeypatch.setattr(stand_in, "wait", clock.sleep)
    start = clock.now
    with pytest.raises(CameraTimeoutError):
        camera.read(timeout_s=0.25)

    assert clock.now - start == pytest.approx(0.25)


def test_a_tc001_is_listed_by_its_place_because_all_have_one_serial_number(
    plug_kelvin64: PlugKelvin64,
) -> None:
    plug_kelvin64()
    (listing,) = Tc001Camera.discover()

    assert listing.address == f"tc001:{PLACE}"
    assert (listing.model, listing.problem) == ("TOPDON TC001", "")
    assert (listing.width, listing.height, listing.rate_hz) == (256, 192, 25.0)
    assert list(P2ProCamera.discover()) == []


@pytest.mark.parametrize(
    ("vendor", "product", "scheme"),
    [
        (0x0BDA, 0x5830, "p2pro"),
        (0x0BDA, 0x5840, "tc001"),
        (0x0BDA, 0x3901, "tc001"),
        (0x0BDA, 0x5838, "tc001"),
        (0x3474, 0x4321, "tc001"),
    ],
)
def test_each_known_device_is_listed_once_and_opened_by_either_name(
    plug_kelvin64: PlugKelvin64, open_camera: OpenCamera, vendor: int, product: int, scheme: str
) -> None:
    plug_kelvin64(vendor=vendor, product=product, serial="T1")
    listings = [*Tc001Camera.discover(), *P2ProCamera.discover()]

    assert [listing.address for listing in listings] == [f"{scheme}:T1"]
    assert open_camera("tc001:T1").info.serial == "T1"
    assert open_camera("p2pro:T1").info.model == "InfiRay P2 Pro"
    assert open_camera(f"{scheme}:").info.radiometric


def test_missing_rights_are_listed_with_the_remedy(plug_kelvin64: PlugKelvin64) -> None:
    plug_kelvin64(refusal=PermissionError(13, "Permission denied"))

    assert "thermoseg install-udev" in Tc001Camera.discover()[0].problem


@pytest.mark.parametrize(
    ("platform", "told"),
    [("darwin", "macOS gives programs no raw pictures"), ("win32", "try p2pro:0")],
)
def test_other_systems_are_told_the_truth(
    plug_kelvin64: PlugKelvin64, open_camera: OpenCamera, platform: str, told: str
) -> None:
    plug_kelvin64(platform=platform)
    (listing,) = P2ProCamera.discover()

    assert told in listing.problem
    with pytest.raises(CameraError, match=told):
        open_camera("p2pro:")


def test_windows_opens_by_number(plug_kelvin64: PlugKelvin64, kelvin64: Kelvin64) -> None:
    stand_in = plug_kelvin64(
        lambda number: kelvin64(number).view(np.uint8).reshape(1, -1),
        platform="win32",
        rate_hz=100.0,
    )
    camera = make_camera("p2pro:1")
    camera.open()
    frames = read(camera, 3)
    camera.close()

    assert all(np.median(frame.celsius) == pytest.approx(30, abs=0.05) for frame in frames)
    assert stand_in.plugged == ["1"]
    assert stand_in.windows_apis == [cv2.CAP_MSMF], "DirectShow would decode the kelvin to colours"


def test_a_session_outlives_the_cable(plug_kelvin64: PlugKelvin64, wait_for: WaitFor) -> None:
    stand_in = plug_kelvin64(rate_hz=50.0)
    with Session(make_camera("tc001:"), None) as session:
        wait_for(lambda: session.look().counts.captured > 5)
        stand_in.present = False
        wait_for(lambda: session.look().lost)
        stand_in.present, stand_in.others = True, [stand_in.twin]
        wait_for(lambda: session.look().counts.reopened == 1 and not session.look().lost)
        seen = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured > seen + 5)

    assert session.look().counts.gaps == 1
    assert stand_in.plugged == ["/dev/video7"] * 2, "not the other one, which came meanwhile"
    assert any("was lost" in event.text for event in session.look().events)
