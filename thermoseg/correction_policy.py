"""Who decides when a camera corrects itself (flat field)."""

from enum import StrEnum


class CorrectionPolicy(StrEnum):
    """Who decides when a camera corrects itself."""

    AUTOMATIC = "automatic"
    """The camera, as it was opened."""
    BETWEEN_TRIALS = "between trials"
    """The session: not while a trial runs, but before a recording and after each condition."""
