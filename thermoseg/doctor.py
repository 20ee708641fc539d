"""What works on this machine, what does not, and what to do about it: `thermoseg doctor`."""

import contextlib
import ctypes.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Final

import platformdirs
from packaging.requirements import Requirement

from thermoseg.cameras import CameraListing
from thermoseg.discovery import CameraScout, UsbCameras, driver_names
from thermoseg.udev import RULES_PATH, without_rules

PYTHON: Final = (3, 11)
"""Oldest version that works."""
RULES: Final = RULES_PATH.name
"""Name of the file of udev rules that let everyone at the machine open its cameras."""
RULES_FOLDERS: Final = ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d")
GROUPS: Final = {"video": ("video4linux", "/dev/video*"), "dialout": ("tty", "/dev/ttyACM*")}
"""Who else may open the device files of a subsystem of Linux, and what these are called."""
PROBE_S: Final = 120.0
"""PyTorch takes half a minute to load on a busy machine with a slow disk."""
TRIAL_BYTES: Final = 32 * 2**20
"""Written to measure a disk."""
NEEDED_MB_S: Final = 60.0
"""640×512 at 60 frames/s are 39 MB/s before they are packed; half of that again is to spare."""
ROOM_BYTES: Final = 5 * 10**9
"""Less room than that ends a long recording."""

_TORCH: Final = """
import json, torch
cuda = torch.cuda.is_available()
print(json.dumps({"version": torch.__version__, "built_for": torch.version.cuda or "",
    "name": torch.cuda.get_device_name() if cuda else ""}))
"""
_OPENVINO: Final = """
import json
from thermoseg.silent_openvino import openvino
core = openvino.Core()
print(json.dumps({d: core.get_property(d, "FULL_DEVICE_NAME") for d in core.available_devices}))
"""
_LSL: Final = """
import json
from importlib.util import find_spec
told = {}
if find_spec("pylsl"):
    import pylsl
    library = divmod(pylsl.library_version(), 100)
    told = {"version": f"{pylsl.__version__}, liblsl {library[0]}.{library[1]}"}
print(json.dumps(told))
"""


class Verdict(Enum):
    """Verdict of one check."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the page."""

    topic: str
    name: str
    verdict: Verdict
    detail: str = ""
    remedy: str = ""
    """Remedy; empty if all is well."""
    essential: bool = False
    """Whether ThermoSeg cannot work without it."""


def examine(folder: Path | None = None) -> Iterator[Finding]:
    """Look at everything, one finding after the other; takes some seconds.

    Parameters
    ----------
    folder
        Where recordings go; the window's default if not given.
    """
    with _Probe(_TORCH) as torch, _Probe(_OPENVINO) as openvino, _Probe(_LSL) as lsl:
        yield from _system()
        scout = CameraScout()
        # First, because that loads the drivers, each as far as it can be: only they know the rest.
        listings = scout.look()
        plugged = scout.usb_cameras()
        yield from _permissions(plugged)
        yield from _libraries()
        yield _libusb(plugged)
        yield _lab_streaming_layer(lsl.answer())
        yield from _computing(torch.answer(), openvino.answer())
        yield from _disk(folder or platformdirs.user_documents_path() / "ThermoSeg")
        yield from _display()
        yield from _cameras(listings)
        yield from _models()


def _system() -> Iterator[Finding]:
    old = sys.version_info < PYTHON
    wanted = ".".join(map(str, PYTHON))
    yield Finding(
        "System",
        "Python",
        Verdict.MISSING if old else Verdict.OK,
        f"{platform.python_version()} in {sys.prefix}",
        f"install Python {wanted} or newer" if old else "",
        essential=True,
    )
    yield Finding("System", "Operating system", Verdict.OK, platform.platform(aliased=True))
    yield Finding("System", "Processors", Verdict.OK, f"{os.cpu_count()}, {platform.machine()}")


def _permissions(plugged: UsbCameras) -> Iterator[Finding]:
    """What Linux asks for; elsewhere cameras belong to everybody."""
    if sys.platform != "linux":
        return
    yield _rules(plugged)
    import grp

    mine = {*os.getgroups(), os.getegid()}
    for name, (subsystem, files) in GROUPS.items():
        cameras = plugged.names_in(subsystem)
        if not cameras:
            continue
        with contextlib.suppress(KeyError):
            inside = os.geteuid() == 0 or grp.getgrnam(name).gr_gid in mine
            yield Finding(
                "Permissions",
                f"group {name}",
                Verdict.OK if inside else Verdict.WARNING,
                "" if inside else f"opened through {files}: {', '.join(cameras)}",
                "" if inside else f"run: sudo usermod -aG {name} $USER, then log in again",
            )


