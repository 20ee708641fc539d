"""How Python divides its time among the threads of a program that streams."""

import logging
import os
import sys
import threading
from typing import Final

log = logging.getLogger(__name__)

SWITCH_S: Final = 0.001
"""How long a thread may keep Python to itself; with the usual 5 ms, capture, network and window
wait for each other (18.5 instead of 15.3 masks per second on two cores)."""

NICE: Final = 5
"""How far a network steps back behind camera, recorder and window, as `nice` counts."""


def switch_threads_often() -> None:
    """Let threads take turns each `SWITCH_S`.

    The interval holds for the whole process, so it is the programs that set it, no class that
    somebody else's program may use.
    """
    sys.setswitchinterval(SWITCH_S)


def step_back() -> None:
    """Let other threads go first when cores are scarce: for the thread of a network.

    Threads that are started from this one, such as those of the library that computes, step back as
    well.  Where the system knows no priorities of single threads, nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    own = threading.get_native_id()
    try:
        if os.getpriority(os.PRIO_PROCESS, own) < NICE:
            os.setpriority(os.PRIO_PROCESS, own, NICE)
    except OSError as error:
        log.info("the network cannot step back behind the window: %s", error)
