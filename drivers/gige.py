"""GigE Vision cameras through Aravis: `gige:SERIAL?rate_hz=30&emissivity=0.98`.

FLIR's A-series (A3xx, A6xx, A50 to A700) and Ax5 compute temperatures themselves when they are
told to; what their counts mean is what they say afterwards.  Other cameras give relative counts.
"""

import ipaddress
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
from annotated_types import Unit
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from drivers.count_scale import PLAUSIBLE_K
from drivers.gige_library import FIREWALL, GigeLibrary, load_aravis
from drivers.gige_link import (
    FAREWELL_S,
    QUIET_FRAMES,
    GigeClock,
    GigeLink,
    Image,
    InPiecesError,
    set_pixels,
)
from drivers.gige_neighbours import Found, Neighbours, model_name, serial_at
from drivers.gige_nodes import (
    Nodes,
    Scale,
    read_parameters,
    set_modes,
    set_parameters,
    set_rate,
    set_scale,
)
from drivers.gige_shutter import BorrowedShutter, run_nuc, set_shutter
from drivers.scene_options import SceneOptions
from thermoseg.cameras import FLAT_FIELD, OPEN_CLOSE_LIMIT_S, CameraListing, CameraOptions
from thermoseg.errors import CameraError, CameraLostError, CameraTimeoutError, FrameRefusedError
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.radiometry import KELVIN, LinearRadiometry, Radiometry, RelativeCounts

log = logging.getLogger(__name__)

OPEN_S: Final = OPEN_CLOSE_LIMIT_S - FAREWELL_S - 0.2
"""Opening waits no longer for a picture; the rest is for what a camera is asked besides."""
FIRST_S: Final = 3.0
"""Patience for the first whole picture, since the stream's beginning and mostly had by `read`; a
correction may come before it."""
NUC_S: Final = 1.0
"""Assumed duration of a correction that was asked for, as the stream does not say."""
POSSIBLE_K: Final = (150.0, 2500.0)
"""Median of a picture whose counts are temperatures at all."""
PACKET_BYTES: Final = (576, 9000)
"""Least and most that makes sense."""


def _ipv4(text: str) -> str:
    if text:
        ipaddress.IPv4Address(text)
    return text


