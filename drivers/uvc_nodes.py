"""Which video devices Linux knows and what they offer, found out without disturbing them."""

import ctypes
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from thermoseg.cameras import UsbId
from thermoseg.errors import CameraError

Ioctl = Callable[[int, int, Any], Any]
"""`fcntl.ioctl`, or what stands for it: (file, request, structure)."""

PLACEHOLDER_SERIALS: Final = frozenset({"", "0", "0001", "200901010001"})
"""Serial numbers of makers who number nothing; two cameras would share an address."""

NO_PERMISSION: Final = (
    "may not be opened by you; run “thermoseg install-udev” and plug it in again, or join the "
    "group “video” and log in again"
)

MOST_LISTED: Final = 256
"""Formats, sizes or rates asked for, so that no driver makes us ask for ever."""

_CAPTURE: Final = 1
"""V4L2_BUF_TYPE_VIDEO_CAPTURE."""
_DISCRETE: Final = 1
"""V4L2_FRMSIZE_TYPE_DISCRETE and V4L2_FRMIVAL_TYPE_DISCRETE."""


@dataclass(frozen=True, slots=True)
class VideoNode:
    """One `/dev/video*` that pictures come from, and the USB device behind it."""

    path: Path
    vendor: int
    product: int
    name: str
    """The product string of the device."""
    serial: str
    """Empty where the device has none."""
    port: str
    """Place of the plug, by a name that stays: of `/dev/v4l/by-path`, or the USB port."""

    @property
    def stable_name(self) -> str:
        """Name that finds the same camera tomorrow: its serial number, or the place of the plug."""
        return self.port if self.serial in PLACEHOLDER_SERIALS else self.serial

    def is_one_of(self, ids: Iterable[UsbId]) -> bool:
        """Whether the device has one of these ids."""
        return any(one.matches(self.vendor, self.product) for one in ids)

    def answers_to(self, target: str) -> bool:
        """Whether `target` names this camera: by serial number, port or path."""
        if target.startswith("/"):
            return Path(target).resolve() == self.path.resolve()
        return target in (self.serial, self.port, self.path.name)


@dataclass(frozen=True, slots=True)
class VideoMode:
    """One picture that a device offers."""

    fourcc: str
    """Code of the pixel format, such as "Y16 " or "YUYV"."""
    width: int
    height: int
    rate_hz: float
    """The fastest; 0 if it does not say."""


def list_video_nodes(sys: Path = Path("/sys"), dev: Path = Path("/dev")) -> list[VideoNode]:
    """List the video devices on USB, by number.

    Devices that send metadata only are left out: for every camera the driver `uvcvideo` makes the
    one for pictures first, with index 0, and then one for metadata.

    Parameters
    ----------
    sys, dev
        Where sysfs and the device files are.
    """
    ports = {link.resolve(): link.name for link in _links(dev / "v4l" / "by-path")}
    nodes = []
    for entry in sorted((sys / "class" / "video4linux").glob("video*"), key=_number):
        usb = _usb_device(entry)
        if _text(entry / "index") not in ("", "0") or usb is None:
            continue
        path = dev / entry.name
        nodes.append(
            VideoNode(
                path,
                int(_text(usb / "idVendor") or "0", 16),
                int(_text(usb / "idProduct") or "0", 16),
                _text(usb / "product") or _text(entry / "name"),
                _text(usb / "serial"),
                ports.get(path.resolve(), f"usb-{usb.name}"),
            )
        )
    return nodes


