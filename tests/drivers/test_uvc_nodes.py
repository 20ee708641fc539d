"""Which video devices there are: by a tree like that of sysfs."""

import ctypes
import errno
import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.uvc_nodes import VideoMode, VideoNode, find_node, list_modes, list_video_nodes
from thermoseg.cameras import UsbId
from thermoseg.errors import CameraError

IDS = (UsbId(0x1E4E, 0x0100, "FLIR Lepton on PureThermal"),)


def plug(root: Path, number: int, usb: str, index: int = 0, **attributes: str) -> None:
    """Make what Linux shows of a video device at the USB port `usb`."""
    device = root / "sys/devices/pci0000:00/usb1" / usb
    node = device / f"{usb}:1.0/video4linux/video{number}"
    node.mkdir(parents=True)
    (node / "index").write_text(f"{index}\n")
    (node / "name").write_text("UVC Camera\n")
    (node / "device").symlink_to(node.parents[1])
    for name, text in ({"idVendor": "1e4e", "idProduct": "0100"} | attributes).items():
        (device / name).write_text(f"{text}\n")
    (root / "dev/v4l/by-path").mkdir(parents=True, exist_ok=True)
    (root / f"dev/video{number}").touch()
    for spelling in ("usb", "usbv2"):
        link = f"pci-0000:00:14.0-{spelling}-0:{usb[2:]}:1.0-video-index{index}"
        (root / "dev/v4l/by-path" / link).symlink_to(f"../../video{number}")
    entries = root / "sys/class/video4linux"
    entries.mkdir(parents=True, exist_ok=True)
    (entries / f"video{number}").symlink_to(node)


def nodes(root: Path) -> list[VideoNode]:
    return list_video_nodes(root / "sys", root / "dev")


def test_a_camera_is_listed_with_what_names_it(tmp_path: Path) -> None:
    plug(tmp_path, 3, "1-2", serial="8003000b", product="PureThermal (fw:v1.3.0)")

    assert nodes(tmp_path) == [
        VideoNode(
            path=tmp_path / "dev/video3",
            vendor=0x1E4E,
            product=0x0100,
            name="PureThermal (fw:v1.3.0)",
            serial="8003000b",
            port="pci-0000:00:14.0-usb-0:2:1.0-video-index0",
        )
    ]


def test_the_node_for_metadata_is_left_out(tmp_path: Path) -> None:
    plug(tmp_path, 2, "1-2")
    (tmp_path / "sys/class/video4linux/video3").symlink_to(
        tmp_path / "sys/class/video4linux/video2"
    )
    plug(tmp_path, 10, "1-4", index=1)

    assert {node.path.name for node in nodes(tmp_path)} == {"video2", "video3"}


def test_nodes_come_by_number(tmp_path: Path) -> None:
    for number in (10, 9, 2):
        plug(tmp_path, number, f"1-{number}")

    assert [node.path.name for node in nodes(tmp_path)] == ["video2", "video9", "video10"]


def test_a_machine_without_video_devices_has_none(tmp_path: Path) -> None:
    assert nodes(tmp_path) == []


def test_a_camera_without_links_is_named_by_its_port(tmp_path: Path) -> None:
    plug(tmp_path, 0, "1-1.3")
    for link in (tmp_path / "dev/v4l/by-path").iterdir():
        link.unlink()

    assert nodes(tmp_path)[0].port == "usb-1-1.3"


@pytest.mark.parametrize("serial", ["", "200901010001"])
def test_a_serial_that_many_share_names_nobody(tmp_path: Path, serial: str) -> None:
    plug(tmp_path, 0, "1-2", serial=serial)

    assert nodes(tmp_path)[0].stable_name == "pci-0000:00:14.0-usb-0:2:1.0-video-index0"


@pytest.mark.parametrize("target", ["", "A1", "pci-0000:00:14.0-usb-0:2:1.0-video-index0", "path"])
def test_a_camera_is_found_by_each_of_its_names(tmp_path: Path, target: str) -> None:
    plug(tmp_path, 4, "1-2", serial="A1")
    target = str(tmp_path / "dev/video4") if target == "path" else target

    found = find_node(nodes(tmp_path), IDS, target, "lepton", "Lepton")
    assert found.path == tmp_path / "dev/video4"


