"""The process that copies for a recovery, caught before it is done."""

import contextlib

import psutil

from tests.conftest import WaitFor


def hold_copying(parent: psutil.Process, wait_for: WaitFor) -> psutil.Process:
    """Hold the process that copies for `parent` as soon as it is there, and return it.

    It is known by its command line: libraries start programs of their own, such as `uname`.
    """
    copying = list[psutil.Process]()

    def is_copying() -> bool:
        for child in parent.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "thermoseg.recording.salvage_process" in child.cmdline():
                    copying.append(child)
        return bool(copying)

    wait_for(is_copying)
    copying[0].suspend()
    return copying[0]