class GigeOptions(SceneOptions):
    """Options of finding and setting the camera; what is not given stays as it is."""

    ip: Annotated[str, AfterValidator(_ipv4)] = Field(default="", title="IP address")
    """Address of the camera, to skip the search, or where a search does not reach it."""
    rate_hz: Annotated[float, Field(gt=0, le=1000, examples=[30.0]), Unit("Hz")] | None = None
    """Frames per second."""
    resolution: Literal["fine", "coarse", "off", "keep"] = "fine"
    """Kelvin per count: fine 0.01 or 0.04, up to 382 °C; coarse 0.1 or 0.4; off for counts."""
    shutter: Literal["auto", "manual", "keep"] = "keep"
    """Manual leaves corrections (NUC) to you: none while recording, but drift."""
    packet_size: (
        Annotated[int, Field(ge=PACKET_BYTES[0], le=PACKET_BYTES[1]), Unit("bytes")] | None
    ) = None
    """Bytes; the largest that the network lets through, if not given."""


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
        self._link: GigeLink | None = None
        self._waiting: Image | None = None
        self._clock: GigeClock | None = None
        self._refused: FrameRefusedError | None = None
        self._corrected_s = self._delivered_s = -np.inf
        self._radiometry: Radiometry = RelativeCounts("the camera is not open")
        self._scale_said = ""
        """Scale of the counts in the camera's own words."""
        self._first_due_s = 0.0
        """Moment until which the first whole picture may come."""
        self._shutter = BorrowedShutter()

    def open(self) -> CameraInfo:
        """Connect, set what was asked for, and look at what the first picture holds.

        A picture that takes longer than `OPEN_S` from the beginning is left to `read`.
        """
        began_s = time.monotonic()
        self.close()
        library = type(self).library()
        found = self._find(library, began_s)
        link = self._link = GigeLink(library, found, self._name)
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
            self._shutter.give_back(link, self._name)
            link.close()

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """Actions that an open camera offers, in the thread that reads."""
        return {FLAT_FIELD: self.run_nuc}

    def run_nuc(self) -> None:
        """Close the shutter and level the picture (“NUC”).

        Raises
        ------
        CameraError
            If the camera is not open, has no such command, or refuses.
        """
        if self._link is None:
            raise CameraError(f"{self._name} is not open; open it first")
        run_nuc(self._link.nodes, self._name)
        self._corrected_s = time.monotonic()

    def set_automatic_correction(self, on: bool) -> None:
        """Let it correct itself when asked only, or again as it did when it was opened.

        Raises
        ------
        CameraError
            If the camera is not open, or cannot be told.
        """
        if self._link is None:
            raise CameraError(f"{self._name} is not open; open it first")
        self._shutter.set_automatic(self._link.nodes, on)

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

    def _find(self, library: GigeLibrary, began_s: float) -> Found:
        if self._options.ip:
            return self._find_by_ip(library, self._options.ip)
        known = self.neighbours.known(self._target)
        if known is not None and serial_at(library, known.ip) == known.serial:
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

    def _find_by_ip(self, library: GigeLibrary, ip: str) -> Found:
        """Return the camera at `ip` without a look around, but not before it has answered."""
        if serial_at(library, ip) is None:
            raise CameraError(f"no GigE camera answers at {ip}; check cable and power, {FIREWALL}")
        return Found(self._target, "", "", ip)

    def _start(self, link: GigeLink, found: Found, deadline_s: float) -> CameraInfo:
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
        pixels = set_pixels(nodes, self._name)
        scale = set_scale(nodes, options.resolution)
        set_parameters(nodes, options.scene)
        self._shutter.give_back(link, self._name)
        set_shutter(nodes, options.shutter)
        rate_hz = set_rate(nodes, options.rate_hz)
        self._check_scale(scale)
        self._scale_said = scale.said
        self._radiometry = self._meaning_of(scale, pixels, nodes)
        width, height = (int(nodes.number(name) or 0) for name in ("Width", "Height"))
        link.stream(pixels, rate_hz, options.packet_size)
        self._first_due_s = time.monotonic() + max(
            FIRST_S, QUIET_FRAMES / rate_hz if rate_hz > 0 else 0.0
        )
        self._corrected_s = self._delivered_s = -np.inf
        first = self._first(link, deadline_s)
        if first is not None:
            link.swapped, self._radiometry = self._judge(first.counts)
            self._waiting = first = link.ordered(first)
            self._clock = GigeClock(first)
            height, width = first.counts.shape
        elif not (width and height):
            raise self._no_picture()
        if isinstance(self._radiometry, RelativeCounts):
            log.warning("%s: %s", self._name, self._radiometry.reason)
        log.info("%s: packets of %d bytes", self._name, link.packet_bytes)
        return CameraInfo(
            found.model or model_name(vendor, model),
            serial,
            width,
            height,
            rate_hz,
            self._radiometry,
            live=True,
        )

    def _first(self, link: GigeLink, deadline_s: float) -> Image | None:
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

    def _begin(self, link: GigeLink, timeout_s: float) -> tuple[Image, GigeClock]:
        """Wait for the first picture that `open` has not had, and see that it holds what it said.

        Raises
        ------
        FrameRefusedError
            If it is broken, or no temperatures though the camera says so.
        CameraLostError
            If none has come in `FIRST_S`.
        """
        deadline_s = time.monotonic() + timeout_s
        image: Image | None = None
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
        return (image := link.ordered(image)), GigeClock(image)

    def _no_picture(self) -> CameraLostError:
        """Say why no picture can be had of a camera that is there."""
        if self._refused is None:
            return CameraLostError(
                f"{self._name} is there, but none of its pictures arrives; let UDP from the camera "
                "through the firewall"
            )
        if isinstance(self._refused, InPiecesError):
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
                f"{self._scale_said}, but a median of {as_sent - KELVIN:.0f} °C cannot be"
            )
        return other, radiometry

    def _frame(self, image: Image, clock: GigeClock) -> Frame:
        index, time_s = clock.place(image)
        flags, now_s = FrameFlag.NONE, time.monotonic()
        # The first image after a correction in any case, however late it comes: only from that
        # does the core know that temperatures may step.
        if self._delivered_s < self._corrected_s or now_s < self._corrected_s + NUC_S:
            flags = FrameFlag.SHUTTER
        self._delivered_s = now_s
        return Frame.from_counts(
            image.counts, self._radiometry, index, time_s, image.wall_time, flags
        )


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
