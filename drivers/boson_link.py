"""Commands to a FLIR Boson, through its serial port and flirpy's command class.

flirpy speaks the protocol; what it does around it is left out here.  Its constructor sets up the
logging of the whole program and takes the first camera there is, and its waits last seconds.
"""

import logging
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import Field

from drivers.vendor_library import load_library
from thermoseg.cameras import CameraOptions
from thermoseg.errors import CameraError

log = logging.getLogger(__name__)

FLIRPY: Final = "flirpy.camera.boson"
CAMERA: Final = "a Boson"

BAUD: Final = 921_600
REPLY_S: Final = 0.1
"""Patience for a reply; a Boson takes milliseconds."""
LONGEST_REPLY: Final = 1544
"""Bytes of the longest packet of the protocol."""
FPA_EVERY: Final = 4
"""One of so many questions for the shutter is followed by one for the sensor's temperature."""
SILENT_REPLIES: Final = 3
"""A Boson that has left so many questions unanswered is not asked any more."""

_GET_IR16_MODE: Final = 0x000E000E
_SET_IR16_MODE: Final = 0x000E000D
_SET_FFC_MODE: Final = 0x00050012
_TLINEAR: Final = 2
_FFC_IN_PROGRESS: Final = 2
_GAINS: Final = ("high", "low", "auto", "dual", "manual")


def _list_ports() -> Sequence[Any]:
    return list(load_library("serial.tools.list_ports", CAMERA).comports())


def _open_port(path: str) -> Any:  # noqa: ANN401
    return load_library("serial", CAMERA).Serial(
        path, BAUD, timeout=REPLY_S / 3, write_timeout=REPLY_S, exclusive=True
    )


@dataclass(frozen=True, slots=True)
class SerialPorts:
    """Part of pyserial that is used."""

    find: Callable[[], Sequence[Any]] = _list_ports
    open: Callable[[str], Any] = _open_port


class BosonOptions(CameraOptions):
    """Settings of the camera when it is opened; what is not given stays as it is."""

    gain: Literal["high", "low", "auto"] | None = None
    """Low reaches further and sees less."""
    shutter: Literal["auto", "manual"] | None = None
    """Whether the camera closes its shutter when it likes."""
    tlinear: bool | None = Field(default=None, title="TLinear")
    """Hundredths of a kelvin in place of counts; radiometric models only."""


class _NoReplyError(CameraError):
    """A question was not answered, or refused."""


def _silent(name: str, what: str) -> str:
    return f"{name} does not answer “{what}”; unplug it and plug it in again"


class BosonLink:
    """Commands of one Boson; used by the thread that reads."""

    def __init__(self, open_port: Callable[[], Any], name: str) -> None:
        self.described: dict[str, float | str] = {}
        self.correcting = False
        """Whether the camera said last that its shutter is closed."""
        self._name = name
        self._silent = self._questions = 0
        self._heard = False
        """Whether the last question was answered."""
        boson = load_library(FLIRPY, CAMERA).Boson
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

    def hold_ffc(self) -> int:
        """Let the shutter close when it is asked to only; return the mode before."""
        mode = int(self._ask("get_ffc_mode"))
        self._ask("set_ffc_manual")
        return mode

    def set_ffc_mode(self, mode: int) -> None:
        """Say when the shutter closes, by the number that `hold_ffc` gave."""
        self._order(_SET_FFC_MODE, struct.pack(">I", mode))

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
