"""The FLIR ONE driver on a virtual USB: real pyusb, a camera that exists in memory."""

import errno
import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from drivers.flir_one import FlirOneCamera, FlirOneOptions
from drivers.flir_one_link import Sightings
from tests.conftest import WaitFor
from tests.drivers.conftest import FlirWriter, in_session, reason_of
from tests.drivers.flir_one_stand_in import (
    CLOSED,
    INTERFACES,
    JPEG,
    OPEN,
    PERIOD_S,
    SERIAL,
    Unit,
    counts_of,
    described,
    frames_of,
    message,
    picture,
    thermal_of,
)
from tests.drivers.hand_clock import HandClock
from tests.drivers.virtual_usb import VirtualBus, VirtualDevice
from thermoseg.cameras import make_camera
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraTimeoutError,
    ConfigError,
    DriverMissingError,
    FormatError,
    FrameRefusedError,
)
from thermoseg.frames import Frame, FrameFlag
from thermoseg.radiometry import RelativeCounts
from thermoseg.session import Session

SET_UP = [("claim", 0), ("claim", 1), ("claim", 2), ("setting", 2, 0), ("setting", 1, 0)]


class Plug(Protocol):
    """What the fixture `plug` gives; the differences are those from a `VirtualDevice`."""

    def __call__(self, *units: Unit, **differences: object) -> VirtualBus: ...


class CameraOn(Protocol):
    """What the fixture `camera_on` gives."""

    def __call__(self, bus: VirtualBus, target: str = ..., **options: object) -> FlirOneCamera: ...


class Stream(Protocol):
    """What the fixture `stream` gives."""

    def __call__(
        self, pictures: Iterable[bytes] | None = ..., **options: object
    ) -> FlirOneCamera: ...


class Photo(Protocol):
    """What the fixture `photo` gives; the fields are those of a `FlirWriter`."""

    def __call__(self, **fields: float) -> Path: ...


@pytest.fixture(autouse=True)
def nobody_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test's cameras be remembered by the next."""
    monkeypatch.setattr(FlirOneCamera, "sightings", Sightings())


@pytest.fixture
def plug(
    usb_device: type[VirtualDevice], usb_bus: type[VirtualBus], monkeypatch: pytest.MonkeyPatch
) -> Plug:
    """Plug a unit into a virtual USB; returns the bus."""

    def build(*units: Unit, **differences: object) -> VirtualBus:
        devices = [
            usb_device(
                firmware=unit,
                vendor=0x09CB,
                product=0x1996,
                interfaces=INTERFACES,
                configurations=(1, 2, 3),
                texts={3: f"{SERIAL}{number}" if number else SERIAL},
                ports=(2, number + 1),
                active=1,
            )
            for number, unit in enumerate(units)
        ]
        for name, value in differences.items():
            for device in devices:
                setattr(device, name, value)
        bus = usb_bus(*devices)
        monkeypatch.setattr(FlirOneCamera, "backend", bus)
        return bus

    return build


@pytest.fixture
def camera_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[CameraOn]:
    """Make cameras that are closed after the test."""
    made: list[FlirOneCamera] = []

    def build(bus: VirtualBus, target: str = "", **options: object) -> FlirOneCamera:
        monkeypatch.setattr(FlirOneCamera, "backend", bus)
        made.append(FlirOneCamera(target, FlirOneOptions.model_validate(options)))
        return made[-1]

    yield build
    for camera in made:
        camera.close()


@pytest.fixture
def stream(clock: HandClock, plug: Plug, camera_on: CameraOn) -> Stream:
    """Open a camera that sends these pictures."""

    def build(pictures: Iterable[bytes] | None = None, **options: object) -> FlirOneCamera:
        camera = camera_on(plug(Unit(clock, pictures)), "", **options)
        camera.open()
        return camera

    return build


def settings_of(bus: VirtualBus) -> list[tuple[object, ...]]:
    return [call for call in bus.devices[0].calls if call[0] != "close"]


@pytest.fixture
def photo(flir: type[FlirWriter], tmp_path: Path) -> Photo:
    """Write a radiometric JPEG of the phone app."""

    def build(**fields: float) -> Path:
        path = tmp_path / "photo.jpg"
        writer = flir()
        for name, value in fields.items():
            assert hasattr(writer, name)
            setattr(writer, name, value)
        path.write_bytes(writer.jpeg())
        return path

    return build


