"""One connection to one GigE camera, and the stream of pictures that comes through it.

Aravis blocks for seconds when a camera is gone: it says so after 5 s, and to free a dead one takes
up to 10 s.  So whether it is there is asked beside it, and it is freed in a thread of its own.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.gige_library import FIREWALL, GigeLibrary, Pulse
from drivers.gige_neighbours import Found
from drivers.gige_nodes import Nodes
from thermoseg.errors import CameraError, CameraLostError, CameraTimeoutError, FrameRefusedError

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
"""Length of the stream that buffers hold for a late reader."""
FEWEST_BUFFERS: Final = 8
BUFFER_BYTES: Final = 64 * 2**20
"""Most memory that all buffers take together."""
LARGEST_PAYLOAD: Final = 64 * 2**20
"""Bytes of a picture; a camera that announces more is not one of ours."""
SOCKET_PICTURES: Final = 8
"""Pictures that the socket's buffer shall hold, if the system allows; by default a fifth of one."""
LARGEST_SOCKET_BUFFER: Final = 64 * 2**20
"""Bytes."""
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
ID_MODULUS: Final = 0xFFFF
"""Frame numbers of GigE Vision 1.x run from 1 to 65535."""

STATISTICS: Final = {
    "frames_complete": "n_completed_buffers",
    "frames_incomplete": "n_failures",
    "frames_missing": "n_missing_frames",
    "frames_without_buffer": "n_underruns",
    "packets_received": "n_received_packets",
    "packets_lost": "n_missing_packets",
    "packets_resent": "n_resent_packets",
}
"""Statistics of the stream that `telemetry` tells, by Aravis's names."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Content of one buffer."""

    counts: NDArray[np.uint16]
    number: int
    """Number that the camera gave to the picture."""
    device_s: float
    """Time on the camera's clock, 0 if it has none."""
    wall_time: float

    @property
    def blank(self) -> bool:
        """Whether all pixels are the same, which no scene gives."""
        return int(self.counts.min()) == int(self.counts.max())


class InPiecesError(FrameRefusedError):
    """Packets of a picture are missing."""


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


class GigeLink:
    """One connection to one camera: made once, dropped as a whole."""

    def __init__(self, library: GigeLibrary, found: Found, name: str) -> None:
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

    def take(self, timeout_s: float) -> Image:
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

    def ordered(self, image: Image) -> Image:
        """Return a picture that came before `swapped` was known with its bytes in order."""
        if not self.swapped:
            return image
        return Image(image.counts.byteswap(), image.number, image.device_s, image.wall_time)

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

    @property
    def there(self) -> bool:
        """Whether the camera would answer a question, which takes seconds if it would not."""
        try:
            self._check_presence()
        except CameraLostError:
            return False
        return True

    def _check_presence(self) -> None:
        quiet = time.monotonic() - self._heard_s > self._quiet_s
        if quiet and self._pulse is not None and not self._pulse.beats():
            self._lost.set()
        if self._lost.is_set():
            raise CameraLostError(
                f"{self._name} does not answer any more; check cable and power, and that no other "
                "program uses it"
            )

    def _image(self, buffer: Any) -> Image:  # noqa: ANN401 - of Aravis
        number = int(buffer.get_frame_id())
        status = buffer.get_status()
        if status != self._library.aravis.BufferStatus.SUCCESS:
            raise InPiecesError(
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
        return Image(
            counts.astype(np.uint16, copy=False), number, buffer.get_timestamp() / 1e9, arrived_s
        )

    @contextmanager
    def _forgiven(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._library.error as error:
            log.debug("%s %s: %s", self._name, what, error)


class GigeClock:
    """Numbers and times of one stream's frames, from the camera's own."""

    def __init__(self, first: Image) -> None:
        self._first = self._last = first.number
        self._wraps = 0
        self._device_0_s = first.device_s
        self._began_s = time.monotonic()

    def place(self, image: Image) -> tuple[int, float]:
        """Return index and seconds since the first frame."""
        fell = self._last - image.number
        if ID_MODULUS // 2 < fell < ID_MODULUS:
            self._wraps += 1
        self._last = image.number
        index = image.number - self._first + self._wraps * ID_MODULUS
        if not self._device_0_s:
            return index, time.monotonic() - self._began_s
        return index, image.device_s - self._device_0_s


def set_pixels(nodes: Nodes, name: str) -> str:
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


def _status_of(status: Any) -> str:  # noqa: ANN401 - of Aravis
    return str(getattr(status, "value_nick", status)).replace("-", " ")
