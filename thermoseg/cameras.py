"""What a camera is, and how an address becomes one.

An address is `scheme:target?option=value&…`, for example `simulated:?rate_hz=30&width=640`,
`file:recording.seq?loop=true`, `gige:12345678`.  The scheme names an entry point of the group
`thermoseg.cameras`; the options are checked by the driver's own `Options`.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Final, Protocol, Self, runtime_checkable
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, ConfigDict, ValidationError

from thermoseg.errors import ConfigError, DriverMissingError, ThermoSegError
from thermoseg.frames import CameraInfo, Frame

log = logging.getLogger(__name__)

ENTRY_POINT_GROUP: Final = "thermoseg.cameras"

PATIENCE_S: Final = 5.0
"""A driver that looks for its cameras for longer is said to hang; those of GigE need 1 s."""
LOADING: Final = 4
"""Times that patience for a driver that is still being loaded, as on a busy machine."""
GLANCE_S: Final = 0.05
"""How soon it is noticed that a driver has been loaded."""


class CameraOptions(BaseModel):
    """Options of a camera, given behind `?` in its address; drivers subclass this."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Camera(Protocol):
    """A source of frames, used by one thread: `open`, `read` again and again, `close`.

    `Driver(target, options)` makes an unopened one; construction touches no device.  Drivers
    start no thread; capture, retries and recording are `thermoseg.session.Session`'s.
    """

    Options: ClassVar[type[CameraOptions]]

    def __init__(self, target: str, options: Any) -> None:  # noqa: ANN401  # each driver's own
        """Remember what to open."""

    def open(self) -> CameraInfo:
        """Open the device or file.

        With closing it must take less than 2 s, as whoever stops a session waits for both; what
        may take longer, such as the first picture, is left to `read`.

        Raises
        ------
        CameraError
            If it is absent, busy or not of this kind; the message says what to do.
        """
        ...

    def read(self, timeout_s: float) -> Frame:
        """Wait for the next frame, at most `timeout_s` seconds.

        Raises
        ------
        CameraTimeoutError
            If none came; reading again is right.
        FrameRefusedError
            If one came but is broken; it is counted, never delivered.
        StreamEndedError
            If a finite source is at its end.
        CameraLostError
            If only opening again can help.
        CameraError
            If the camera is not open.
        """
        ...

    def close(self) -> None:
        """Release the device; may be called at any time and more than once."""

    @classmethod
    def discover(cls) -> Sequence["CameraListing"]:
        """List what of this kind can be opened now, without disturbing it.

        Runs in a thread of its own, perhaps each second.

        Raises
        ------
        DriverMissingError
            If a library is missing; it names what to install.
        """
        ...


@runtime_checkable
class ActingCamera(Protocol):
    """A camera that can be asked for more than frames, such as a flat-field correction."""

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """What can be asked of it, by the name that a button shows; used by the camera's thread.

        Each may raise `CameraError`, as when the camera is not open.
        """
        ...


@dataclass(frozen=True, slots=True)
class CameraListing:
    """One line of `thermoseg cameras` and of the window's camera list."""

    address: str
    """Stable: the same device has the same address tomorrow."""
    description: str
    problem: str = ""
    """Why it cannot be used and what to install; empty if it can."""
    model: str = ""
    """The rest is empty or 0 where it cannot be known without opening the camera."""
    serial: str = ""
    width: int = 0
    """Pixels."""
    height: int = 0
    """Pixels."""
    rate_hz: float = 0.0
    """Nominal frames per second."""

    @property
    def size(self) -> str:
        """Pixels and rate, as far as they are known: “160×120, 9/s”."""
        pixels = f"{self.width}×{self.height}" if self.width and self.height else ""
        return ", ".join(filter(None, (pixels, f"{self.rate_hz:g}/s" if self.rate_hz else "")))

    @property
    def title(self) -> str:
        """Model, serial number and size in one line; the description where the model is unknown."""
        if not self.model:
            return self.description
        name = " ".join(filter(None, (self.model, self.serial)))
        return f"{name} ({self.size})" if self.size else name


@dataclass(frozen=True, slots=True)
class Address:
    """The three parts of an address."""

    scheme: str
    target: str
    options: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split `scheme:target?option=value&…`.

        Raises
        ------
        ConfigError
            If there is no scheme, or an option has no value or two.
        """
        scheme, colon, rest = text.partition(":")
        if not colon or not scheme.isidentifier():
            raise ConfigError(
                f"“{text}” is not a camera address; write scheme:target, such as simulated: "
                "or file:recording.seq"
            )
        target, _, query = rest.partition("?")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        except ValueError as error:
            raise ConfigError(
                f"the options of “{text}” cannot be read; write ?name=value&name=value"
            ) from error
        options = dict(pairs)
        if len(options) < len(pairs):
            twice = next(name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1)
            raise ConfigError(f"“{text}” gives the option “{twice}” twice; leave one away")
        return cls(scheme, unquote(target), options)


def make_camera(address: str) -> Camera:
    """Return an unopened camera for `address`.

    Raises
    ------
    ConfigError
        If no driver has this scheme, or an option is unknown or has a wrong value.
    DriverMissingError
        If the driver exists but a library it needs does not.
    """
    parsed = Address.parse(address)
    drivers = _drivers()
    if parsed.scheme not in drivers:
        raise ConfigError(
            f"no camera driver is called “{parsed.scheme}”; known are {', '.join(sorted(drivers))}"
        )
    driver = _load(drivers[parsed.scheme])
    try:
        options = driver.Options.model_validate(parsed.options)
    except ValidationError as error:
        raise ConfigError(f"{_first_complaint(error, driver.Options)} in “{address}”") from error
    return driver(parsed.target, options)


def driver_names() -> list[str]:
    """List the schemes of all drivers that are installed, working or not."""
    return sorted(_drivers())


def list_cameras() -> list[CameraListing]:
    """List every camera that can be opened now, and every driver that cannot work and why."""
    return CameraScout().look()


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
        self._drivers = _drivers()
        self._inquiries: dict[str, _Inquiry] = {}
        self._answers: dict[str, list[CameraListing]] = {}

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

    def _collect(self, name: str) -> None:
        inquiry = self._inquiries.get(name)
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
            driver = _load(self._entry)
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


def _drivers() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def _load(entry: EntryPoint) -> type[Camera]:
    try:
        driver: type[Camera] = entry.load()
    except ImportError as error:
        raise DriverMissingError(
            f"the driver “{entry.name}” cannot be loaded ({error}); install what it names"
        ) from error
    return driver


def _first_complaint(error: ValidationError, options: type[CameraOptions]) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = ", ".join(options.model_fields) or "none"
        return f"unknown option “{name}” (known: {known})"
    if first["type"] == "value_error":
        return f"option “{name}”: {first['ctx']['error']},"
    return f"option “{name}”: {first['msg']}, got {first['input']!r},"
