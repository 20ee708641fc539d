"""Cameras that come and go: notices within 2 s what is plugged in or out.

Where the system tells of devices (udev, through pyudev), it is looked at once when it does.
Everywhere it is looked each second as well, because cameras on a network announce themselves to
nobody.
"""

import contextlib
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from importlib import import_module
from types import TracebackType
from typing import Any, Final, Protocol, Self

from thermoseg.cameras import CameraListing
from thermoseg.discovery import CameraScout

log = logging.getLogger(__name__)

PERIOD_S: Final = 1.0
"""Pause between two looks at what is plugged in."""
LOOK_S: Final = 0.5
"""A driver that needs longer to answer is heard at the next look."""
FIRST_LOOK_S: Final = 2.0
"""The first look may take longer, as drivers are loaded then."""
SETTLE_S: Final = 0.3
"""Time in which the name and the permissions of a new device follow it."""


class DeviceEvents(Protocol):
    """Tells that some device came or went, perhaps a camera."""

    def wait(self, timeout_s: float) -> bool:
        """Wait at most `timeout_s` seconds; return whether something came or went."""
        ...

    def close(self) -> None:
        """Listen no more; may be called twice."""


class NoEvents:
    """Source of events on systems that report none."""

    def wait(self, timeout_s: float) -> bool:
        """Let the time pass."""
        time.sleep(timeout_s)
        return False

    def close(self) -> None:
        """Do nothing."""


class UdevEvents:
    """Source of Linux's own events of devices (udev)."""

    def __init__(
        self,
        monitor: Any,  # noqa: ANN401  # pyudev has no types
        subsystems: Iterable[str],
    ) -> None:
        """Listen.

        Parameters
        ----------
        monitor
            A `pyudev.Monitor` that has not been started.
        subsystems
            Subsystems of udev in which cameras show up.
        """
        for subsystem in subsystems:
            monitor.filter_by(subsystem)
        monitor.start()
        self._monitor = monitor

    def wait(self, timeout_s: float) -> bool:
        """Wait for the next device that comes or goes."""
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            device = self._monitor.poll(timeout=left_s)
            if device is not None and device.action in ("add", "remove", "bind", "unbind"):
                return True
        return False

    def close(self) -> None:
        """Leave the rest to the garbage collector: pyudev has no other way."""


def device_events(subsystems: Iterable[str]) -> DeviceEvents:
    """Return what tells of devices here: udev where it can be heard, else nothing.

    Parameters
    ----------
    subsystems
        As `UdevEvents` takes them.
    """
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError):
            pyudev = import_module("pyudev")
            return UdevEvents(pyudev.Monitor.from_netlink(pyudev.Context()), subsystems)
    log.info("the system tells of no devices; cameras are looked for each %g s", PERIOD_S)
    return NoEvents()


class CameraWatch:
    """Says which cameras are there, again whenever that changes; used by one thread."""

    def __init__(
        self, scout: CameraScout | None = None, events: DeviceEvents | None = None
    ) -> None:
        """Look at nothing yet.

        Parameters
        ----------
        scout
            Who looks; a new one by default.
        events
            What tells when to look; by default `device_events` of what the drivers open, from the
            first look on, with which they are loaded.
        """
        self._scout = scout or CameraScout()
        self._events = events
        self._known: list[CameraListing] | None = None
        self._looked_s = -PERIOD_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._events is not None:
            self._events.close()

    def next_change(self, timeout_s: float) -> list[CameraListing] | None:
        """Wait at most about `timeout_s` seconds for another list of cameras than the last one.

        Returns
        -------
        All cameras there are, at once at the first call; None if the list stayed the same.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            now_s = time.monotonic()
            due_s = self._looked_s + PERIOD_S
            events = self._events or NoEvents()
            if now_s < due_s and events.wait(max(min(due_s, deadline_s) - now_s, 0.0)):
                events.wait(SETTLE_S)
                due_s = time.monotonic()
            if time.monotonic() >= due_s:
                listings = self._look()
                if listings is not None:
                    return listings
            if time.monotonic() >= deadline_s:
                return None

    def _look(self) -> list[CameraListing] | None:
        self._looked_s = time.monotonic()
        listings = self._scout.look(FIRST_LOOK_S if self._known is None else LOOK_S)
        if self._events is None:
            self._events = device_events(self._scout.usb_cameras().subsystems)
        if listings == self._known:
            return None
        self._known = listings
        return listings


def came_and_went(
    before: list[CameraListing], after: list[CameraListing]
) -> Iterator[tuple[str, CameraListing]]:
    """Yield what differs between two lists, as “-” or “+” and the camera."""
    for sign, these, others in (("-", before, after), ("+", after, before)):
        for listing in these:
            if listing not in others:
                yield sign, listing
