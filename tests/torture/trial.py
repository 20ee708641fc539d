"""One thing that was done to a recording, and what came of it."""

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.recording.made_frames import RATE_HZ, made_counts
from thermoseg import cli
from thermoseg.frames import CameraInfo
from thermoseg.recording.reader import Recording


@dataclass(frozen=True, slots=True)
class Trial:
    """What was tried, whether it was survived, and the figures that say how well."""

    what: str
    survived: bool
    told: str = ""
    """What the program said, or what was wrong."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """By name, the unit in it; the largest of a kind is shown."""


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """Run `thermoseg …` in this process; return its exit code and what it wrote."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, out.getvalue(), err.getvalue()


def one_sentence(text: str) -> bool:
    """Tell whether a complaint is a line or a few, without a traceback."""
    return bool(text.strip()) and "Traceback" not in text and "defect" not in text


def read_frames(recording: Recording, info: CameraInfo) -> tuple[int, int]:
    """Count the frames that are as their generator made them, and those that are otherwise.

    A frame that says that it is damaged is neither.
    """
    right = wrong = 0
    for position, index in enumerate(recording.indices.tolist()):
        try:
            frame = recording.frame(position)
        except Exception as error:  # noqa: BLE001  # any complaint is fine but a wrong picture
            wrong += not one_sentence(str(error))
            continue
        same = np.array_equal(frame.counts, made_counts(index, info))
        same &= abs(frame.time_s - index / RATE_HZ) <= 1e-6
        right, wrong = right + same, wrong + (not same)
    return right, wrong
