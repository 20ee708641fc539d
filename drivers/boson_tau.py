"""FLIR Boson and Tau through flirpy's command classes: `boson:SERIAL`, `tau:SERIAL`.

flirpy speaks the protocols; what it does around them is left out here.  Its constructors set up
the logging of the whole program and take the first camera there is, its waits last seconds, and
its readers return None for ever when the cable is out.
"""

import errno
import logging
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.teax_stream import TeaxParser, TeaxPicture
from drivers.usb_identity import identity
from drivers.uvc_capture import (
    Capture,
    Picture,
    PictureHistory,
    StreamClock,
    UvcSystem,
    first_good,
    problem_of,
    start_capture,
    words_of,
)
from drivers.uvc_nodes import PLACEHOLDER_SERIALS, VideoNode, find_node
from thermoseg.cameras import CameraListing, CameraOptions
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraTimeoutError,
    DriverMissingError,
)
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.radiometry import KELVIN, LinearRadiometry, Radiometry, RelativeCounts
from thermoseg.timeline import AFTER_SHUTTER_S

log = logging.getLogger(__name__)

PLAUSIBLE_K: Final = (233.0, 423.0)
"""Medians of a picture in kelvin; anything else was not kelvin."""
OPEN_S: Final = 0.7
"""After the first picture, until a good one."""

BOSON_IDS: Final = ((0x09CB, 0x4007),)
BOSON_SIZES: Final = ((512, 640), (256, 320))
"""(rows, columns)."""
BOSON_HZ: Final = 60.0
BOSON_BAUD: Final = 921_600
BOSON_STEP_K: Final = 0.01
"""Kelvin per count of its TLinear output."""
REPLY_S: Final = 0.1
"""Patience for a reply; a Boson takes milliseconds."""
LONGEST_REPLY: Final = 1544
"""Bytes of the longest packet of the protocol."""
STATE_EVERY_S: Final = 0.25
"""Between two questions for the state of the shutter; its closing takes half a second and more."""
FPA_EVERY: Final = 4
"""One of so many questions for the shutter is followed by one for the sensor's temperature."""
SILENT_REPLIES: Final = 3
"""A Boson that has left so many questions unanswered is not asked any more."""

_GET_IR16_MODE: Final = 0x000E000E
_SET_IR16_MODE: Final = 0x000E000D
_TLINEAR: Final = 2
_FFC_IN_PROGRESS: Final = 2
_GAINS: Final = ("high", "low", "auto", "dual", "manual")

TAU_IDS: Final = (0x0403, 0x6010)
"""The USB chip of TeAx's grabber, which other devices have as well."""
TAU_HZ: Final = 30.0
TAU_STEP_K: Final = 0.04
"""Kelvin per count of its TLinear output in high resolution, 14 bits."""
TAU_OPEN_S: Final = 1.2
"""Patience for the first picture."""
TRANSFER_MS: Final = 100
"""Of the grabber's USB chip, which reports every 16 ms even if there is nothing."""
CHUNK_BYTES: Final = 16_384
"""Of one transfer; with pyftdi's 512 Python cannot keep up."""
POLL_BYTES: Final = 65_536
TAU_SHUTTER_S: Final = 1.0
"""For how long a flat-field correction is taken to last, because the stream does not say."""