def _rules(plugged: UsbCameras) -> Finding:
    paths = [path for name in RULES_FOLDERS if (path := Path(name) / RULES).exists()]
    detail = f"no {RULES}: USB cameras may refuse to open"
    if paths:
        try:
            lacking = without_rules(plugged, paths[0].read_text(encoding="utf-8", errors="replace"))
        except OSError as error:
            detail = f"{paths[0]} cannot be read ({error.strerror})"
        else:
            if not lacking:
                return Finding("Permissions", "udev rules", Verdict.OK, str(paths[0]))
            detail = f"{paths[0]} is of another version and lacks {', '.join(lacking)}"
    remedy = f"run: sudo {sys.executable} -m thermoseg install-udev"
    return Finding("Permissions", "udev rules", Verdict.WARNING, detail, remedy)


def _libraries() -> Iterator[Finding]:
    for requirement in _requirements():
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            found = ""
        fits = bool(found) and requirement.specifier.contains(found, prereleases=True)
        wanted = f"{requirement.name}{requirement.specifier}"
        yield Finding(
            "Libraries",
            requirement.name,
            Verdict.OK if fits else Verdict.WARNING if found else Verdict.MISSING,
            found if fits else f"{found or 'not installed'}, needed: {requirement.specifier}",
            "" if fits else f"run: {sys.executable} -m pip install '{wanted}'",
            essential=True,
        )


def _requirements() -> list[Requirement]:
    """Return what this installation says it needs, without its extras."""
    try:
        texts = requires("thermoseg") or []
    except PackageNotFoundError:
        return []
    wanted = [Requirement(text) for text in texts]
    return [
        requirement
        for requirement in wanted
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    ]


def _lab_streaming_layer(told: dict[str, str]) -> Finding:
    """Say whether pylsl loads: it may be there without the library liblsl that does the work."""
    if "version" in told:
        return Finding("Libraries", "pylsl", Verdict.OK, told["version"])
    pip = f"{sys.executable} -m pip install"
    if "error" in told:
        remedy = f"run: {pip} --force-reinstall pylsl, which brings liblsl along"
        return Finding("Libraries", "pylsl", Verdict.WARNING, told["error"], remedy)
    detail = "not installed: talks to Lab Streaming Layer"
    return Finding(
        "Libraries", "pylsl", Verdict.WARNING, detail, f"if you want it, run: {pip} pylsl"
    )


def _libusb(plugged: UsbCameras) -> Finding:
    try:
        from usb.backend import libusb1

        found = libusb1.get_backend() is not None
    except ImportError:
        found = False
    if found:
        return Finding("Libraries", "libusb", Verdict.OK)
    if not plugged.names_on_usb_alone:
        return Finding("Libraries", "libusb", Verdict.OK, "not found, and no camera needs it")
    remedy = {
        "linux": "run: sudo apt install libusb-1.0-0",
        "darwin": "run: brew install libusb",
    }.get(sys.platform, f"run: {sys.executable} -m pip install libusb-package")
    detail = f"not found, and needed by: {', '.join(plugged.names_on_usb_alone)}"
    return Finding("Libraries", "libusb", Verdict.MISSING, detail, remedy)


def _computing(torch: dict[str, str], openvino: dict[str, str]) -> Iterator[Finding]:
    """Say what runs networks.

    Parameters
    ----------
    torch, openvino
        What their probes printed; `error` if they failed.
    """
    card = shutil.which("nvidia-smi") is not None
    if "error" in torch:
        remedy = "install PyTorch again: make install, or pip install torch"
        yield Finding("Computing", "GPU", Verdict.WARNING, f"PyTorch: {torch['error']}", remedy)
    elif torch["name"]:
        yield Finding("Computing", "GPU", Verdict.OK, f"{torch['name']}, CUDA {torch['built_for']}")
    elif card:
        detail = f"there is an NVIDIA driver, but PyTorch {torch['version']} cannot use it"
        remedy = "install a PyTorch for CUDA: make install TORCH=, or see pytorch.org"
        yield Finding("Computing", "GPU", Verdict.WARNING, detail, remedy)
    else:
        detail = f"none; networks run on the processor (PyTorch {torch['version']})"
        yield Finding("Computing", "GPU", Verdict.OK, detail)
    if "error" in openvino or not openvino:
        detail = openvino.get("error", "it finds no device")
        remedy = "install it again: pip install --force-reinstall openvino"
        yield Finding("Computing", "OpenVINO", Verdict.WARNING, detail, remedy)
    for device, name in openvino.items():
        if device != "error":
            yield Finding("Computing", f"OpenVINO {device}", Verdict.OK, name)


