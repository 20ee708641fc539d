"""Which cameras are there now, and which could be: all drivers are asked.

Looking for a camera may hang or fail, so each driver is asked in a thread of its own, and one that
cannot answer stays listed with the reason.
"""

import logging
import math
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Final

from thermoseg.cameras import (
    CameraListing,
    UsbId,
    installed_drivers,
    load_driver,
    usb_ids_of,
)
from thermoseg.errors import DriverMissingError, ThermoSegError

log = logging.getLogger(__name__)

PATIENCE_S: Final = 5.0
"""A driver that looks for its cameras for longer is said to hang; a search of a network takes
1 s."""
LOADING: Final = 4
"""Times that patience for a driver that is still being loaded, as on a busy machine."""
GLANCE_S: Final = 0.05
"""Interval of looking whether a driver has been loaded."""


def driver_names() -> list[str]:
    """List the schemes of all drivers that are installed, working or not."""
    return sorted(installed_drivers())


def list_cameras() -> list[CameraListing]:
    """List every camera that can be opened now, and every driver that cannot work and why."""
    return CameraScout().look()


@dataclass(frozen=True, slots=True)
class UsbCameras:
    """USB identities that the installed drivers open."""

    ids: tuple[UsbId, ...]
    """Each vendor and product once."""
    left_out: tuple[str, ...] = ()
    """Why the ids of some drivers are not among them, a sentence for each driver."""

    @property
    def subsystems(self) -> tuple[str, ...]:
        """Names of Linux's subsystems in which these cameras show up."""
        named = (subsystem for usb_id in self.ids for subsystem in usb_id.subsystems)
        return tuple(dict.fromkeys(("usb", *named)))

    def names_in(self, subsystem: str) -> list[str]:
        """Name the cameras that are opened through device files of `subsystem`."""
        return [usb_id.name for usb_id in self.ids if subsystem in usb_id.subsystems]

    @property
    def names_on_usb_alone(self) -> list[str]:
        """Name the cameras for which the system has no driver: they are opened through libusb."""
        return [usb_id.name for usb_id in self.ids if not usb_id.subsystems]


def usb_cameras() -> UsbCameras:
    """Load all drivers, and collect what they open on USB; takes a second or more."""
    declared: list[UsbId] = []
    left_out = []
    for _, entry in sorted(installed_drivers().items()):
        try:
            declared += usb_ids_of(load_driver(entry))
        except DriverMissingError as error:
            left_out.append(str(error))
    return UsbCameras(_merged(declared), tuple(left_out))


def _merged(declared: Iterable[UsbId]) -> tuple[UsbId, ...]:
    """Make one of those ids that several drivers open."""
    same: dict[tuple[int, int], list[UsbId]] = {}
    for usb_id in declared:
        same.setdefault((usb_id.vendor, usb_id.product), []).append(usb_id)
    return tuple(
        UsbId(
            *numbers,
            " or ".join(dict.fromkeys(one.name for one in ids)),
            tuple(dict.fromkeys(subsystem for one in ids for subsystem in one.subsystems)),
        )
        for numbers, ids in same.items()
    )


class CameraScout:
    """Asks all drivers what is there, each in a thread of its own: looking for a camera may hang.

    One that has not answered yet is not asked again; until it answers, or is given up, what it
    said last holds.  May be used from several threads.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        """Ask nobody yet.

        Parameters
        ----------
        patience_s
            A driver that has not answered for so long since it was loaded is listed as one that
            hangs, seconds.
        """
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._drivers = installed_drivers()
        self._inquiries: dict[str, _Inquiry] = {}
        self._answers: dict[str, list[CameraListing]] = {}
        self._usb_ids: dict[str, tuple[UsbId, ...]] = {}

    def look(self, wait_s: float | None = None) -> list[CameraListing]:
        """List every camera there is, and every driver that cannot say and why, by driver.

        Parameters
        ----------
        wait_s
            The longest wait for all drivers together, seconds; as long as there is patience if
            not given.
        """
        with self._lock:
            for name, entry in self._drivers.items():
                self._collect(name)
                if name not in self._inquiries:
                    self._inquiries[name] = _Inquiry(entry)
            deadline_s = math.inf if wait_s is None else time.monotonic() + wait_s
            for inquiry in self._inquiries.values():
                inquiry.wait(deadline_s, self._patience_s)
            for name in self._drivers:
                self._collect(name)
            self._give_up_late()
            return [
                listing for name in sorted(self._drivers) for listing in self._answers.get(name, ())
            ]

    def usb_cameras(self) -> UsbCameras:
        """Return what those drivers open on USB that were loaded for the looks so far."""
        with self._lock:
            loaded = [usb_id for ids in self._usb_ids.values() for usb_id in ids]
        return UsbCameras(_merged(loaded))

    def _collect(self, name: str) -> None:
        inquiry = self._inquiries.get(name)
        if inquiry is not None:
            self._usb_ids[name] = inquiry.usb_ids
        if inquiry is not None and inquiry.answered:
            self._answers[name] = inquiry.answer
            del self._inquiries[name]

    def _give_up_late(self) -> None:
        for name, inquiry in self._inquiries.items():
            if not inquiry.late(self._patience_s):
                continue
            problem = (
                f"looking for cameras of “{name}” takes longer than {self._patience_s:g} s; "
                "unplug them, plug them in again and restart the program"
                if inquiry.asked
                else f"the driver “{name}” is still being loaded; look again in a moment"
            )
            self._answers[name] = [CameraListing(f"{name}:", name, problem)]


class _Inquiry:
    """One driver being asked."""

    def __init__(self, entry: EntryPoint) -> None:
        self.asked = False
        """Whether the driver is loaded."""
        self._since_s = time.monotonic()  # it was asked, or began to be loaded
        self.answer: list[CameraListing] = []
        self.usb_ids: tuple[UsbId, ...] = ()
        self._entry = entry
        self._thread = threading.Thread(
            target=self._ask, name=f"thermoseg discover {entry.name}", daemon=True
        )
        self._thread.start()

    @property
    def answered(self) -> bool:
        return not self._thread.is_alive()

    def late(self, patience_s: float) -> bool:
        """Whether it has taken longer than there is patience."""
        return time.monotonic() - self._since_s >= patience_s * (1 if self.asked else LOADING)

    def wait(self, deadline_s: float, patience_s: float) -> None:
        """Wait for the answer as long as there is patience."""
        while not self.answered and not self.late(patience_s):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return
            self._thread.join(min(left_s, GLANCE_S))

    def _ask(self) -> None:
        name = self._entry.name
        try:
            driver = load_driver(self._entry)
            self.usb_ids = usb_ids_of(driver)
            self._since_s, self.asked = time.monotonic(), True
            self.answer = list(driver.discover())
        except ThermoSegError as error:
            self.answer = [CameraListing(f"{name}:", name, str(error))]
        except Exception as error:
            log.warning("looking for cameras of %s failed", name, exc_info=True)
            problem = (
                f"looking for cameras of “{name}” failed ({type(error).__name__}: {error}); "
                "“thermoseg doctor” tells what this machine lacks"
            )
            self.answer = [CameraListing(f"{name}:", name, problem)]