def _load(name: str) -> Any:  # noqa: ANN401
    """Import a library when a camera is wanted."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0].replace("serial", "pyserial").replace("usb", "pyusb")
        raise DriverMissingError(f"Boson and Tau need {package}; pip install {package}") from error


def _list_ports() -> Sequence[Any]:
    return list(_load("serial.tools.list_ports").comports())


def _open_port(path: str) -> Any:  # noqa: ANN401
    return _load("serial").Serial(
        path, BOSON_BAUD, timeout=REPLY_S / 3, write_timeout=REPLY_S, exclusive=True
    )


@dataclass(frozen=True, slots=True)
class SerialPorts:
    """What is used of pyserial."""

    find: Callable[[], Sequence[Any]] = _list_ports
    open: Callable[[str], Any] = _open_port


class BosonOptions(CameraOptions):
    """What is asked of the camera when it is opened; nothing is changed where none is given."""

    gain: Literal["high", "low", "auto"] | None = None
    """Low reaches further and sees less."""
    shutter: Literal["auto", "manual"] | None = None
    """Whether the camera closes its shutter when it likes."""
    tlinear: bool | None = None
    """Hundredths of a kelvin in place of counts; radiometric models only."""


class BosonCamera:
    """A Boson: video through UVC, commands through its serial port where that can be opened."""

    Options: ClassVar[type[CameraOptions]] = BosonOptions
    system: ClassVar[UvcSystem] = UvcSystem()
    """Tests put another one here."""
    ports: ClassVar[SerialPorts] = SerialPorts()
    """Tests put other ones here."""

    def __init__(self, target: str, options: BosonOptions) -> None:
        """Remember what to open; touches no device.

        Parameters
        ----------
        target
            Serial number, place (as `discover` lists it) or path; the number of the video device
            on Windows; empty for the only one there is.
        """
        self._target = target
        self._options = options
        self._name = f"the Boson {target}".strip()
        self._capture: Capture | None = None
        self._link: _BosonLink | None = None
        self._radiometry: Radiometry = RelativeCounts("the Boson is not open")
        self._waiting: tuple[NDArray[np.uint16], Picture] | None = None

    def open(self) -> CameraInfo:
        """Open the camera, set what was asked for, and look at what its first pictures hold."""
        self.close()
        node = self._find()
        try:
            info = self._start(node, self._target if node is None else str(node.path))
        except BaseException:
            self.close()
            raise
        if node is not None:
            # Another one of its kind may be there when it is looked for again.
            self._target = self._target or node.stable_name
        return info

    def read(self, timeout_s: float) -> Frame:
        """Wait for the next frame.

        Raises
        ------
        FrameRefusedError
            If a picture is of another size, such as one with telemetry rows.
        """
        (counts, picture), self._waiting = self._waiting or self._take(timeout_s), None
        self._index += 1
        time_s = self._clock.place(picture.taken_s, picture.came_s)
        flags = self._history.flags(counts, time_s, closed=self._shutter_closed() or None)
        return Frame.from_counts(counts, self._radiometry, self._index, time_s, time.time(), flags)

    def close(self) -> None:
        """Release it; may be called at any time and more than once."""
        if self._capture is not None:
            self._capture.close()
            self._capture = None
        if self._link is not None:
            self._link.close()
            self._link = None
        self._waiting = None

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """What can be asked of an open camera, from any thread."""
        return {"Flat-field correction": self.run_ffc}

    def run_ffc(self) -> None:
        """Close the shutter for about half a second and level the picture.

        Raises
        ------
        CameraError
            If the camera is not open, or its serial port is not.
        """
        if self._link is None:
            raise CameraError(f"{self._name} {_no_commands(self._capture is not None)}")
        self._link.run_ffc()

    def telemetry(self) -> Mapping[str, float | str]:
        """Return what the camera said last, as far as it takes commands.

        `sensor_serial` and `gain` as they were when it was opened, `fpa_c` at most some seconds
        ago, `shutter` in words.
        """
        return {} if self._link is None else self._link.told()

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """List those that are plugged in."""
        _load("flirpy.camera.boson")
        if cls.system.platform != "linux":
            return [CameraListing("boson:", "FLIR Boson", _NOT_LISTED)]
        return [
            cls._listing(node)
            for node in cls.system.nodes()
            if (node.vendor, node.product) in BOSON_IDS
        ]

    @classmethod
    def _listing(cls, node: VideoNode) -> CameraListing:
        modes, problem = problem_of(cls.system, node)
        raw = [mode for mode in modes if (mode.height, mode.width) in BOSON_SIZES]
        raw = [mode for mode in raw if mode.fourcc == "Y16 "]
        if not problem and not raw:
            problem = f"{node.path} offers no raw pictures (Y16); choose them in FLIR's Boson app"
        return CameraListing(
            address=f"boson:{node.stable_name}",
            description="FLIR Boson",
            problem=problem,
            model="FLIR Boson",
            serial=node.serial,
            width=raw[0].width if raw else 0,
            height=raw[0].height if raw else 0,
            rate_hz=max((mode.rate_hz for mode in raw), default=0.0),
        )

    def _find(self) -> VideoNode | None:
        """Return the device on Linux; elsewhere there is only its number."""
        if self.system.platform == "linux":
            return find_node(self.system.nodes(), BOSON_IDS, self._target, "boson", "Boson")
        if self.system.platform == "darwin" or not self._target.isdecimal():
            raise CameraError(_NOT_LISTED)
        return None

    def _start(self, node: VideoNode | None, path: str) -> CameraInfo:
        self._link = self._connect(node)
        tlinear = self._link is not None and self._link.set_up(self._options)
        self._capture, video = start_capture(self.system, path, self._name, "Y16 ")
        # A Boson 320 follows, a Boson 640 keeps its own size.
        video.set(cv2.CAP_PROP_FRAME_WIDTH, BOSON_SIZES[1][1])
        video.set(cv2.CAP_PROP_FRAME_HEIGHT, BOSON_SIZES[1][0])
        self._index = -1
        self._clock, self._history = StreamClock(), PictureHistory()
        self._asked_s = -np.inf
        self._waiting = first_good(self._take, self._name, OPEN_S)
        counts = self._waiting[0]
        self._radiometry = _boson_radiometry(counts, tlinear)
        rate_hz = float(video.get(cv2.CAP_PROP_FPS))
        return CameraInfo(
            model=f"FLIR Boson {counts.shape[1]}",
            serial=node.serial if node is not None else "",
            width=counts.shape[1],
            height=counts.shape[0],
            rate_hz=rate_hz if rate_hz > 0 else BOSON_HZ,
            radiometry=self._radiometry,
            live=True,
        )

    def _connect(self, node: VideoNode | None) -> "_BosonLink | None":
        """Open the serial port of the same camera; without one there is video alone."""
        ports = [port for port in self.ports.find() if (port.vid, port.pid) in BOSON_IDS]
        if node is not None and node.serial not in PLACEHOLDER_SERIALS:
            ports = [port for port in ports if port.serial_number == node.serial]
        if len(ports) == 1:
            try:
                return _BosonLink(lambda: self.ports.open(ports[0].device), self._name)
            except OSError as error:
                # pyserial puts the same again, with numbers, into its own text.
                why = os.strerror(error.errno) if error.errno else error
                problem = f"{ports[0].device}: {why}"
        else:
            problem = f"{len(ports)} serial ports could be its own"
        o = self._options
        wanted = [n for n in ("gain", "shutter", "tlinear") if getattr(o, n) is not None]
        if wanted:
            raise CameraError(
                f"{self._name} takes no commands, so {', '.join(wanted)} cannot be set "
                f"({problem}); run “thermoseg install-udev”, or leave the option away"
            )
        log.warning("%s takes no commands (%s); its shutter is not known", self._name, problem)
        return None

    def _take(self, timeout_s: float) -> tuple[NDArray[np.uint16], Picture]:
        if self._capture is None:
            raise CameraError(f"{self._name} is not open; open it first")
        picture = self._capture.next(timeout_s)
        shapes = {rows * columns: (rows, columns) for rows, columns in BOSON_SIZES}
        return words_of(picture.array, shapes, self._name), picture

    def _shutter_closed(self) -> bool:
        """Ask for the state of the shutter now and then, and remember it in between."""
        if self._link is None:
            return False
        now_s = time.monotonic()
        if now_s - self._asked_s >= STATE_EVERY_S:
            self._asked_s = now_s
            self._link.ask_state()
        return self._link.correcting


_NOT_LISTED: Final = (
    "video devices cannot be told apart here; on Windows try boson:0, boson:1 and so on, on macOS "
    "there are no raw pictures"
)


def _no_commands(is_open: bool) -> str:
    if is_open:
        return "takes no commands; run “thermoseg install-udev” and plug it in again"
    return "is not open; open it first"


def _boson_radiometry(counts: NDArray[np.uint16], tlinear: bool) -> Radiometry:
    if not tlinear:
        return RelativeCounts(
            "this Boson sends counts without a temperature scale; if it is a radiometric one, open "
            "it with ?tlinear=true"
        )
    return _linear_if_kelvin(counts, BOSON_STEP_K, "the Boson")


def _linear_if_kelvin(counts: NDArray[np.uint16], step_k: float, name: str) -> Radiometry:
    median_k = float(np.median(counts)) * step_k
    if PLAUSIBLE_K[0] <= median_k <= PLAUSIBLE_K[1]:
        return LinearRadiometry(step_k)
    return RelativeCounts(
        f"the counts of {name} are no steps of {step_k:g} K: their median would be "
        f"{median_k - KELVIN:.0f} °C"
    )


class _NoReplyError(CameraError):
    """A question was not answered, or refused."""


def _silent(name: str, what: str) -> str:
    return f"{name} does not answer “{what}”; unplug it and plug it in again"


class _BosonLink:
    """Commands of one Boson; used by the reading thread and by whoever presses a button."""

    def __init__(self, open_port: Callable[[], Any], name: str) -> None:
        self.described: dict[str, float | str] = {}
        self.correcting = False
        """Whether the camera said last that its shutter is closed."""
        self._name = name
        self._lock = threading.Lock()
        self._silent = self._questions = 0
        boson = _load("flirpy.camera.boson").Boson
        self._boson = boson.__new__(boson)
        self._boson.conn, self._boson.cap, self._boson.command_count = None, None, 0
        self._port = self._boson.conn = open_port()
        # It says the same of each question that is not answered.
        self._boson.logger = logging.Logger("flirpy")
        self._boson.logger.disabled = True
        self._boson.receive = self._receive
        self._boson.send = self._send

    def close(self) -> None:
        """Close the port."""
        self._boson.conn = None
        self._port.close()

    def set_up(self, options: BosonOptions) -> bool:
        """Set what is asked for and describe the camera; return whether it sends kelvin.

        Raises
        ------
        CameraError
            If it does not do what it was asked for.
        """
        if options.gain is not None:
            self._ask("set_gain_mode", _GAINS.index(options.gain))
            if self._ask("get_gain_mode") != _GAINS.index(options.gain):
                raise CameraError(f"{self._name} does not switch its gain; leave gain away")
        if options.shutter is not None:
            self._ask(f"set_ffc_{options.shutter}")
        if options.tlinear is not None:
            self._order(_SET_IR16_MODE, struct.pack(">I", _TLINEAR if options.tlinear else 0))
        try:
            mode = self._order(_GET_IR16_MODE)
            self.described["sensor_serial"] = str(self._ask("get_sensor_serial"))
            gain = self._ask("get_gain_mode")
            self.described["gain"] = _GAINS[gain] if gain < len(_GAINS) else str(gain)
            self.described["fpa_c"] = float(self._ask("get_fpa_temperature"))
        except _NoReplyError as error:
            log.info("%s", error)
            mode = b""
        tlinear = mode == struct.pack(">I", _TLINEAR)
        if options.tlinear and not tlinear:
            raise CameraError(
                f"{self._name} does not send temperatures, because it is not a radiometric Boson; "
                "leave tlinear away"
            )
        return tlinear

    def run_ffc(self) -> None:
        """Have the shutter closed and the picture levelled."""
        self._ask("do_ffc")
        self.correcting = True

    def ask_state(self) -> None:
        """Ask whether the shutter is closed; give up asking a camera that does not answer."""
        if self._silent >= SILENT_REPLIES:
            return
        try:
            self.correcting = self._ask("get_ffc_state") == _FFC_IN_PROGRESS
            self._silent = 0
            self._questions += 1
        except _NoReplyError as error:
            self._silent += 1
            self.correcting = False
            if self._silent == SILENT_REPLIES:
                log.warning("%s; its shutter is not known any more", error)
            return
        if self._questions % FPA_EVERY == 0 and "fpa_c" in self.described:
            self._ask_fpa()

    def told(self) -> dict[str, float | str]:
        """Return what is known of the camera, without asking it."""
        known = self._questions > 0 and self._silent < SILENT_REPLIES
        return self.described | (
            {"shutter": "closed" if self.correcting else "open"} if known else {}
        )

    def _ask_fpa(self) -> None:
        try:
            self.described["fpa_c"] = float(self._ask("get_fpa_temperature"))
        except _NoReplyError as error:
            del self.described["fpa_c"]
            log.info("%s; the temperature of its sensor is not known any more", error)

    def _ask(self, method: str, *arguments: object) -> Any:  # noqa: ANN401
        """Call one of flirpy's commands; its answer, if it has one, is never None."""
        with self._exchange(method):
            answer = getattr(self._boson, method)(*arguments)
            self._check(answer is None and method.startswith("get_"), method)
            return answer

    def _order(self, function: int, data: bytes | None = None) -> bytes:
        """Send a command that flirpy has no name for, and return the data of its reply."""
        name = f"{function:#010x}"
        with self._exchange(name):
            reply = self._boson._send_packet(function, data=data)  # noqa: SLF001
            return bytes(self._boson._decode_packet(reply) or b"")  # noqa: SLF001

    def _check(self, failed: bool, what: str) -> None:
        if failed or not self._heard:
            raise _NoReplyError(_silent(self._name, what))

    @contextmanager
    def _exchange(self, what: str) -> Iterator[None]:
        with self._lock:
            self._heard = False
            self._boson.command_count += 1
            try:
                yield
            except (OSError, TypeError, ValueError, struct.error) as error:
                # What flirpy raises depends on where in the reply the cable was pulled.
                raise _NoReplyError(_silent(self._name, what)) from error
            self._check(False, what)

    def _send(self, packet: bytes) -> None:
        """Send a packet, in place of flirpy, which escapes the data but not the rest."""
        stuff = self._boson._bitstuff  # noqa: SLF001
        self._port.read_all()
        self._port.write(
            packet[:1] + stuff(packet[1:14]) + packet[14:-3] + stuff(packet[-3:-1]) + packet[-1:]
        )

    def _receive(self) -> bytes:
        """Read one reply, in place of flirpy's, which waits for seconds and believes anything.

        Empty if none comes in time, or one that is damaged, late, or says that it cannot be done.
        """
        deadline_s = time.monotonic() + REPLY_S
        reply = b""
        while not reply.endswith(b"\xae") and len(reply) < LONGEST_REPLY:
            if time.monotonic() > deadline_s:
                return b""
            reply += self._port.read(max(self._port.in_waiting, 1))
        reply = reply[reply.rfind(b"\x8e") :]
        body = bytes(self._boson._unstuff(reply[1:-1]))  # noqa: SLF001
        if len(body) < 15:
            return b""
        _, number, _, status = struct.unpack_from(">BIII", body)
        checked = self._boson._crc(b"\x8e" + body[:-2]) == int.from_bytes(body[-2:], "big")  # noqa: SLF001
        self._heard = checked and status == 0 and number == self._boson.command_count
        return reply if self._heard else b""