def find_node(
    nodes: Sequence[VideoNode], ids: Sequence[UsbId], target: str, scheme: str, kind: str
) -> VideoNode:
    """Return the camera that an address means.

    Parameters
    ----------
    ids
        USB identities of this kind of camera; a path may name any camera.
    target
        Serial number, port or path; empty for the only one there is.
    scheme, kind
        Scheme of the address, and the name of such a camera for users.

    Raises
    ------
    CameraError
        If it is not there, or several are and none is named.
    """
    ours = [node for node in nodes if node.is_one_of(ids)]
    if target:
        named = [
            node for node in (nodes if target.startswith("/") else ours) if node.answers_to(target)
        ]
        if len(named) == 1:
            return named[0]
        if named:
            places = ", ".join(f"{scheme}:{node.port}" for node in named)
            raise CameraError(f"several cameras are called “{target}”; give one of {places}")
    elif len(ours) == 1:
        return ours[0]
    names = ", ".join(f"{scheme}:{node.stable_name}" for node in ours)
    if not target and ours:
        raise CameraError(f"several cameras of the kind {kind} are there; give one of {names}")
    what = f"{kind} “{target}”" if target else kind
    raise CameraError(
        f"no {what} is plugged in"
        + (f"; there is {names}" if names else "; plug it in, with a cable that carries data")
    )


def list_modes(path: Path, ioctl: Ioctl | None = None) -> list[VideoMode]:
    """List what the device at `path` offers; it may be streaming to another program meanwhile.

    Raises
    ------
    OSError
        If it cannot be opened, as `PermissionError` where rights are missing.
    """
    ask = ioctl or import_module("fcntl").ioctl
    file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        return list(_modes(file, ask))
    finally:
        os.close(file)


class _Format(ctypes.Structure):
    """v4l2_fmtdesc."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("description", ctypes.c_char * 32),
        ("pixelformat", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 4),
    )


class _Size(ctypes.Structure):
    """v4l2_frmsizeenum."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("pixelformat", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 6),
    )


class _Interval(ctypes.Structure):
    """v4l2_frmivalenum."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("pixelformat", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("numerator", ctypes.c_uint32),
        ("denominator", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 6),
    )


def _request(number: int, structure: type[ctypes.Structure]) -> int:
    """Return _IOWR('V', number, structure) of Linux."""
    return 3 << 30 | ctypes.sizeof(structure) << 16 | ord("V") << 8 | number


_ENUM_FMT: Final = _request(2, _Format)
_ENUM_FRAMESIZES: Final = _request(74, _Size)
_ENUM_FRAMEINTERVALS: Final = _request(75, _Interval)


def _modes(file: int, ask: Ioctl) -> Iterator[VideoMode]:
    for form in _enumerate(file, ask, _ENUM_FMT, lambda index: _Format(index, _CAPTURE)):
        pixels = form.pixelformat
        fourcc = pixels.to_bytes(4, "little").decode("ascii", "replace")
        for size in _enumerate(file, ask, _ENUM_FRAMESIZES, lambda i, p=pixels: _Size(i, p)):
            if size.type != _DISCRETE:
                continue
            rates = [
                interval.denominator / interval.numerator
                for interval in _enumerate(
                    file,
                    ask,
                    _ENUM_FRAMEINTERVALS,
                    lambda i, p=pixels, s=size: _Interval(i, p, s.width, s.height),
                )
                if interval.type == _DISCRETE and interval.numerator
            ]
            yield VideoMode(fourcc, size.width, size.height, max(rates, default=0.0))


def _enumerate(file: int, ask: Ioctl, request: int, make: Callable[..., Any]) -> Iterator[Any]:
    for index in range(MOST_LISTED):
        item = make(index)
        try:
            ask(file, request, item)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return  # no more of them, or none at all
            raise
        yield item


def _usb_device(entry: Path) -> Path | None:
    start = (entry / "device").resolve()
    return next(
        (place for place in (start, *start.parents) if (place / "idVendor").is_file()), None
    )


def _links(folder: Path) -> list[Path]:
    """By-path links to pictures; newer systems have a second one with another spelling of USB."""
    return sorted(
        (link for link in folder.glob("*-video-index0")), key=lambda link: "-usbv" not in link.name
    )


def _number(entry: Path) -> int:
    digits = entry.name.removeprefix("video")
    return int(digits) if digits.isdigit() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""  # the device has no such attribute, or has just been unplugged
