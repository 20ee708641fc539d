"""GigE Vision cameras through Aravis: `gige:SERIAL?rate_hz=30&emissivity=0.98`.

FLIR's A-series (A3xx, A6xx, A50 to A700) and Ax5 compute temperatures themselves when they are
told to; what their counts mean is what they say afterwards.  Other cameras give relative counts.

Aravis blocks for seconds when a camera is gone: it says so after 5 s, and to free a dead one takes
up to 10 s.  So whether it is there is asked beside it, and it is freed in a thread of its own.
"""

import ipaddress
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from drivers.gige_nodes import (
    NUC_COMMANDS,
    Nodes,
    Scale,
    read_parameters,
    set_modes,
    set_parameters,
    set_rate,
    set_scale,
    set_shutter,
)
from drivers.gvcp_pulse import GvcpPulse
from thermoseg.cameras import CameraListing, CameraOptions
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraTimeoutError,
    DriverMissingError,
    FrameRefusedError,
)
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.radiometry import KELVIN, LinearRadiometry, Radiometry, RelativeCounts

log = logging.getLogger(__name__)

PIXELS: Final[dict[str, tuple[int, type[np.unsignedinteger[Any]]]]] = {
    "Mono16": (0x01100007, np.uint16),
    "Mono14": (0x01100025, np.uint16),
    "Mono12": (0x01100005, np.uint16),
    "Mono10": (0x01100003, np.uint16),
    "Mono8": (0x01080001, np.uint8),
}
"""Formats that are understood, best first: number in the Pixel Format Naming Convention."""
BUFFERED_S: Final = 0.5
"""For so long a late reader loses nothing."""
FEWEST_BUFFERS: Final = 8
BUFFER_BYTES: Final = 64 * 2**20
"""Of all buffers together, at most."""
LARGEST_PAYLOAD: Final = 64 * 2**20
"""Bytes of a picture; a camera that announces more is not one of ours."""
SOCKET_PICTURES: Final = 8
"""So many fit into the socket's buffer, if the system allows; its own holds a fifth of one."""
LARGEST_SOCKET_BUFFER: Final = 64 * 2**20
"""Bytes."""
OPEN_S: Final = 1.5
"""Opening waits no longer for a picture; `Session.stop` gives 2 s to opening and closing in one."""
FIRST_S: Final = 3.0
"""Patience for the first whole picture, since the stream's beginning and mostly had by `read`; a
correction may come before it."""
QUIET_S: Final = 0.5
"""Without a picture for so long, it is asked whether the camera is there."""
QUIET_FRAMES: Final = 3
"""Slower cameras are allowed so many of their own intervals."""
PIECE_S: Final = 0.05
"""Longest wait for a picture without a look whether the camera is there."""
FAREWELL_S: Final = 0.3
"""`close` waits so long until the camera is free."""
FAREWELL: Final = "thermoseg gige farewell"
"""The thread that frees a camera."""
NUC_S: Final = 1.0
"""For how long a correction that was asked for is taken to last, as the stream does not say."""
PLAUSIBLE_K: Final = (233.0, 423.0)
"""Median of a picture in the right byte order."""
POSSIBLE_K: Final = (150.0, 2500.0)
"""Median of a picture whose counts are temperatures at all."""
ID_MODULUS: Final = 0xFFFF
"""Frame numbers of GigE Vision 1.x run from 1 to 65535."""

PACKET_BYTES: Final = (576, 9000)
"""Least and most that makes sense."""
FIREWALL: Final = (
    "let UDP from the camera through the firewall, and check that camera and computer are in the "
    "same subnet"
)
STATISTICS: Final = {
    "frames_complete": "n_completed_buffers",
    "frames_incomplete": "n_failures",
    "frames_missing": "n_missing_frames",
    "frames_without_buffer": "n_underruns",
    "packets_received": "n_received_packets",
    "packets_lost": "n_missing_packets",
    "packets_resent": "n_resent_packets",
}
"""What `telemetry` tells of the stream, by Aravis's names."""


class Pulse(Protocol):
    """Feels whether a camera is there; see `GvcpPulse`."""

    serial: str
    """What the last answer said."""

    def beats(self) -> bool:
        """Ask now and then; whether the camera may be there."""

    def answers(self) -> bool:
        """Ask and wait for an answer."""

    def close(self) -> None:
        """Stop asking."""


