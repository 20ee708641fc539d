"""Leave to use the cameras on Linux: the udev rules, and putting them where udev reads them.

Without them a USB camera belongs to root.  `uaccess` gives it to whoever sits at the machine,
which works for files that sort before 73-seat-late.rules.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from thermoseg.cameras import UsbId
from thermoseg.discovery import UsbCameras
from thermoseg.errors import ThermoSegError
from thermoseg.whole_file import write_whole

RULES_PATH: Final = Path("/etc/udev/rules.d/70-thermoseg.rules")

READABLE_BY_ALL: Final = 0o644
"""Permissions of the rules, as of all others in that folder, whatever the umask of root."""

_GRANT: Final = 'MODE="0660", TAG+="uaccess"'
_NO_MODEM: Final = ', ENV{ID_MM_DEVICE_IGNORE}="1"'
"""ModemManager would ask each serial port whether it is a telephone."""
RELOAD: Final = (("udevadm", "control", "--reload-rules"), ("udevadm", "trigger"))
RELOAD_TIMEOUT_S: Final = 30.0


class UdevError(ThermoSegError):
    """The rules cannot be installed here."""


def rules_text(cameras: UsbCameras) -> str:
    """Write the rules file.

    Examples
    --------
    >>> cameras = UsbCameras((UsbId(0x1D6B, 0x0104, "Example 9000"),))
    >>> print(rules_text(cameras).splitlines()[-1])
    SUBSYSTEM=="usb", ATTR{idVendor}=="1d6b", ATTR{idProduct}=="0104", MODE="0660", TAG+="uaccess"
    """
    lines = [
        "# Cameras of ThermoSeg: whoever sits at this machine may use them.",
        "# Written by “thermoseg install-udev”; changes are lost when it is run again.",
    ]
    for camera in cameras.ids:
        lines += ["", f"# {camera.name}"]
        own = _match("ATTR", camera)
        lines.append(f'SUBSYSTEM=="usb", {own}, {_GRANT}')
        for subsystem in camera.subsystems:
            rule = f'SUBSYSTEM=="{subsystem}", {_match("ATTRS", camera)}, {_GRANT}'
            lines.append(rule + (_NO_MODEM if subsystem == "tty" else ""))
    return "\n".join(lines) + "\n"


def without_rules(cameras: UsbCameras, rules: str) -> list[str]:
    """Name the cameras that a rules file, perhaps one of another version, does not give."""
    return [camera.name for camera in cameras.ids if _match("ATTR", camera) not in rules]


def _match(key: str, camera: UsbId) -> str:
    """Return the part of a rule that tells this camera, of a device (ATTR) or below it (ATTRS)."""
    # Hexadecimal in lower case, as sysfs has it.
    vendor, product = f"{camera.vendor:04x}", f"{camera.product:04x}"
    return f'{key}{{idVendor}}=="{vendor}", {key}{{idProduct}}=="{product}"'


def install_rules(
    cameras: UsbCameras,
    path: Path = RULES_PATH,
    *,
    platform: str = sys.platform,
    run: Callable[[Sequence[str]], int] | None = None,
) -> str:
    """Write the rules and have udev read them; may be repeated.

    Parameters
    ----------
    cameras
        Who gets rules; `thermoseg.discovery.usb_cameras` collects all.
    path
        Path of the rules file.
    run
        Runs a command and returns its exit code; for tests.

    Returns
    -------
    One sentence that says what was done and what is left to do.

    Raises
    ------
    UdevError
        If this is not Linux, or the file may not be written: then the message holds the command
        to type.
    """
    if platform != "linux":
        raise UdevError(
            "udev rules are for Linux only; on macOS nothing is needed, on Windows Zadig installs "
            f"the driver WinUSB for these: {', '.join(cameras.names_on_usb_alone) or 'none'}"
        )
    text = rules_text(cameras)
    try:
        there = path.is_file() and path.read_text(encoding="utf-8", errors="replace") == text
        if not there:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text.encode(), mode=READABLE_BY_ALL)
    except PermissionError as error:
        raise UdevError(
            f"only root may write {path}; run: sudo {sys.executable} -m thermoseg install-udev"
        ) from error
    except OSError as error:
        raise UdevError(
            f"{path} cannot be written ({error.strerror}); save what “thermoseg install-udev "
            "--print” shows into udev's folder of rules"
        ) from error
    did = f"{path} was up to date" if there else f"{path} is written"
    reload = run or _run
    if any(reload(command) for command in RELOAD):
        return (
            f"{did}, but udev could not be told; run “sudo udevadm control --reload-rules” or "
            "restart, then plug the cameras in again"
        )
    return f"{did} and udev has read it; plug the cameras in again"


def _run(command: Sequence[str]) -> int:
    program = shutil.which(command[0], path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        return 127
    try:
        done = subprocess.run(  # noqa: S603  # a fixed command
            [program, *command[1:]], check=False, capture_output=True, timeout=RELOAD_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return 126
    return done.returncode