@pytest.mark.parametrize(("width", "height"), [(80, 60), (160, 120)])
def test_frames_hold_the_counts_of_the_sensor(
    width: int,
    height: int,
    clock: HandClock,
    plug: Plug,
    camera_on: CameraOn,
) -> None:
    scene = [counts_of(seed, width, height) for seed in range(3)]
    unit = Unit(clock, [picture(thermal_of(counts)) for counts in scene])
    unit.greeting = described(width, height)
    camera = camera_on(plug(unit))
    info = camera.open()
    frames = [camera.read(0.5) for _ in scene]

    assert (info.width, info.height, info.serial) == (width, height, SERIAL)
    assert info.live
    assert info.rate_hz == 8.7
    assert all(np.array_equal(f.counts, counts) for f, counts in zip(frames, scene, strict=True))
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx([PERIOD_S] * 2, abs=0.03)


def test_the_camera_is_set_up_in_the_order_that_it_accepts(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    bus = plug(Unit(clock))
    camera_on(bus).open()

    assert settings_of(bus) == [
        ("configuration", 3),
        *SET_UP,
        ("setting", 1, 1),
        ("setting", 2, 1),
    ]


def test_a_configuration_that_is_chosen_already_is_left_alone(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    bus = plug(Unit(clock), active=3)
    camera_on(bus).open()

    assert settings_of(bus)[0] == ("claim", 0)


def test_the_description_is_heard_before_pictures_are_asked_for(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock)
    camera_on(plug(unit)).open()

    assert unit.reads[0] == (0x81, 20)
    assert [endpoint for endpoint, _ in unit.reads[1:4]] == [0x85, 0x81, 0x83]


def test_a_camera_that_does_not_describe_itself_is_known_by_its_pictures(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock, [picture(thermal_of(counts_of(1, 160, 120)))] * 2)
    unit.greeting = b""
    start_s = clock.now
    info = camera_on(plug(unit)).open()

    assert (info.width, info.height) == (160, 120)
    assert clock.now - start_s < 1.9


def test_a_description_that_pictures_contradict_is_not_believed(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock, frames_of(1, 2))
    unit.greeting = described(160, 120)
    camera = camera_on(plug(unit))

    assert camera.open().width == 80
    assert np.array_equal(camera.read(0.5).counts, counts_of(1))


def test_a_big_endian_sensor_is_read_right(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock, [picture(thermal_of(counts_of(5), ">"))])
    unit.greeting = described(80, 60, big_endian="1")
    camera = camera_on(plug(unit))
    camera.open()

    assert np.array_equal(camera.read(0.5).counts, counts_of(5))


def test_all_three_endpoints_are_asked_in_every_round(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock)
    camera = camera_on(plug(unit))
    camera.open()
    unit.reads.clear()
    for _ in range(20):
        camera.read(0.5)

    assert not unit.dead
    assert {tuple(e for e, _ in unit.reads[i : i + 3]) for i in range(0, len(unit.reads), 3)} == {
        (0x85, 0x81, 0x83)
    }
    assert max(timeout for endpoint, timeout in unit.reads if endpoint == 0x85) == 100
    assert {timeout for endpoint, timeout in unit.reads if endpoint != 0x85} == {10}


@pytest.mark.parametrize("transfer_bytes", [164, 511, 512, 5000, 10_500])
def test_transfers_may_be_cut_anywhere(
    transfer_bytes: int,
    clock: HandClock,
    plug: Plug,
    camera_on: CameraOn,
) -> None:
    unit = Unit(clock, frames_of(1))
    unit.transfer_bytes = 16384
    unit.pictures = iter([*frames_of(1), *frames_of(2), *frames_of(3)])
    camera = camera_on(plug(unit))
    camera.open()
    unit.transfer_bytes = transfer_bytes
    camera.read(0.5)
    found = [next_frame(camera).counts for _ in range(2)]

    assert [np.array_equal(*pair) for pair in zip(found, map(counts_of, (2, 3)), strict=True)] == [
        True,
        True,
    ]


def next_frame(camera: FlirOneCamera) -> Frame:
    for _ in range(2000):
        try:
            return camera.read(0.5)
        except CameraTimeoutError:
            continue
    pytest.fail("no frame")


def test_without_a_calibration_there_are_relative_counts_and_the_reason(
    stream: Stream,
) -> None:
    frame = stream(frames_of(1)).read(0.5)

    assert frame.flags & FrameFlag.UNCALIBRATED
    assert np.array_equal(frame.celsius, counts_of(1))


def test_the_reason_says_how_to_get_temperatures(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    info = camera_on(plug(Unit(clock))).open()

    assert isinstance(info.radiometry, RelativeCounts)
    assert "?calibration=photo.jpg" in reason_of(info)


GEN2 = {"r1": 16528.178, "b": 1427.5, "o": -1307, "r2": 0.012258549}
PRO = {"r1": 18417.0, "b": 1435.0, "o": -1656, "r2": 0.0125}


@pytest.mark.parametrize(
    ("constants", "emissivity", "distance_m", "raw", "celsius"),
    [
        (GEN2, 0.95, 0.0, 3000, 21.567),
        (GEN2, 0.95, 0.0, 3500, 32.808),
        (GEN2, 0.95, 0.0, 4000, 43.013),
        (PRO, 1.0, 0.0, 3521, 26.824),
        # Published with Thermimage for a T-series camera, S = 18272 = 4 · 4568.
        ({}, 0.95, 1.0, 4568, 24.77367),
    ],
)
def test_a_photo_of_the_app_calibrates_the_stream(
    constants: dict[str, float],
    emissivity: float,
    distance_m: float,
    raw: int,
    celsius: float,
    photo: Photo,
    stream: Stream,
) -> None:
    path = photo(emissivity=emissivity, distance_m=distance_m, **constants)
    camera = stream([picture(thermal_of(np.full((60, 80), raw, np.uint16)))] * 2, calibration=path)
    frame = camera.read(0.5)

    assert frame.radiometric
    assert frame.celsius[30, 40] == pytest.approx(celsius, abs=2e-3)
    assert frame.counts[30, 40] == raw


def test_options_go_before_what_the_photo_says(photo: Photo, stream: Stream) -> None:
    scene = [picture(thermal_of(np.full((60, 80), 3500, np.uint16)))] * 2
    path = photo(emissivity=1.0, **GEN2)
    frame = stream(scene, calibration=path, emissivity=0.95, distance_m=0).read(0.5)

    assert frame.celsius[0, 0] == pytest.approx(32.808, abs=2e-3)


def test_a_photo_without_calibration_is_refused_by_name(photo: Photo, stream: Stream) -> None:
    with pytest.raises(ConfigError, match=r"photo\.jpg.*phone app"):
        stream(calibration=photo(with_camera_info=False))


def test_a_photo_that_is_not_there_is_said_without_numbers(tmp_path: Path, stream: Stream) -> None:
    message = r"^nix\.jpg cannot be read \(No such file or directory\); check path and rights$"
    with pytest.raises(FormatError, match=message):
        stream(calibration=tmp_path / "nix.jpg")


def test_object_parameters_without_a_photo_are_refused(
    stream: Stream,
) -> None:
    with pytest.raises(ConfigError, match=r"emissivity.*calibration=photo\.jpg"):
        stream(emissivity=0.98)


def test_an_address_may_carry_calibration_and_options(photo: Photo) -> None:
    camera = make_camera(f"flirone:{SERIAL}?calibration={photo()}&emissivity=0.98&humidity=40%25")

    assert isinstance(camera, FlirOneCamera)
    assert camera._options.humidity == 0.4


def test_frames_with_the_shutter_closed_and_soon_after_are_flagged(
    stream: Stream,
) -> None:
    states = [OPEN] * 2 + [CLOSED] * 3 + [{"shutterState": "FFC"}] + [OPEN] * 20
    camera = stream(
        [picture(thermal_of(counts_of(seed)), state) for seed, state in enumerate(states)]
    )
    frames = in_session(camera.read(0.5) for _ in states)
    flags = [frame.flags & ~FrameFlag.UNCALIBRATED for frame in frames]

    # 2 s after the last closed one are 17 frames.
    assert (
        flags
        == [FrameFlag.NONE] * 2
        + [FrameFlag.SHUTTER] * 4
        + [FrameFlag.AFTER_SHUTTER] * 17
        + [FrameFlag.NONE] * 3
    )


def test_battery_and_shutter_are_told_and_serial_numbers_are_not(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock)
    unit.messages += [
        message("batteryVoltageUpdate", voltage=3.77, percentage=42)
        + message("batteryChargingStateUpdate", chargingState="noCharging"),
        message("batteryVoltageUpdate", voltage="?", percentage=41),
        message("somethingNew", data=[]),
    ]
    camera = camera_on(plug(unit))
    camera.open()
    for _ in range(6):
        camera.read(0.5)

    assert camera.telemetry() == {
        "battery_percent": 41.0,
        "battery_volt": 3.77,
        "charging": "noCharging",
        "shutter": "ON",
        "shutter_c": pytest.approx(28.5),
        "flat_field_correction": "FFC_VALID_RAD",
    }


def test_the_photograph_of_the_newest_frame_is_beside_it(
    stream: Stream,
) -> None:
    thermal = thermal_of(counts_of())
    camera = stream([picture(thermal, jpeg=JPEG + bytes(80)), picture(thermal, jpeg=b"")])
    before = camera.visible_jpeg()
    camera.read(0.5)
    first = camera.visible_jpeg()
    camera.read(0.5)

    assert (before, first, camera.visible_jpeg()) == (None, JPEG, None)


@pytest.mark.parametrize(("shutter", "value"), [("auto", True), ("manual", False)])
def test_the_shutter_can_be_left_to_the_user(
    shutter: str,
    value: bool,
    clock: HandClock,
    plug: Plug,
    camera_on: CameraOn,
) -> None:
    unit = Unit(clock)
    camera_on(plug(unit), shutter=shutter).open()

    (command,) = unit.written
    assert json.loads(command[16:].rstrip(b"\0")) == {
        "type": "setOption",
        "data": {"option": "autoFFC", "value": value},
    }


def test_pictures_cut_off_are_counted_and_none_of_them_is_valid(
    stream: Stream,
) -> None:
    whole = frames_of(*range(6))
    camera = stream([whole[0], whole[1][:5000], whole[2], b"\xef\xbe" + whole[3][2:40], *whole[4:]])
    frames = [camera.read(0.5) for _ in range(4)]

    assert [frame.index for frame in frames] == [0, 2, 4, 5]
    assert [np.array_equal(f.counts, counts_of(f.index)) for f in frames] == [True] * 4
    assert not any(frame.flags & FrameFlag.DAMAGED for frame in frames)


def test_a_picture_with_bytes_missing_or_packets_out_of_order_is_flagged(
    stream: Stream,
) -> None:
    good = thermal_of(counts_of())
    swapped = good[:1640] + good[1804:1968] + good[1640:1804] + good[1968:]
    shifted = picture(good)[:3000] + picture(good)[3100:] + bytes(100)
    camera = stream([picture(good), picture(swapped), shifted, picture(good)])
    flags = [camera.read(0.5).flags & FrameFlag.DAMAGED for _ in range(4)]

    assert [bool(flag) for flag in flags] == [False, True, True, False]


def test_packets_that_never_were_in_order_are_no_damage(
    stream: Stream,
) -> None:
    words = np.frombuffer(thermal_of(counts_of(1, 160, 120)), "<u2").reshape(-1, 82).copy()
    words[:, 0] = 5
    camera = stream([picture(words.tobytes())] * 3)

    assert not any(camera.read(0.5).flags & FrameFlag.DAMAGED for _ in range(3))


def test_an_image_of_another_size_is_refused_and_counted(
    stream: Stream,
) -> None:
    other = picture(thermal_of(counts_of(1, 160, 120)))
    camera = stream([*frames_of(1), other, picture(bytes(500)), *frames_of(2)])
    first = camera.read(0.5)
    for length in (39852, 500):
        with pytest.raises(FrameRefusedError, match=f"{length} bytes"):
            camera.read(0.5)

    assert camera.read(0.5).index == first.index + 3


def test_an_image_of_no_known_size_is_refused_when_opening(
    stream: Stream,
) -> None:
    with pytest.raises(CameraError, match=r"25000 bytes.*report"):
        stream([picture(bytes(25_000))] * 5)


@pytest.mark.parametrize("timeout_s", [0.05, 0.25, 0.5])
def test_a_read_of_a_silent_camera_ends_in_time(
    timeout_s: float,
    clock: HandClock,
    plug: Plug,
    camera_on: CameraOn,
) -> None:
    unit = Unit(clock)
    camera = camera_on(plug(unit))
    camera.open()
    camera.read(0.5)
    unit.silent = True
    start_s = clock.now
    with pytest.raises(CameraTimeoutError, match="read again"):
        camera.read(timeout_s)

    assert timeout_s <= clock.now - start_s <= timeout_s + 0.03


def test_a_stream_that_stalls_is_set_up_anew_and_then_given_up(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock)
    bus = plug(unit)
    camera = camera_on(bus)
    camera.open()
    camera.read(0.5)
    unit.silent = True
    done, start_s = len(settings_of(bus)), clock.now
    with pytest.raises(CameraLostError, match="no whole picture for 6 s"):
        next_frame(camera)

    assert settings_of(bus)[done:] == [
        ("setting", 2, 0),
        ("setting", 1, 0),
        ("setting", 1, 1),
        ("setting", 2, 1),
    ]
    assert 6 <= clock.now - start_s < 7


def test_a_stream_that_was_set_up_anew_goes_on(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock)
    camera = camera_on(plug(unit))
    camera.open()
    camera.read(0.5)
    unit.silent = True
    while clock.now - camera._stream.picture_s < 3.2:
        with pytest.raises(CameraTimeoutError):
            camera.read(0.25)
    unit.silent = False

    assert next_frame(camera).index == 1


@pytest.mark.parametrize("code", [errno.ENODEV, errno.EIO])
@pytest.mark.parametrize("endpoint", [0x85, 0x81, 0x83])
def test_pulling_the_cable_loses_the_camera(
    code: int,
    endpoint: int,
    clock: HandClock,
    plug: Plug,
    camera_on: CameraOn,
) -> None:
    unit = Unit(clock)
    camera = camera_on(plug(unit))
    camera.open()
    camera.read(0.5)
    unit.faults.append((endpoint, code))
    with pytest.raises(CameraLostError, match=f"{SERIAL} was unplugged.*plug it in again"):
        next_frame(camera)
    camera.close()

    with pytest.raises(CameraError, match="not open"):
        camera.read(0.1)


def test_pulling_the_cable_while_it_opens_leaves_nothing_open(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock)
    unit.faults.append((0x81, errno.ENODEV))
    bus = plug(unit)
    camera = camera_on(bus)
    with pytest.raises(CameraLostError, match="plug it in again"):
        camera.open()
    bus.devices[0].present = True

    assert camera.open().serial == SERIAL


def test_pulling_the_cable_before_closing_is_no_error(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    bus = plug(Unit(clock))
    camera = camera_on(bus)
    camera.open()
    bus.devices[0].present = False
    camera.close()
    camera.close()

    assert camera.visible_jpeg() is None


@pytest.mark.parametrize("code", [errno.EPIPE, errno.EOVERFLOW])
def test_a_single_failed_transfer_costs_a_picture_at_most(
    code: int, clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock)
    bus = plug(unit)
    camera = camera_on(bus)
    camera.open()
    camera.read(0.5)
    unit.faults += [(0x85, code), (0x81, code)]
    frames = [camera.read(0.5) for _ in range(3)]

    assert np.all(np.diff([frame.index for frame in frames]) == 1)
    cleared = [call[1] for call in settings_of(bus) if call[0] == "clear halt"]
    assert cleared == ([0x85, 0x81] if code == errno.EPIPE else [])


def test_transfers_that_fail_for_ever_lose_the_camera(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock)
    camera = camera_on(plug(unit))
    camera.open()
    camera.read(0.5)
    unit.faults += [(0x85, errno.EOVERFLOW)] * 100
    with pytest.raises(CameraLostError, match="does not answer any more"):
        next_frame(camera)


def test_closing_stops_the_stream_in_order_and_it_can_be_opened_again(
    clock: HandClock,
    plug: Plug,
    camera_on: CameraOn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    bus = plug(Unit(clock))
    camera = camera_on(bus)
    before = camera.open()
    done = len(settings_of(bus))
    camera.close()

    stopped = settings_of(bus)[done:]
    assert stopped[:2] == [("setting", 2, 0), ("setting", 1, 0)]
    assert sorted(stopped[2:5]) == [("release", 0), ("release", 1), ("release", 2)]
    assert stopped[5:] == [("reset",)]
    assert camera.open() == before
    assert camera.read(0.5).index == 0


def test_a_camera_that_is_off_the_bus_for_a_moment_is_waited_for(
    clock: HandClock,
    plug: Plug,
    camera_on: CameraOn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus = plug(Unit(clock), present=False)
    start_s = clock.now

    def sleep(seconds: float) -> None:
        clock.now += seconds
        bus.devices[0].present = bus.devices[0].present or clock.now - start_s > 0.5

    monkeypatch.setattr(clock, "sleep", sleep)

    assert camera_on(bus).open().serial == SERIAL


def test_no_camera_is_said_in_time_with_what_to_do(
    clock: HandClock, usb_bus: type[VirtualBus], camera_on: CameraOn
) -> None:
    start_s = clock.now
    with pytest.raises(CameraError, match=r"no FLIR ONE X9 is there; plug it in.*charge"):
        camera_on(usb_bus(), "X9").open()

    assert clock.now - start_s < 1.1


def test_a_camera_without_pictures_is_said_in_time(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock, [])
    unit.greeting = b""
    start_s = clock.now
    with pytest.raises(CameraTimeoutError, match="sends no picture; charge it"):
        camera_on(plug(unit)).open()

    assert clock.now - start_s < 2.1


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_a_missing_permission_names_the_rule_and_the_command(
    code: int,
    clock: HandClock,
    plug: Plug,
    camera_on: CameraOn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(
        CameraError, match=r"permission.*70-thermoseg\.rules.*thermoseg install-udev"
    ):
        camera_on(plug(Unit(clock), refusal=code)).open()


def test_a_permission_that_comes_late_after_plugging_in_is_waited_for(
    clock: HandClock,
    plug: Plug,
    camera_on: CameraOn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus = plug(Unit(clock), refusal=errno.EACCES)

    def sleep(seconds: float) -> None:
        clock.now += seconds
        bus.devices[0].refusal = None

    monkeypatch.setattr(clock, "sleep", sleep)

    assert camera_on(bus).open().serial == SERIAL


def test_a_camera_that_another_program_has_is_said_to_be_busy(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    with pytest.raises(CameraError, match="used by another program"):
        camera_on(plug(Unit(clock), taken=True)).open()


def test_a_unit_for_iphones_is_refused_with_the_reason(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock, [])
    unit.greeting = bytes.fromhex("FF550200EE10")
    with pytest.raises(CameraError, match=r"Lightning.*use a FLIR ONE for Android"):
        camera_on(plug(unit)).open()


@pytest.mark.parametrize(
    "differences",
    [
        pytest.param({"configurations": (1,)}, id="no-configuration-3"),
        pytest.param({"interfaces": {(0, 0): (0x81, 0x02)}}, id="no-picture-interface"),
        pytest.param({"interfaces": {**INTERFACES, (2, 1): (0x87,)}}, id="no-picture-endpoint"),
    ],
)
def test_a_generation_that_speaks_otherwise_is_refused(
    differences: dict[str, object],
    clock: HandClock,
    plug: Plug,
    camera_on: CameraOn,
) -> None:
    with pytest.raises(CameraError, match="generation that this driver does not know"):
        camera_on(plug(Unit(clock), **differences)).open()


def test_of_two_cameras_the_named_one_is_opened(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    bus = plug(Unit(clock), Unit(clock))

    assert camera_on(bus, f"{SERIAL}1").open().serial == f"{SERIAL}1"
    assert camera_on(bus, "usb-99-2.1").open().serial == SERIAL
    with pytest.raises(CameraError, match=f"2 FLIR ONE; name one.*flirone:{SERIAL}1"):
        camera_on(bus).open()


def test_once_opened_it_stays_with_the_same_camera(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    bus = plug(Unit(clock), Unit(clock))
    bus.devices[1].present = False
    camera = camera_on(bus)
    camera.open()
    bus.devices[0].present, bus.devices[1].present = False, True

    with pytest.raises(CameraError, match=f"no FLIR ONE {SERIAL} is there"):
        camera.open()


def test_discovery_lists_each_by_its_serial_number(clock: HandClock, plug: Plug) -> None:
    bus = plug(Unit(clock), Unit(clock))
    bus.devices[1].texts = {}
    listings = FlirOneCamera.discover()

    assert [listing.address for listing in listings] == [
        f"flirone:{SERIAL}",
        "flirone:usb-99-2.2",
    ]
    assert [listing.problem for listing in listings] == ["", ""]
    assert not [call for call in settings_of(bus) if call[0] in ("claim", "configuration")]


def test_a_camera_that_leaves_the_bus_for_a_moment_stays_listed(
    clock: HandClock, plug: Plug
) -> None:
    """An idle FLIR ONE leaves every 4.7 s and comes back."""
    bus = plug(Unit(clock), Unit(clock))
    before = FlirOneCamera.discover()
    bus.devices[0].present = False
    listed = []
    for _ in range(4):
        clock.now += 0.9
        listed.append(FlirOneCamera.discover())

    assert listed == [before, before, before[1:], before[1:]], "in the same order, for 2 s"


def test_a_camera_that_is_there_again_otherwise_is_listed_once(
    clock: HandClock, plug: Plug
) -> None:
    bus = plug(Unit(clock), refusal=errno.EACCES)
    (refused,) = FlirOneCamera.discover()
    bus.devices[0].refusal = None
    (allowed,) = FlirOneCamera.discover()
    bus.devices[0].ports = (5,)
    (moved,) = FlirOneCamera.discover()

    assert refused.problem
    assert (allowed.address, allowed.problem) == (f"flirone:{SERIAL}", "")
    assert moved == allowed


def test_discovery_says_which_permission_is_missing(
    clock: HandClock, plug: Plug, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    plug(Unit(clock), refusal=errno.EACCES)
    (listing,) = FlirOneCamera.discover()

    assert "Errno" not in listing.problem
    assert listing.address == "flirone:usb-99-2.1"
    assert "install-udev" in listing.problem


def test_a_missing_libusb_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("libusb1", "libusb0", "openusb"):
        monkeypatch.setattr(f"usb.backend.{name}.get_backend", lambda: None)
    with pytest.raises(DriverMissingError, match=r"libusb-1.0-0"):
        FlirOneCamera.discover()


def test_a_session_outlives_a_pulled_cable(
    plug: Plug,
    camera_on: CameraOn,
    wait_for: WaitFor,
) -> None:
    unit = Unit(time)
    bus = plug(unit)
    with Session(camera_on(bus), None) as session:
        wait_for(lambda: session.look().counts.captured >= 3)
        bus.devices[0].present = False
        wait_for(lambda: session.look().lost)
        unit.switch_on()
        bus.devices[0].present = True
        seen = session.look().counts.captured
        wait_for(lambda: session.look().counts.captured >= seen + 3)

    assert session.look().counts.gaps == 1
    assert session.look().lost == ""


def test_frames_are_their_own_and_stay_as_they_were(stream: Stream) -> None:
    camera = stream()
    first = camera.read(0.5)
    before = first.counts.copy()
    later = [camera.read(0.5) for _ in range(4)]

    assert np.array_equal(first.counts, before)
    assert not first.counts.flags.writeable
    assert not first.celsius.flags.writeable
    assert not any(np.shares_memory(first.counts, other.counts) for other in later)


def test_a_camera_that_was_never_opened_says_so() -> None:
    camera = FlirOneCamera("", FlirOneOptions())
    camera.close()

    with pytest.raises(CameraError, match="open it first"):
        camera.read(0.1)


def test_opening_an_open_camera_starts_anew(stream: Stream) -> None:
    camera = stream()
    first = camera.read(0.5)
    camera.read(0.5)
    camera.open()
    again = camera.read(0.5)

    # The second time it does not describe itself, and is waited for.
    assert again.index == first.index == 0
    assert again.time_s < first.time_s + 0.7


def test_several_pictures_of_one_transfer_get_growing_times(
    clock: HandClock, plug: Plug, camera_on: CameraOn
) -> None:
    unit = Unit(clock, [b"".join(frames_of(1, 2, 3))])
    unit.transfer_bytes = 1 << 20
    camera = camera_on(plug(unit))
    camera.open()
    frames = [camera.read(0.5) for _ in range(3)]

    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)
    assert [np.array_equal(f.counts, counts_of(n)) for n, f in enumerate(frames, 1)] == [True] * 3
