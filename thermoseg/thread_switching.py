"""How Python divides its time among the threads of a program that streams."""

import sys
from typing import Final

SWITCH_S: Final = 0.001
"""How long a thread may keep Python to itself; with the usual 5 ms, capture, network and window
wait for each other (18.5 instead of 15.3 masks per second on two cores)."""


def switch_threads_often() -> None:
    """Let threads take turns each `SWITCH_S`.

    The interval holds for the whole process, so it is the programs that set it, no class that
    somebody else's program may use.
    """
    sys.setswitchinterval(SWITCH_S)
