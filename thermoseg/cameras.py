"""What a camera is, and how an address becomes one.

An address is `scheme:target?option=value&…`, for example `simulated:?rate_hz=30&width=640`,
`file:recording.seq?loop=true`.  The scheme names an entry point of the group
`thermoseg.cameras`; the options are checked by the driver's own `Options`.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Final, Protocol, Self, runtime_checkable
from urllib.parse import parse_qsl, quote, unquote, urlencode

from pydantic import BaseModel, ConfigDict, ValidationError

from thermoseg.errors import ConfigError, DriverMissingError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.telemetry import Telemetry

ENTRY_POINT_GROUP: Final = "thermoseg.cameras"

OPEN_CLOSE_LIMIT_S: Final = 2.0
"""`Camera.open` and `Camera.close` together take less: whoever stops a session waits for both.
Drivers derive their own waits from it."""
LOADING_TURN_S: Final = 20.0
"""Longest wait of a driver while another is imported; one that takes longer is overtaken."""

FLAT_FIELD: Final = "Flat-field correction"
"""Action of all cameras that close their shutter and level the picture when they are asked to."""

_LOADING = threading.Lock()


class CameraOptions(BaseModel):
    """Options of a camera, given behind `?` in its address; drivers subclass this."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


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

        With closing it must take less than `OPEN_CLOSE_LIMIT_S`; what may take longer, such as
        the first picture, is left to `read`.

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
        CameraPreparingError
            If it prepares its first frame for longer than silence is borne, and is sound.
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


@runtime_checkable
class CorrectingCamera(Protocol):
    """A camera that can be told to make flat-field corrections only when it is asked for one."""

    def set_automatic_correction(self, on: bool) -> None:
        """Let it correct itself when asked only, or again as it did when it was opened.

        Called in the camera's thread.  `close` gives back what was taken, and `open` does where a
        pulled cable has kept `close` from it.

        Raises
        ------
        CameraError
            If it is not open or cannot be told; then it goes on as before.
        """


@runtime_checkable
class TellingCamera(Protocol):
    """A camera that tells of itself: battery, temperatures of its own, packets lost."""

    def telemetry(self) -> Telemetry:
        """Return what it said last, only what is known.

        Called once a second in the camera's thread: it asks the device nothing and raises nothing.
        """
        ...


@runtime_checkable
class PhotographingCamera(Protocol):
    """A camera that takes visible pictures beside the thermal ones."""

    def visible_jpeg(self) -> bytes | None:
        """Return the newest one, a whole JPEG file; None if there is none yet.

        Called as `TellingCamera.telemetry` is.
        """
        ...


@dataclass(frozen=True, slots=True)
class UsbId:
    """Identity of a camera on USB, known before it is opened."""

    vendor: int
    """16 bits, given to the maker of the device by the USB Implementers Forum."""
    product: int
    """16 bits, chosen by that maker."""
    name: str
    """Name by which a user knows the camera."""
    subsystems: tuple[str, ...] = ()
    """Linux subsystems beside `usb` whose device files the driver opens: `video4linux` for
    /dev/video*, `tty` for /dev/ttyACM*."""

    def __post_init__(self) -> None:
        """Refuse what would not be one rule of udev."""
        if not (0 <= self.vendor <= 0xFFFF and 0 <= self.product <= 0xFFFF):
            raise ValueError(
                f"vendor and product have 16 bits, got {self.vendor:#x} and {self.product:#x}"
            )
        if not (self.name and self.name.isprintable()):
            raise ValueError(f"a name is one line of text, got {self.name!r}")
        if any(not subsystem.isalnum() for subsystem in self.subsystems):
            raise ValueError(f"a subsystem is one word such as tty, got {self.subsystems}")

    def matches(self, vendor: int | None, product: int | None) -> bool:
        """Whether a device that has these numbers, or none, is such a camera."""
        return (vendor, product) == (self.vendor, self.product)


@runtime_checkable
class UsbDriver(Protocol):
    """A driver whose cameras are plugged into USB: gets udev rules, and is looked for in time."""

    usb_ids: ClassVar[tuple[UsbId, ...]]
    """All USB identities that the driver opens."""


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
    driver, parsed, options = _understand(address)
    return driver(parsed.target, options)


def options_of(address: str) -> CameraOptions:
    """Return the options in `address`, those that it does not give with their defaults.

    Raises
    ------
    ConfigError, DriverMissingError
        As `make_camera`.
    """
    return _understand(address)[2]


def with_options(address: str, options: CameraOptions) -> str:
    """Return `address` with other options; those that have their defaults are left out.

    Raises
    ------
    ConfigError
        If `address` is none.
    """
    parsed = Address.parse(address)
    values = options.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    texts = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
    }
    query = f"?{urlencode(texts, quote_via=quote)}" if texts else ""
    return f"{parsed.scheme}:{quote(parsed.target, safe='/:')}{query}"


def installed_drivers() -> dict[str, EntryPoint]:
    """Return the entry point of every driver that is installed, working or not, by its scheme."""
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def load_driver(entry: EntryPoint) -> type[Camera]:
    """Import a driver, one at a time.

    Two threads that enter a library with circular imports from two sides, such as pyusb, get it
    half loaded.

    Raises
    ------
    DriverMissingError
        If it cannot be imported or declares something else than ids; it gives the reason.
    """
    turn = _LOADING.acquire(timeout=LOADING_TURN_S)
    try:
        driver: type[Camera] = entry.load()
    except ImportError as error:
        raise DriverMissingError(
            f"the driver “{entry.name}” cannot be loaded ({error}); install what it names"
        ) from error
    except Exception as error:
        raise DriverMissingError(
            f"the driver “{entry.name}” cannot be loaded ({type(error).__name__}: {error}); "
            "update the package that brings it, or uninstall it"
        ) from error
    finally:
        if turn:
            _LOADING.release()
    if not all(isinstance(usb_id, UsbId) for usb_id in usb_ids_of(driver)):
        raise DriverMissingError(
            f"the driver “{entry.name}” cannot be used (its usb_ids are no UsbId); update the "
            "package that brings it, or uninstall it"
        )
    return driver


def usb_ids_of(driver: type[Camera]) -> tuple[UsbId, ...]:
    """Return what a driver opens on USB; nothing if it says nothing of that."""
    return driver.usb_ids if isinstance(driver, UsbDriver) else ()


def _understand(address: str) -> tuple[type[Camera], Address, CameraOptions]:
    parsed = Address.parse(address)
    drivers = installed_drivers()
    if parsed.scheme not in drivers:
        raise ConfigError(
            f"no camera driver is called “{parsed.scheme}”; known are {', '.join(sorted(drivers))}"
        )
    driver = load_driver(drivers[parsed.scheme])
    try:
        options = driver.Options.model_validate(parsed.options)
    except ValidationError as error:
        raise ConfigError(f"{_first_complaint(error, driver.Options)} in “{address}”") from error
    return driver, parsed, options


def _first_complaint(error: ValidationError, options: type[CameraOptions]) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = ", ".join(options.model_fields) or "none"
        return f"unknown option “{name}” (known: {known})"
    if first["type"] == "value_error":
        return f"option “{name}”: {first['ctx']['error']},"
    return f"option “{name}”: {first['msg']}, got {first['input']!r},"
