"""Extension units: the bytes that go to the kernel, and what it may answer."""

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import lepton_settings
from drivers.uvc_controls import UVCIOC_CTRL_QUERY, Control, ExtensionUnits, Query
from tests.drivers.conftest import UvcCamera
from thermoseg.errors import CameraError

LEVEL = Control("the level", 4, ((21, 18), (5, 49)))


@pytest.fixture
def camera(uvc_camera: type[UvcCamera]) -> UvcCamera:
    return uvc_camera(lambda number: None, units={(21, 18): b"\1\2\3\4", (6, 17): b"\0"})


@pytest.fixture
def units(camera: UvcCamera) -> Iterator[ExtensionUnits]:
    units = ExtensionUnits(Path(os.devnull), camera.ioctl)
    yield units
    units.close()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.uvc_controls.PAUSE_S", 0.0)


def test_the_request_is_the_kernels() -> None:
    assert UVCIOC_CTRL_QUERY == 0xC0107521
    assert bytes(Query(6, 17, 0x01, 1, 0x1122334455667788)) == (
        b"\x06\x11\x01\x00\x01\x00\x00\x00\x88\x77\x66\x55\x44\x33\x22\x11"
    )


@pytest.mark.parametrize(
    ("control", "places", "size"),
    [
        (lepton_settings.RUN_FFC, {(6, 17)}, 1),
        (lepton_settings.SHUTTER, {(6, 16)}, 32),
        (lepton_settings.GAIN, {(6, 19)}, 4),
        (lepton_settings.TLINEAR_ON, {(5, 49), (21, 18)}, 4),
        (lepton_settings.TLINEAR_RESOLUTION, {(5, 50), (21, 19)}, 4),
        (lepton_settings.PART, {(4, 8)}, 32),
    ],
    ids=lambda value: value.name if isinstance(value, Control) else "",
)
def test_the_controls_of_a_lepton_are_where_its_firmware_has_them(
    control: Control, places: set[tuple[int, int]], size: int
) -> None:
    assert set(control.places) == places
    assert control.size == size


def test_an_attribute_is_read_and_written(units: ExtensionUnits, camera: UvcCamera) -> None:
    assert units.read(LEVEL) == b"\1\2\3\4"
    units.write(LEVEL, b"\5\6\7\x08")

    assert units.read(LEVEL) == b"\5\6\7\x08"
    assert camera.written == [(21, 18, b"\5\6\7\x08")]


def test_a_command_is_one_byte(units: ExtensionUnits, camera: UvcCamera) -> None:
    units.run(lepton_settings.RUN_FFC)

    assert [(unit, selector, len(data)) for unit, selector, data in camera.written] == [(6, 17, 1)]


def test_older_firmware_keeps_radiometry_in_unit_5(
    units: ExtensionUnits, camera: UvcCamera
) -> None:
    camera.units = {(5, 49): struct.pack("<I", 1)}

    assert units.read(LEVEL) == b"\1\0\0\0"


@pytest.mark.parametrize("number", [errno.EIO, errno.EPIPE, errno.EBUSY])
def test_a_busy_firmware_is_asked_again(
    units: ExtensionUnits, camera: UvcCamera, number: int
) -> None:
    units.read(LEVEL)
    camera.troubles = [number, number]

    assert units.read(LEVEL) == b"\1\2\3\4"


def test_a_firmware_that_stays_busy_is_an_error(units: ExtensionUnits, camera: UvcCamera) -> None:
    camera.troubles = [errno.EIO] * 9

    with pytest.raises(CameraError, match="does not answer for the level"):
        units.read(LEVEL)
    assert len(camera.troubles) == 6


def test_a_camera_that_is_gone_is_not_asked_again(units: ExtensionUnits, camera: UvcCamera) -> None:
    camera.troubles = [errno.ENODEV] * 3

    with pytest.raises(CameraError, match="No such device"):
        units.read(LEVEL)
    assert len(camera.troubles) == 2


@pytest.mark.parametrize("held", [{}, {(21, 18): bytes(2)}], ids=["absent", "of another size"])
def test_a_control_that_is_not_there_is_named(
    units: ExtensionUnits, camera: UvcCamera, held: dict[tuple[int, int], bytes]
) -> None:
    camera.units = held

    with pytest.raises(CameraError, match="no control for the level; update the firmware"):
        units.read(LEVEL)


def test_bytes_of_a_wrong_number_are_a_mistake_of_ours(units: ExtensionUnits) -> None:
    with pytest.raises(ValueError, match="takes 4 bytes, got 1"):
        units.write(LEVEL, b"\1")


def test_closed_controls_say_so(units: ExtensionUnits) -> None:
    units.close()
    units.close()

    with pytest.raises(CameraError, match="are closed"):
        units.read(LEVEL)


def test_a_node_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="controls of video9 cannot be opened"):
        ExtensionUnits(tmp_path / "video9")


def test_a_file_that_is_no_camera_does_not_answer() -> None:
    units = ExtensionUnits(Path(os.devnull))
    with pytest.raises(CameraError, match="null does not answer"):
        units.read(LEVEL)
    units.close()