def test_a_path_may_name_a_camera_of_unknown_make(tmp_path: Path) -> None:
    plug(tmp_path, 4, "1-2", idVendor="dead")

    with pytest.raises(CameraError):
        find_node(nodes(tmp_path), IDS, "", "lepton", "Lepton")
    path = str(tmp_path / "dev/video4")
    assert find_node(nodes(tmp_path), IDS, path, "lepton", "Lepton").vendor == 0xDEAD


def test_one_of_several_has_to_be_named(tmp_path: Path) -> None:
    plug(tmp_path, 0, "1-1", serial="A1")
    plug(tmp_path, 2, "1-2", serial="B2")

    with pytest.raises(CameraError, match="give one of lepton:A1, lepton:B2"):
        find_node(nodes(tmp_path), IDS, "", "lepton", "Lepton")
    assert find_node(nodes(tmp_path), IDS, "B2", "lepton", "Lepton").path.name == "video2"


def test_two_with_one_serial_are_told_apart_by_place(tmp_path: Path) -> None:
    plug(tmp_path, 0, "1-1", serial="A1")
    plug(tmp_path, 2, "1-2", serial="A1")

    with pytest.raises(CameraError, match=r"give one of lepton:pci-.*-usb-0:1:.*usb-0:2:"):
        find_node(nodes(tmp_path), IDS, "A1", "lepton", "Lepton")


def test_an_absent_camera_is_named_and_so_are_those_present(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no Lepton is plugged in; plug it in"):
        find_node(nodes(tmp_path), IDS, "", "lepton", "Lepton")
    plug(tmp_path, 0, "1-1", serial="A1")
    with pytest.raises(CameraError, match="no Lepton “C3” is plugged in; there is lepton:A1"):
        find_node(nodes(tmp_path), IDS, "C3", "lepton", "Lepton")


class Kernel:
    """Answers the three questions of V4L2, byte by byte."""

    offered = {b"Y16 ": {(160, 120): [(1111111, 10000000)], (160, 122): []}, b"GREY": {}}  # noqa: RUF012
    requests = (0xC0405602, 0xC02C564A, 0xC034564B)
    """VIDIOC_ENUM_FMT, _FRAMESIZES and _FRAMEINTERVALS on 64 bits."""

    def ioctl(self, file: int, request: int, structure: ctypes.Structure) -> int:
        place = self.requests.index(request)
        size = (request >> 16) & 0x3FFF
        assert ctypes.sizeof(structure) == size
        data = bytearray(bytes(structure))
        index, second = struct.unpack_from("<II", data)
        try:
            if place == 0:
                assert second == 1
                data[44:48] = list(self.offered)[index]
            else:
                sizes = self.offered[struct.pack("<I", second)]
                if place == 1:
                    struct.pack_into("<III", data, 8, 1, *list(sizes)[index])
                else:
                    wanted = struct.unpack_from("<II", data, 8)
                    struct.pack_into("<III", data, 16, 1, *sizes[wanted][index])
        except IndexError:
            raise OSError(errno.EINVAL, "Invalid argument") from None
        ctypes.memmove(ctypes.addressof(structure), bytes(data), size)
        return 0


def test_formats_sizes_and_rates_are_asked_of_the_kernel() -> None:
    timed, untimed = list_modes(Path(os.devnull), Kernel().ioctl)

    assert timed.rate_hz == pytest.approx(9.0)
    assert replace(timed, rate_hz=9.0) == VideoMode("Y16 ", 160, 120, 9.0)
    assert untimed == VideoMode("Y16 ", 160, 122, 0.0)


def test_a_file_that_is_no_camera_offers_nothing() -> None:
    assert list_modes(Path(os.devnull)) == []


def test_a_node_that_is_gone_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list_modes(tmp_path / "video7")


def test_a_device_that_vanishes_meanwhile_is_an_os_error() -> None:
    def gone(file: int, request: int, structure: ctypes.Structure) -> int:
        raise OSError(errno.ENODEV, "No such device")

    with pytest.raises(OSError, match="No such device"):
        list_modes(Path(os.devnull), gone)


def test_a_driver_that_never_ends_its_list_is_left() -> None:
    asked: list[int] = []

    def endless(file: int, request: int, structure: ctypes.Structure) -> int:
        asked.append(request)
        return 0

    assert list_modes(Path(os.devnull), endless) == []
    assert len(asked) == 256 + 256 * 256