class TauOptions(CameraOptions):
    """There is nothing to choose."""


class TauCamera:
    """A Tau behind TeAx's ThermalCapture GrabberUSB."""

    Options: ClassVar[type[CameraOptions]] = TauOptions
    backend: ClassVar[Any] = None
    """Of pyusb; the system's libusb if None.  Tests put another one here."""

    def __init__(self, target: str, options: TauOptions) -> None:
        """Remember what to open; touches no device.

        Parameters
        ----------
        target
            Serial number of the grabber or `usb-BUS-PORT`, as `discover` gives; empty for the only
            one there is.
        """
        self._target = target
        self._options = options
        self._name = f"the Tau {target}".strip()
        self._grabber: Any = None
        self._parser = TeaxParser()
        self._waiting: deque[TeaxPicture] = deque()
        self._radiometry: Radiometry = RelativeCounts("the Tau is not open")

    def open(self) -> CameraInfo:
        """Open the grabber and look at what its first picture holds."""
        self.close()
        device, name, serial = self._find()
        tau = _load("flirpy.camera.tau")
        # Its constructor takes the first grabber, and rows for columns.
        self._grabber = tau.TeaxGrabber.__new__(tau.TeaxGrabber)
        self._grabber.dev, self._grabber._ftdi = device, None  # noqa: SLF001
        try:
            with self._explained():
                self._grabber.connect()
                ftdi = self._grabber._ftdi  # noqa: SLF001
                ftdi.timeouts = (TRANSFER_MS, TRANSFER_MS)
                ftdi.read_data_set_chunksize(CHUNK_BYTES)
            self._opened_s = time.monotonic()
            self._index, self._time_s, self._closed_s = -1, -1.0, -np.inf
            self._asked_ffc, self._trusted = False, False
            while not self._waiting:
                if time.monotonic() - self._opened_s > TAU_OPEN_S:
                    raise CameraTimeoutError(
                        f"{self._name} is there but sends no pictures; see that this is a TeAx "
                        "grabber with a Tau that is switched on and sends 14 bits"
                    )
                self._poll()
        except BaseException:
            self.close()
            raise
        self._target = self._target or name
        counts = self._waiting[0].counts
        self._radiometry = _linear_if_kelvin(counts, TAU_STEP_K, "the Tau")
        return CameraInfo(
            model=f"FLIR Tau {counts.shape[1]}",
            serial=serial,
            width=counts.shape[1],
            height=counts.shape[0],
            rate_hz=TAU_HZ,
            radiometry=self._radiometry,
            live=True,
        )

    def read(self, timeout_s: float) -> Frame:
        """Wait for the next frame; the grabber numbers none, so `Frame.index` counts what came."""
        if self._grabber is None:
            raise CameraError(f"{self._name} is not open; open it first")
        deadline_s = time.monotonic() + timeout_s
        while not self._waiting:
            if time.monotonic() >= deadline_s:
                raise CameraTimeoutError(f"no picture of {self._name} in time; read again")
            self._poll()
        return self._frame(self._waiting.popleft())

    def close(self) -> None:
        """Release the grabber; may be called at any time and more than once."""
        grabber, self._grabber = self._grabber, None
        self._parser = TeaxParser()
        self._waiting.clear()
        if grabber is not None:
            usb = _load("usb.core")
            try:
                grabber.close()
                _load("usb.util").dispose_resources(grabber.dev)
            except (usb.USBError, OSError, ValueError) as error:
                log.debug("%s was not released in good order: %s", self._name, error)

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """What can be asked of an open camera, from any thread."""
        return {"Flat-field correction": self.run_ffc}

    def run_ffc(self) -> None:
        """Close the shutter for about half a second and level the picture.

        Raises
        ------
        CameraError
            If the camera is not open.
        """
        grabber = self._grabber
        if grabber is None:
            raise CameraError(f"{self._name} is not open; open it first")
        with self._explained():
            # Without waiting for the reply: flirpy would throw pictures away until it comes.
            grabber._send_packet(_load("flirpy.camera.tau_config").DO_FFC_SHORT)  # noqa: SLF001
        self._asked_ffc = True

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """List the chips that such a grabber has; other devices have them as well."""
        for library in ("flirpy.camera.tau", "pyftdi.ftdi"):
            _load(library)
        listings = []
        for device in _grabbers(cls.backend):
            name, serial, error = identity(device)
            problem = ""
            if error is not None:
                problem = f"{error.strerror or error}; run “thermoseg install-udev”"
            listings.append(
                CameraListing(
                    f"tau:{name}",
                    "FLIR Tau, if this FTDI chip is a TeAx grabber",
                    problem,
                    model="FLIR Tau",
                    serial=serial,
                )
            )
        return listings

    def _find(self) -> tuple[Any, str, str]:
        found = []
        for device in _grabbers(self.backend):
            name, serial, error = identity(device)
            if self._target in ("", name, serial):
                found.append((device, name, serial, error))
        if len(found) == 1:
            device, name, serial, error = found[0]
            if error is not None:
                raise CameraError(
                    f"{self._name} cannot be opened ({error.strerror or error}); run “thermoseg "
                    "install-udev” and plug it in again"
                ) from error
            return device, name, serial
        if found:
            names = ", ".join(f"tau:{name}" for _, name, _, _ in found)
            raise CameraError(f"there are {len(found)} such grabbers; name one of them: {names}")
        raise CameraError(f"{self._name} is not there; plug in its TeAx grabber")

    def _poll(self) -> None:
        data = b""
        with self._explained():
            data = self._grabber._read(POLL_BYTES)  # noqa: SLF001
        self._waiting.extend(self._parser.feed(bytes(data)))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        ftdi, usb = _load("pyftdi.ftdi"), _load("usb.core")
        try:
            yield
        except (ftdi.FtdiError, usb.USBError) as error:
            # pyftdi hides what it was, but not from here.
            first = error if isinstance(error, usb.USBError) else error.__context__ or error
            if isinstance(first, usb.USBTimeoutError):
                return
            if getattr(first, "errno", None) in (errno.EACCES, errno.EBUSY):
                why = getattr(first, "strerror", None) or error
                raise CameraError(
                    f"{self._name} cannot be opened ({why}); run “thermoseg install-udev”, and "
                    "close other programs that use it"
                ) from error
            raise CameraLostError(
                f"{self._name} does not answer any more; unplug its grabber and plug it in again"
            ) from error

    def _frame(self, picture: TeaxPicture) -> Frame:
        now_s = max(time.monotonic() - self._opened_s, self._time_s + 1e-6)
        self._index += 1 + picture.lost_before
        self._time_s = now_s
        if self._asked_ffc:
            self._asked_ffc, self._closed_s = False, now_s
        flags = FrameFlag.NONE
        if now_s - self._closed_s < TAU_SHUTTER_S:
            flags |= FrameFlag.SHUTTER
        elif now_s - self._closed_s < TAU_SHUTTER_S + AFTER_SHUTTER_S:
            flags |= FrameFlag.AFTER_SHUTTER
        self._trusted = self._trusted or picture.intact
        if self._trusted and not picture.intact:
            flags |= FrameFlag.DAMAGED
        return Frame.from_counts(
            picture.counts, self._radiometry, self._index, now_s, time.time(), flags
        )


def _grabbers(backend: Any) -> list[Any]:  # noqa: ANN401
    usb = _load("usb.core")
    try:
        return list(
            usb.find(find_all=True, backend=backend, idVendor=TAU_IDS[0], idProduct=TAU_IDS[1])
        )
    except usb.NoBackendError as error:
        raise DriverMissingError(
            "the grabber of a Tau needs libusb, which is not installed; on Debian and Ubuntu “sudo "
            "apt install libusb-1.0-0”, on macOS “brew install libusb”"
        ) from error