@dataclass(frozen=True, slots=True)
class GigeLibrary:
    """What is used of Aravis and GLib; tests put a stand-in in their place."""

    aravis: Any
    error: type[Exception]
    """What Aravis raises."""
    pulse: Callable[[str], Pulse] = GvcpPulse


def load_aravis() -> GigeLibrary:
    """Import Aravis when a camera is wanted.

    Raises
    ------
    DriverMissingError
        If it, or what Python needs to speak to it, is not installed.
    """
    try:
        gi = import_module("gi")
        gi.require_version("Aravis", "0.8")
        aravis = import_module("gi.repository.Aravis")
        glib = import_module("gi.repository.GLib")
    except (ImportError, ValueError) as error:
        raise DriverMissingError(f"GigE cameras need Aravis ({error}); {_remedy()}") from error
    # A look at USB would disturb cameras of other drivers.
    aravis.disable_interface("USB3Vision")
    return GigeLibrary(aravis, glib.Error)


def _remedy(platform: str = sys.platform) -> str:
    if platform == "win32":
        return "there is none for Python on Windows: install it on Linux or macOS and record there"
    if platform == "darwin":
        return (
            "“brew install aravis gobject-introspection cairo pkg-config”, then "
            "“pip install 'thermoseg[gige]'”"
        )
    return (
        "on Debian and Ubuntu “make gige” in ThermoSeg's folder, or “sudo apt-get install "
        "gir1.2-aravis-0.8 libgirepository1.0-dev libcairo2-dev pkg-config gcc python3-dev”, then "
        "“pip install 'thermoseg[gige]'”"
    )


def _ipv4(text: str) -> str:
    if text:
        ipaddress.IPv4Address(text)
    return text


Temperature = Annotated[float, Field(gt=-100, lt=1000)]


class GigeOptions(CameraOptions):
    """How the camera is found and set; what is not given stays as it is."""

    ip: Annotated[str, AfterValidator(_ipv4)] = ""
    """Address of the camera, to skip the search, or where a search does not reach it."""
    rate_hz: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Frames per second."""
    resolution: Literal["fine", "coarse", "off", "keep"] = "fine"
    """Kelvin per count: fine 0.01 or 0.04, up to 382 °C; coarse 0.1 or 0.4; off for counts."""
    emissivity: Annotated[float, Field(gt=0, le=1)] | None = None
    """Of the surface; skin is 0.98."""
    distance_m: Annotated[float, Field(ge=0, le=10_000)] | None = None
    """Metres of air between surface and lens."""
    reflected_c: Temperature | None = None
    """Mean temperature of what the surface mirrors, °C."""
    atmosphere_c: Temperature | None = None
    """Temperature of the air, °C."""
    humidity: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of the air, from 0 to 1."""
    shutter: Literal["auto", "manual", "keep"] = "keep"
    """Manual leaves corrections (NUC) to you: none while recording, but drift."""
    packet_size: Annotated[int, Field(ge=PACKET_BYTES[0], le=PACKET_BYTES[1])] | None = None
    """Bytes; the largest that the network lets through, if not given."""

    @property
    def parameters(self) -> dict[str, float]:
        """Object parameters that were given, by field of `ObjectParameters`."""
        names = ("emissivity", "distance_m", "reflected_c", "atmosphere_c", "humidity")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True)
class _Found:
    """A camera that answered a look around."""

    name: str
    """In addresses: the serial number, or the hardware address if it has none."""
    serial: str
    model: str
    ip: str
    """What Aravis opens it by, as its own names hold until the next look only."""


class _InPiecesError(FrameRefusedError):
    """Packets of a picture are missing."""


class Neighbours:
    """Which cameras answered the last look around; shared by all who look, from any thread."""

    def __init__(self) -> None:
        # Aravis lists cameras by their place in a list that each look renews.
        self._lock = threading.Lock()
        self._found: list[_Found] = []
        self._looked_s = -np.inf

    def look(self, library: GigeLibrary, since_s: float = np.inf) -> list[_Found]:
        """Ask all networks who is there, which takes a second.

        Parameters
        ----------
        since_s
            A look that ended after that moment of the monotonic clock will do, as somebody else's
            that is waited for.
        """
        with self._lock:
            if self._looked_s < since_s:
                self._found = _look(library.aravis)
                self._looked_s = time.monotonic()
            return list(self._found)

    def known(self, name: str) -> _Found | None:
        """Return what the last look found of the camera with that serial number, without a look."""
        return next((one for one in self._found if name and name == one.serial), None)


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    """What was in one buffer."""

    counts: NDArray[np.uint16]
    number: int
    """By the camera."""
    device_s: float
    """On the camera's clock, 0 if it has none."""
    wall_time: float

    @property
    def blank(self) -> bool:
        """Whether all pixels are the same, which no scene gives."""
        return int(self.counts.min()) == int(self.counts.max())


