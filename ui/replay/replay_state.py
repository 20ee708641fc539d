"""How far the recording is that is replayed."""

from enum import Enum


class ReplayState(Enum):
    """Phase of the recording."""

    EMPTY = "empty"
    OPENING = "opening"
    OPEN = "open"
    FAILED = "failed"
