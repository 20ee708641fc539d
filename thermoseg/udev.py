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

from thermoseg.errors import ThermoSegError
from thermoseg.whole_file import write_whole

RULES_PATH: Final = Path("/etc/udev/rules.d/70-thermoseg.rules")

READABLE_BY_ALL: Final = 0o644
"""Permissions of the rules, as of all others in that folder, whatever the umask of root."""

USB_CAMERAS: Final[dict[str, tuple[str, str]]] = {
    "FLIR ONE": ("09cb", "1996"),
    "FLIR Lepton on PureThermal": ("1e4e", "0100"),
    "InfiRay P2 Pro": ("0bda", "5830"),
    "TOPDON TC001": ("0bda", "5840"),
    "InfiRay Tiny1-C, product 5838": ("0bda", "5838"),
    "InfiRay Tiny1-C, product 3901": ("0bda", "3901"),
    "a copy of the P2 Pro": ("3474", "4321"),
    "FLIR Boson": ("09cb", "4007"),
    "FLIR Tau on a TeAx grabber": ("0403", "6010"),
}
"""Vendor and product, as udev writes them: hexadecimal, lower case."""

VIDEO_CAMERAS: Final = (
    "FLIR Lepton on PureThermal",
    "InfiRay P2 Pro",
    "TOPDON TC001",
    "InfiRay Tiny1-C, product 5838",
    "InfiRay Tiny1-C, product 3901",
    "a copy of the P2 Pro",
    "FLIR Boson",
)
SERIAL_CAMERAS: Final = ("FLIR Boson",)
"""Commands go through a serial port, which ModemManager would ask whether it is a telephone."""

_GRANT: Final = 'MODE="0660", TAG+="uaccess"'
RELOAD: Final = (("udevadm", "control", "--reload-rules"), ("udevadm", "trigger"))
RELOAD_TIMEOUT_S: Final = 30.0


class UdevError(ThermoSegError):
    """The rules cannot be installed here."""


def rules_text() -> str:
    """Write the rules file.

    Examples
    --------
    >>> 'ATTR{idVendor}=="09cb", ATTR{idProduct}=="1996", MODE="0660"' in rules_text()
    True
    """
    lines = [
        "# Cameras of ThermoSeg: whoever sits at this machine may use them.",
        "# Written by “thermoseg install-udev”; changes are lost when it is run again.",
    ]
    for name, (vendor, product) in USB_CAMERAS.items():
        lines += ["", f"# {name}"]
        lines.append(
            f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", ATTR{{idProduct}}=="{product}", '
            f"{_GRANT}"
        )
        parents = f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"'
        if name in VIDEO_CAMERAS:
            lines.append(f'SUBSYSTEM=="video4linux", {parents}, {_GRANT}')
        if name in SERIAL_CAMERAS:
            lines.append(f'SUBSYSTEM=="tty", {parents}, {_GRANT}, ENV{{ID_MM_DEVICE_IGNORE}}="1"')
    return "\n".join(lines) + "\n"


def install_rules(
    path: Path = RULES_PATH,
    *,
    platform: str = sys.platform,
    run: Callable[[Sequence[str]], int] | None = None,
) -> str:
    """Write the rules and have udev read them; may be repeated.

    Parameters
    ----------
    path
        Of the rules file.
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
            "udev rules are for Linux only; on Windows a FLIR ONE needs the driver WinUSB, which "
            "Zadig installs, on macOS nothing is needed"
        )
    text = rules_text()
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