class GigeCamera:
    """One camera of the network."""

    Options: ClassVar[type[CameraOptions]] = GigeOptions
    library: ClassVar[Callable[[], GigeLibrary]] = load_aravis
    """Tests put another one here."""
    neighbours: ClassVar[Neighbours] = Neighbours()

    def __init__(self, target: str, options: GigeOptions) -> None:
        """Remember what to open; touches no device.

        Parameters
        ----------
        target
            Serial number, or hardware address (as `discover` lists it); empty for the only one.
        """
        self._target = target
        self._options = options
        self._name = f"the GigE camera {target or options.ip}".strip()
        self._link: _Link | None = None
        self._waiting: _Image | None = None
        self._clock: _Clock | None = None
        self._refused: FrameRefusedError | None = None
        self._nuc_until_s = -np.inf

    def open(self) -> CameraInfo:
        """Connect, set what was asked for, and look at what the first picture holds.

        A picture that takes longer than `OPEN_S` from the beginning is left to `read`.
        """
        began_s = time.monotonic()
        self.close()
        library = type(self).library()
        found = self._find(library, began_s)
        link = self._link = _Link(library, found, self._name)
        try:
            info = self._start(link, found, began_s + OPEN_S)
        except library.error as error:
            self.close()
            raise CameraError(
                f"{self._name} does not do what it must ({error}); switch it off and on again"
            ) from error
        except BaseException:
            self.close()
            raise
        if not self._options.ip:
            # Another camera may be there when it is looked for again.
            self._target = self._target or found.name
        return info

    def read(self, timeout_s: float) -> Frame:
        """Wait for the next frame.

        Raises
        ------
        FrameRefusedError
            If packets of it are missing.
        CameraLostError
            If the camera does not answer, obeys somebody else, or sends no whole picture.
        """
        if self._link is None:
            raise CameraError(f"{self._name} is not open; open it first")
        image, self._waiting = self._waiting, None
        if self._clock is None:
            image, self._clock = self._begin(self._link, timeout_s)
        return self._frame(image or self._link.take(timeout_s), self._clock)

    def close(self) -> None:
        """Release it; may be called at any time and more than once."""
        link, self._link, self._waiting = self._link, None, None
        self._clock = self._refused = None
        if link is not None:
            link.close()

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """What can be asked of an open camera, in the thread that reads."""
        return {"Flat-field correction": self.run_nuc}

    def run_nuc(self) -> None:
        """Close the shutter and level the picture (“NUC”).

        Raises
        ------
        CameraError
            If the camera is not open, has no such command, or refuses.
        """
        if self._link is None:
            raise CameraError(f"{self._name} is not open; open it first")
        nodes = self._link.nodes
        command = next((name for name in NUC_COMMANDS if nodes.has(name)), "")
        if not command:
            raise CameraError(
                f"{self._name} has no command for a correction; hold a lens cap before it and use "
                "its own program"
            )
        nodes.run(command)
        self._nuc_until_s = time.monotonic() + NUC_S

    def telemetry(self) -> Mapping[str, float | str]:
        """Return what the stream has counted since it was opened: frames, packets, losses."""
        return {} if self._link is None else self._link.statistics()

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """List the cameras that answer a broadcast; takes a second."""
        return [
            CameraListing(
                f"gige:{found.name}",
                f"{found.model} at {found.ip}",
                model=found.model,
                serial=found.serial,
            )
            for found in cls.neighbours.look(cls.library())
        ]

    def _find(self, library: GigeLibrary, began_s: float) -> _Found:
        if self._options.ip:
            return self._find_by_ip(library, self._options.ip)
        known = self.neighbours.known(self._target)
        if known is not None and _serial_at(library, known.ip) == known.serial:
            return known
        everyone = self.neighbours.look(library, began_s)
        found = [one for one in everyone if self._target in ("", one.name, one.serial)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(f"gige:{one.name}?ip={one.ip}" for one in found)
            raise CameraError(f"{len(found)} GigE cameras could be meant; name one of: {names}")
        there = ", ".join(f"gige:{one.name}" for one in everyone) or "none"
        raise CameraError(
            f"{self._name} does not answer (there: {there}); check cable and power, {FIREWALL}"
        )

    def _find_by_ip(self, library: GigeLibrary, ip: str) -> _Found:
        """Return the camera at `ip` without a look around, but not before it has answered."""
        if _serial_at(library, ip) is None:
            raise CameraError(f"no GigE camera answers at {ip}; check cable and power, {FIREWALL}")
        return _Found(self._target, "", "", ip)

    def _start(self, link: "_Link", found: _Found, deadline_s: float) -> CameraInfo:
        options, nodes = self._options, link.nodes
        link.connect()
        serial = found.serial or nodes.text("DeviceSerialNumber") or nodes.text("DeviceID")
        if self._target not in ("", serial, found.name if found.model else ""):
            raise CameraError(
                f"the camera at {found.ip} is {serial or 'without a number'} and not "
                f"{self._target}; leave the serial number or ?ip= away"
            )
        vendor, model = nodes.text("DeviceVendorName"), nodes.text("DeviceModelName")
        set_modes(nodes)
        pixels = _set_pixels(nodes, self._name)
        scale = set_scale(nodes, options.resolution)
        set_parameters(nodes, options.parameters)
        set_shutter(nodes, options.shutter)
        rate_hz = set_rate(nodes, options.rate_hz)
        self._check_scale(scale)
        self._scale = scale
        self._radiometry = self._meaning_of(scale, pixels, nodes)
        width, height = (int(nodes.number(name) or 0) for name in ("Width", "Height"))
        link.stream(pixels, rate_hz, options.packet_size)
        self._first_due_s = time.monotonic() + max(
            FIRST_S, QUIET_FRAMES / rate_hz if rate_hz > 0 else 0.0
        )
        self._nuc_until_s = -np.inf
        first = self._first(link, deadline_s)
        if first is not None:
            link.swapped, self._radiometry = self._judge(first.counts)
            self._waiting = first = link.ordered(first)
            self._clock = _Clock(first)
            height, width = first.counts.shape
        elif not (width and height):
            raise self._no_picture()
        if isinstance(self._radiometry, RelativeCounts):
            log.warning("%s: %s", self._name, self._radiometry.reason)
        log.info("%s: packets of %d bytes", self._name, link.packet_bytes)
        return CameraInfo(
            found.model or _joined(vendor, model),
            serial,
            width,
            height,
            rate_hz,
            self._radiometry,
            live=True,
        )

    def _first(self, link: "_Link", deadline_s: float) -> _Image | None:
        """Return the first whole picture that is not blank, as many cameras begin with half a one.

        None if it does not come in time.
        """
        while (left_s := deadline_s - time.monotonic()) > 0:
            try:
                image = link.take(left_s)
            except FrameRefusedError as error:
                self._refused = error
            except CameraTimeoutError:
                break
            else:
                if not image.blank:
                    return image
        return None

    def _begin(self, link: "_Link", timeout_s: float) -> "tuple[_Image, _Clock]":
        """Wait for the first picture that `open` has not had, and see that it holds what it said.

        Raises
        ------
        FrameRefusedError
            If it is broken, or no temperatures though the camera says so.
        CameraLostError
            If none has come in `FIRST_S`.
        """
        deadline_s = time.monotonic() + timeout_s
        image: _Image | None = None
        while image is None:
            try:
                image = link.take(max(deadline_s - time.monotonic(), 0.0))
            except (FrameRefusedError, CameraTimeoutError) as error:
                if isinstance(error, FrameRefusedError):
                    self._refused = error
                if time.monotonic() < self._first_due_s:
                    raise
                raise self._no_picture() from error
            if image.blank and time.monotonic() < self._first_due_s:
                image = None
        link.swapped, radiometry = self._judge(image.counts)
        if isinstance(radiometry, RelativeCounts) and radiometry != self._radiometry:
            raise FrameRefusedError(
                f"{self._name} sends no temperatures: {radiometry.reason}; open it with "
                "?resolution=off"
            )
        return (image := link.ordered(image)), _Clock(image)

    def _no_picture(self) -> CameraLostError:
        """Say why no picture can be had of a camera that is there."""
        if self._refused is None:
            return CameraLostError(
                f"{self._name} is there, but none of its pictures arrives; let UDP from the camera "
                "through the firewall"
            )
        if isinstance(self._refused, _InPiecesError):
            return CameraLostError(
                f"{self._name} is there, but all its pictures come in pieces; open it with "
                "?packet_size=1400"
            )
        return CameraLostError(str(self._refused))

    def _check_scale(self, scale: Scale) -> None:
        """Refuse to go on with another scale than somebody asked for by name.

        Raises
        ------
        CameraError
            If coarse was asked for and is not what the camera has.
        """
        if self._options.resolution == "coarse" and scale.step_k not in (0.1, 0.4):
            raise CameraError(
                f"{self._name} cannot send coarse temperatures ({scale.said}); leave resolution "
                "away"
            )

    def _meaning_of(self, scale: Scale, pixels: str, nodes: Nodes) -> Radiometry:
        """Return what the counts mean, by the camera's own word."""
        if self._options.resolution == "off":
            return RelativeCounts("temperatures were switched off on request")
        if pixels == "Mono8":
            return RelativeCounts("the camera sends pictures of 8 bits, made for the eye")
        if scale.step_k is None:
            return RelativeCounts(f"the camera sends no temperatures: {scale.said}")
        return LinearRadiometry(scale.step_k, scene=read_parameters(nodes))

    def _judge(self, counts: NDArray[np.uint16]) -> tuple[bool, Radiometry]:
        """Return whether the bytes come in the wrong order, and what the counts really mean."""
        radiometry = self._radiometry
        if not isinstance(radiometry, LinearRadiometry):
            return False, radiometry
        as_sent, swapped = (
            float(np.median(order)) * radiometry.scale_k for order in (counts, counts.byteswap())
        )
        other = not _within(as_sent, PLAUSIBLE_K) and _within(swapped, PLAUSIBLE_K)
        if not other and not _within(as_sent, POSSIBLE_K):
            return False, RelativeCounts(
                f"{self._scale.said}, but a median of {as_sent - KELVIN:.0f} °C cannot be"
            )
        return other, radiometry

    def _frame(self, image: _Image, clock: "_Clock") -> Frame:
        index, time_s = clock.place(image)
        flags = FrameFlag.NONE
        if time.monotonic() < self._nuc_until_s:
            flags = FrameFlag.SHUTTER
        return Frame.from_counts(
            image.counts, self._radiometry, index, time_s, image.wall_time, flags
        )


class _Held:
    """The objects of one connection.

    Nobody else may keep one, not even in a local variable: an error that passes keeps those alive,
    and whoever drops the last reference to a dead camera waits for ten seconds.
    """

    def __init__(self, camera: Any) -> None:  # noqa: ANN401 - of Aravis
        self.camera = camera
        self.device = camera.get_device()
        self.stream: Any = None

    def drop(self, error: type[Exception], lost: bool, name: str) -> None:
        """Stop the stream, unless the camera is `lost` anyway, and let everything go."""
        if not lost and self.stream is not None:
            try:
                self.camera.stop_acquisition()
            except error as problem:
                log.debug("%s did not stop its stream: %s", name, str(problem))
        self.stream = None
        self.device = None
        self.camera = None


class _Link:
    """One connection to one camera: made once, dropped as a whole."""

    def __init__(self, library: GigeLibrary, found: _Found, name: str) -> None:
        """Connect to the camera.

        Raises
        ------
        CameraError
            If it does not answer.
        """
        self.swapped = False
        """Whether the bytes of each count come in the wrong order."""
        self.packet_bytes = 0
        self._library = library
        self._name = name
        self._lost = threading.Event()
        self._quiet_s = QUIET_S
        self._heard_s = time.monotonic()
        self._pixels = ""
        try:
            self._held = _Held(library.aravis.Camera.new(found.ip))
        except library.error as error:
            raise CameraError(f"{name} cannot be opened ({error}); {FIREWALL}") from error
        lost = self._lost
        self._handler = self._held.device.connect("control-lost", lambda _device: lost.set())
        self.nodes = Nodes(self._held.device, library.error, name)
        self._pulse: Pulse | None = library.pulse(found.ip)

    def connect(self) -> None:
        """See that the camera obeys us, and stop what somebody may have left running.

        Raises
        ------
        CameraError
            If it obeys somebody else.
        """
        if not self._held.device.is_controller():
            raise CameraError(
                f"{self._name} is in use by another program, or was until three seconds ago; close "
                "that program, and try again"
            )
        if self._pulse is not None and not self._pulse.answers():
            log.info("%s answers no discovery; its loss shows after 5 s", self._name)
            self._pulse.close()
            self._pulse = None
        with self._forgiven("was not streaming"):
            self._held.camera.stop_acquisition()

    def stream(self, pixels: str, rate_hz: float, packet_size: int | None) -> None:
        """Begin to stream.

        Parameters
        ----------
        pixels
            Name of the pixel format that was set.
        """
        aravis, held = self._library.aravis, self._held
        adjustment = aravis.GvPacketSizeAdjustment
        if packet_size is None:
            held.camera.gv_set_packet_size_adjustment(adjustment.ALWAYS)
        else:
            held.camera.gv_set_packet_size_adjustment(adjustment.NEVER)
            held.camera.gv_set_packet_size(packet_size)
        held.stream = held.camera.create_stream(None, None)
        if held.stream is None:
            raise CameraError(f"{self._name} cannot stream; {FIREWALL}")
        payload = int(held.camera.get_payload())
        if not 0 < payload <= LARGEST_PAYLOAD:
            raise CameraError(
                f"{self._name} announces pictures of {payload} bytes; choose a smaller region in "
                "its own program"
            )
        # Without root Aravis has no ring of packets, and leaves the socket as the system makes it.
        held.stream.set_property("socket-buffer", aravis.GvStreamSocketBuffer.FIXED)
        held.stream.set_property(
            "socket-buffer-size", min(SOCKET_PICTURES * payload, LARGEST_SOCKET_BUFFER)
        )
        wanted = max(int(np.ceil(rate_hz * BUFFERED_S)), FEWEST_BUFFERS)
        for _ in range(max(min(wanted, BUFFER_BYTES // payload), 3)):
            held.stream.push_buffer(aravis.Buffer.new_allocate(payload))
        self._pixels = pixels
        self._quiet_s = max(QUIET_S, QUIET_FRAMES / rate_hz if rate_hz > 0 else 0.0)
        self.packet_bytes = int(held.camera.gv_get_packet_size())
        held.camera.start_acquisition()
        self._heard_s = time.monotonic()

    def take(self, timeout_s: float) -> _Image:
        """Wait for the next picture, and give its buffer back.

        Raises
        ------
        CameraTimeoutError, FrameRefusedError, CameraLostError
            As `GigeCamera.read` says.
        """
        deadline_s = time.monotonic() + timeout_s
        buffer = None
        while buffer is None:
            left_s = deadline_s - time.monotonic()
            wait_us = int(max(min(left_s, PIECE_S), 0.0) * 1e6)
            buffer = self._held.stream.timeout_pop_buffer(wait_us)
            if buffer is None:
                self._check_presence()
                if left_s <= PIECE_S:
                    raise CameraTimeoutError(f"no picture of {self._name} in time; read again")
        self._heard_s = time.monotonic()
        try:
            return self._image(buffer)
        finally:
            self._held.stream.push_buffer(buffer)

    def ordered(self, image: _Image) -> _Image:
        """Return a picture that came before `swapped` was known with its bytes in order."""
        if not self.swapped:
            return image
        return _Image(image.counts.byteswap(), image.number, image.device_s, image.wall_time)

    def statistics(self) -> dict[str, float | str]:
        """Return what `STATISTICS` names."""
        stream = self._held.stream
        told = {name: float(stream.get_info_uint64_by_name(n)) for name, n in STATISTICS.items()}
        return {**told, "packet_bytes": float(self.packet_bytes)}

    def close(self) -> None:
        """Drop the connection; a camera that is gone keeps Aravis busy, but not us."""
        if self._pulse is not None:
            self._pulse.close()
        self._held.device.handler_disconnect(self._handler)
        self.nodes.release()
        lost = self._lost.is_set()
        thread = threading.Thread(
            target=self._held.drop,
            args=(self._library.error, lost, self._name),
            name=FAREWELL,
            daemon=True,
        )
        thread.start()
        thread.join(0.0 if lost else FAREWELL_S)

    def _check_presence(self) -> None:
        quiet = time.monotonic() - self._heard_s > self._quiet_s
        if quiet and self._pulse is not None and not self._pulse.beats():
            self._lost.set()
        if self._lost.is_set():
            raise CameraLostError(
                f"{self._name} does not answer any more; check cable and power, and that no other "
                "program uses it"
            )

    def _image(self, buffer: Any) -> _Image:  # noqa: ANN401 - of Aravis
        number = int(buffer.get_frame_id())
        status = buffer.get_status()
        if status != self._library.aravis.BufferStatus.SUCCESS:
            raise _InPiecesError(
                f"pictures of {self._name} come in pieces ({_status_of(status)}); give it a "
                "network card of its own"
            )
        code, kind = PIXELS[self._pixels]
        given = int(buffer.get_image_pixel_format())
        if given != code:
            raise FrameRefusedError(
                f"{self._name} sent the pixel format {given:#x} instead of {self._pixels}; close "
                "the other program that sets it"
            )
        height, width = int(buffer.get_image_height()), int(buffer.get_image_width())
        data = buffer.get_data()
        if len(data) < height * width * np.dtype(kind).itemsize:
            raise FrameRefusedError(
                f"{self._name} sent {len(data)} bytes for {width}×{height} pixels; open it again"
            )
        dtype = np.dtype(kind).newbyteorder(">" if self.swapped else "<")
        counts = np.frombuffer(data, dtype, height * width).reshape(height, width)
        arrived_s = buffer.get_system_timestamp() / 1e9 or time.time()
        return _Image(
            counts.astype(np.uint16, copy=False), number, buffer.get_timestamp() / 1e9, arrived_s
        )

    @contextmanager
    def _forgiven(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._library.error as error:
            log.debug("%s %s: %s", self._name, what, error)


class _Clock:
    """Numbers and times of one stream's frames, from the camera's own."""

    def __init__(self, first: _Image) -> None:
        self._first = self._last = first.number
        self._wraps = 0
        self._device_0_s = first.device_s
        self._began_s = time.monotonic()

    def place(self, image: _Image) -> tuple[int, float]:
        """Return index and seconds since the first frame."""
        fell = self._last - image.number
        if ID_MODULUS // 2 < fell < ID_MODULUS:
            self._wraps += 1
        self._last = image.number
        index = image.number - self._first + self._wraps * ID_MODULUS
        if not self._device_0_s:
            return index, time.monotonic() - self._began_s
        return index, image.device_s - self._device_0_s


def _look(aravis: Any) -> list[_Found]:  # noqa: ANN401 - it has no types
    """Ask all networks who is there; takes a second."""
    aravis.update_device_list()
    found = []
    for place in range(aravis.get_n_devices()):
        if aravis.get_device_protocol(place) != "GigEVision":
            continue
        serial = _tidy(aravis.get_device_serial_nbr(place))
        hardware = (aravis.get_device_physical_id(place) or "").replace(":", "-")
        found.append(
            _Found(
                serial or hardware,
                serial,
                _joined(aravis.get_device_vendor(place), aravis.get_device_model(place)),
                aravis.get_device_address(place),
            )
        )
    return found


def _serial_at(library: GigeLibrary, ip: str) -> str | None:
    """Return the serial number of the camera that answers at `ip`, None if none does."""
    pulse = library.pulse(ip)
    try:
        return _tidy(pulse.serial) if pulse.answers() else None
    finally:
        pulse.close()


def _set_pixels(nodes: Nodes, name: str) -> str:
    """Choose the best pixel format that the camera has, and return its name.

    Raises
    ------
    CameraError
        If it has none that is understood.
    """
    offered = nodes.choices("PixelFormat") or [nodes.text("PixelFormat")]
    for pixels in PIXELS:
        if pixels in offered and nodes.write("PixelFormat", pixels) == pixels:
            return pixels
    raise CameraError(
        f"{name} sends {', '.join(filter(None, offered)) or 'no format that it tells'}, but one of "
        f"{', '.join(PIXELS)} is needed; a thermal camera has one of them"
    )


def _joined(vendor: str | None, model: str | None) -> str:
    """Return vendor and model without saying FLIR twice."""
    vendor, model = vendor or "", model or ""
    first = vendor.split(" ")[0]
    return model if first and model.startswith(first) else f"{vendor} {model}".strip()


def _tidy(text: str | None) -> str:
    """Return what of a serial number may stand in an address."""
    return re.sub(r"[^\w.-]", "", text or "")


def _status_of(status: Any) -> str:  # noqa: ANN401 - of Aravis
    return str(getattr(status, "value_nick", status)).replace("-", " ")


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
