"""Whether a GigE camera is still there, asked beside the connection and without waiting.

Aravis takes five seconds to say that a camera is gone.  Every camera answers a discovery packet
sent to it alone, whoever controls it (GigE Vision, GVCP DISCOVERY_CMD).
"""

import socket
import time
from typing import Final

PORT: Final = 3956
"""UDP port of GVCP, the GigE Vision control protocol."""
DISCOVERY: Final = bytes.fromhex("42 11 0002 0000 0001")
"""Key, “answer me”, DISCOVERY_CMD, no payload, number of the question."""
DISCOVERY_ACK: Final = b"\x00\x03"
BEAT_S: Final = 0.25
"""Interval between two questions."""
UNANSWERED: Final = 3
"""A camera that leaves so many questions unanswered is gone."""
SERIAL_AT: Final = slice(8 + 0xD8, 8 + 0xE8)
"""Bytes of the serial number in an answer: behind its header come the camera's first registers."""
ANSWER_S: Final = 0.3
"""Longest wait for an answer by whoever waits for one."""


class GvcpPulse:
    """Feels the pulse of the camera at one address; used by one thread."""

    def __init__(self, ip: str) -> None:
        """Open a socket for the camera; sends nothing yet."""
        self.serial = ""
        """Serial number in the last answer; empty if the camera has none."""
        self._address = ip, PORT
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._asked_s = -BEAT_S
        self._unanswered = 0

    def beats(self) -> bool:
        """Ask now and then; return whether the camera may be there.  Does not wait."""
        self._listen()
        now_s = time.monotonic()
        if now_s - self._asked_s >= BEAT_S:
            if self._unanswered >= UNANSWERED:
                return False
            self._asked_s = now_s
            self._unanswered += 1
            self._ask()
        return True

    def answers(self) -> bool:
        """Ask and wait for an answer, half a second at most."""
        for _ in range(2):
            self._unanswered = 1
            self._ask()
            deadline_s = time.monotonic() + ANSWER_S / 2
            while (left_s := deadline_s - time.monotonic()) > 0:
                self._socket.settimeout(left_s)
                self._listen()
                self._socket.setblocking(False)
                if not self._unanswered:
                    return True
        return False

    def close(self) -> None:
        """Close the socket; may be called more than once."""
        self._socket.close()

    def _ask(self) -> None:
        try:
            self._socket.connect(self._address)
            self._socket.send(DISCOVERY)
        except OSError:  # no route, or nobody at that port: no answer either
            return

    def _listen(self) -> None:
        """Take answers, one at least if the socket waits."""
        try:
            while True:
                answer = self._socket.recv(2048)
                if answer[2:4] == DISCOVERY_ACK:
                    self._unanswered = 0
                    self.serial = answer[SERIAL_AT].split(b"\0")[0].decode("ascii", "replace")
                    return
        except (BlockingIOError, TimeoutError):
            return
        except OSError:  # refused: the machine is there, the camera is not
            return
