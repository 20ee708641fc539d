"""Whether the process that trains a run still lives, asked from another one.

A number of a process says little, as systems give it to others later: only with the moment at
which the process began, and on the machine where it runs, does it name one.
"""

import os
import socket
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

PROCESS: Final = "process"
"""Key of `run.json` under which the process stands."""
SAME_START_S: Final = 2.0
"""Moments so close are the same; a clock that is set moves what a system says of them."""


class ProcessState(Enum):
    """State of the process of a run."""

    ALIVE = "alive"
    ENDED = "ended"
    UNKNOWN = "unknown"
    """The run is of another machine, says nothing of its process, or the system tells nothing."""


class RunProcess(BaseModel):
    """The process that trains a run, as `run.json` names it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    pid: int
    """Number of the process."""
    started: float
    """When it began, seconds since 1970."""
    host: str
    """Name of its machine."""


def this_process() -> RunProcess:
    """Return the process that asks."""
    own = psutil.Process()
    return RunProcess(pid=os.getpid(), started=own.create_time(), host=socket.gethostname())


def process_of(about: Mapping[str, Any]) -> RunProcess | None:
    """Return the process that a run names, None if it names none.

    Parameters
    ----------
    about
        What `trainer.run_folder.read_about` returns.
    """
    try:
        return RunProcess.model_validate(about.get(PROCESS))
    except ValidationError:
        return None


def process_state(about: Mapping[str, Any]) -> ProcessState:
    """Say whether the process that trains a run, or trained it last, lives on this machine.

    Parameters
    ----------
    about
        What `trainer.run_folder.read_about` returns.
    """
    named = process_of(about)
    if named is None or named.host != socket.gethostname():
        return ProcessState.UNKNOWN
    try:
        found = psutil.Process(named.pid)
        same = abs(found.create_time() - named.started) <= SAME_START_S
        alive = same and found.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return ProcessState.ENDED
    except psutil.AccessDenied:
        return ProcessState.UNKNOWN
    return ProcessState.ALIVE if alive else ProcessState.ENDED
