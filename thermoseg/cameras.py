"""What a camera is, and how an address becomes one.

An address is `scheme:target?option=value&…`, for example `simulated:?rate_hz=30&width=640`,
`file:recording.seq?loop=true`, `gige:12345678`.  The scheme names an entry point of the group
`thermoseg.cameras`; the options are checked by the driver's own `Options`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Final, Protocol, Self
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, ConfigDict, ValidationError

from thermoseg.errors import ConfigError, DriverMissingError
from thermoseg.frames import CameraInfo, Frame

ENTRY_POINT_GROUP: Final = "thermoseg.cameras"


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
        """List what of this kind can be opened now, without disturbing it."""
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
            If there is no scheme or an option has no value.
        """
        scheme, colon, rest = text.partition(":")
        if not colon or not scheme.isidentifier():
            raise ConfigError(
                f"“{text}” is not a camera address; write scheme:target, such as simulated: "
                "or file:recording.seq"
            )
        target, _, query = rest.partition("?")
        try:
            options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
        except ValueError as error:
            raise ConfigError(
                f"the options of “{text}” cannot be read; write ?name=value&name=value"
            ) from error
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


def list_cameras() -> list[CameraListing]:
    """List every camera that can be opened now, and every driver that cannot work and why."""
    listings: list[CameraListing] = []
    for name, entry in sorted(_drivers().items()):
        try:
            listings.extend(_load(entry).discover())
        except DriverMissingError as error:
            listings.append(CameraListing(f"{name}:", name, problem=str(error)))
    return listings


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
    return f"option “{name}”: {first['msg']}, got {first['input']!r},"