def _disk(folder: Path) -> Iterator[Finding]:
    from thermoseg.recording.place import NETWORK_FILE_SYSTEMS, file_system_of

    place = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    kind = file_system_of(place)
    remedy = "record into a folder on a local disk: thermoseg doctor --folder DIR tests another"
    if kind in NETWORK_FILE_SYSTEMS:
        detail = f"{place} is on a network share ({kind}), where recording is refused"
        yield Finding("Recording", "Folder", Verdict.MISSING, detail, remedy, essential=True)
        return
    try:
        speed = _write_speed(place)
    except OSError as error:
        detail = f"{place} cannot be written ({error.strerror})"
        yield Finding("Recording", "Folder", Verdict.MISSING, detail, remedy, essential=True)
        return
    free = shutil.disk_usage(place).free
    full = free < ROOM_BYTES
    yield Finding(
        "Recording",
        "Folder",
        Verdict.WARNING if full else Verdict.OK,
        f"{place}, {free / 1e9:.0f} GB free",
        "make room, or record to another disk" if full else "",
    )
    slow = speed < NEEDED_MB_S
    yield Finding(
        "Recording",
        "Write speed",
        Verdict.WARNING if slow else Verdict.OK,
        f"{speed:.0f} MB/s; 640×512 at 60 frames/s need 39 MB/s",
        "record to a faster disk, or fewer frames per second" if slow else "",
    )


def _write_speed(folder: Path) -> float:
    """Return how fast `folder` takes data that no disk can pack, MB/s."""
    chunk = os.urandom(2**20)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".thermoseg-speed-") as file:
        began_s = time.perf_counter()
        for _ in range(TRIAL_BYTES // len(chunk)):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
        return TRIAL_BYTES / 1e6 / (time.perf_counter() - began_s)


def _display() -> Iterator[Finding]:
    if sys.platform in ("win32", "darwin"):
        yield Finding("Window", "Display", Verdict.OK)
        return
    display = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    if not display:
        detail, remedy = "none", "without one, use thermoseg record, segment and demo"
        yield Finding("Window", "Display", Verdict.WARNING, detail, remedy)
    elif os.environ.get("WAYLAND_DISPLAY") or ctypes.util.find_library("xcb-cursor"):
        yield Finding("Window", "Display", Verdict.OK, display)
    else:
        detail = f"{display}, but libxcb-cursor is missing, which Qt needs"
        remedy = "run: sudo apt install libxcb-cursor0, or make system-packages"
        yield Finding("Window", "Display", Verdict.MISSING, detail, remedy)


def _cameras(listings: list[CameraListing]) -> Iterator[Finding]:
    names = driver_names()
    if not names:
        remedy = f"run: {sys.executable} -m pip install --force-reinstall thermoseg"
        yield Finding("Cameras", "drivers", Verdict.MISSING, "none", remedy, essential=True)
    for name in names:
        mine = [listing for listing in listings if listing.address.startswith(f"{name}:")]
        if not mine:
            yield Finding("Cameras", name, Verdict.OK, "works; nothing is plugged in")
        for listing in mine:
            if listing.problem:
                detail = listing.description if listing.description != name else ""
                yield Finding("Cameras", name, Verdict.MISSING, detail, listing.problem)
            else:
                yield Finding("Cameras", name, Verdict.OK, listing.title)


def _models() -> Iterator[Finding]:
    from thermoseg.models import list_models

    models = list_models()
    for model in models:
        name, network = model.header.name, model.header.network
        yield Finding("Models", name, Verdict.OK, f"{network}, {model.sha256[:12]}")
    if not models:
        remedy = "install ThermoSeg again, or name a model file with --model PATH"
        detail = "the bundled model is missing or damaged"
        yield Finding("Models", "none", Verdict.MISSING, detail, remedy, essential=True)


class _Probe:
    """A question to a library that is too heavy, or too likely to crash, for this process."""

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # a constant of this file
            [sys.executable, "-c", program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "_Probe":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def answer(self) -> dict[str, str]:
        """Return what it printed, or under `error` why it printed nothing."""
        try:
            out, complaints = self._process.communicate(timeout=PROBE_S)
        except subprocess.TimeoutExpired:
            return {"error": f"it has not loaded within {PROBE_S:.0f} s"}
        if self._process.returncode:
            last = complaints.strip().splitlines()[-1:] or [f"exit code {self._process.returncode}"]
            return {"error": last[0]}
        answer: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        return answer
