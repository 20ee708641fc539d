"""Pictures of a face, and a way to look at what a view shows."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray
from PyQt6.QtTest import QTest

from thermoseg.face_geometry import find_rois
from thermoseg.frames import Frame
from thermoseg.labels import Region
from thermoseg.radiometry import LinearRadiometry, RelativeCounts
from thermoseg.rois import RoiSample
from ui.picture.content import Box, PictureContent

HEIGHT, WIDTH = 48, 64

HANDS: Final[Any] = QTest
"""Presses keys and mouse buttons; PyQt's hints take its static functions for methods."""


class MakeContent(Protocol):
    """What the fixture `make_content` gives."""

    def __call__(
        self,
        celsius: float = ...,
        *,
        time_s: float = ...,
        masked: bool = ...,
        behind_s: float = ...,
        face: Box | None = ...,
        others: tuple[Box, ...] = ...,
        unsure: bool = ...,
        means: Mapping[str, float] | None = ...,
        counts: NDArray[np.uint16] | None = ...,
    ) -> PictureContent: ...


@pytest.fixture
def make_content() -> MakeContent:
    """Make an even picture whose corner pixel is 1 K warmer, with or without a face in it."""

    def make(
        celsius: float = 30.0,
        *,
        time_s: float = 0.0,
        masked: bool = False,
        behind_s: float = 0.0,
        face: Box | None = None,
        others: tuple[Box, ...] = (),
        unsure: bool = False,
        means: Mapping[str, float] | None = None,
        counts: NDArray[np.uint16] | None = None,
    ) -> PictureContent:
        if counts is None:
            kelvin = np.full((HEIGHT, WIDTH), round((celsius + 273.15) * 100), np.uint16)
            kelvin[0, 0] += 100
            frame = Frame.from_counts(kelvin, LinearRadiometry(scale_k=0.01), 0, time_s, 0.0)
        else:
            frame = Frame.from_counts(counts, RelativeCounts("a test"), 0, time_s, 0.0)
        labels = face_labels(frame.celsius.shape) if masked else None
        rois = find_rois(labels) if labels is not None else None
        confidence = np.ones(frame.celsius.shape, np.float32)
        if unsure:
            confidence[30:40, 16:30] = 0.3
        return PictureContent(
            frame,
            labels,
            None if rois is None else rois.masks,
            face,
            others,
            confidence,
            {name: sample_of(name, mean) for name, mean in (means or {}).items()},
            behind_s,
        )

    return make


def face_labels(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A nose, eyes and a mouth in a chin, and brows above."""
    labels = np.zeros(shape, np.uint8)
    labels[16:40, 16:48] = Region.CHIN
    labels[20:30, 26:38] = Region.NOSE
    labels[17:19, 20:27] = labels[17:19, 37:44] = Region.EYES
    labels[12:15, 20:27] = labels[12:15, 37:44] = Region.EYEBROWS
    labels[33:36, 26:38] = Region.MOUTH
    return labels


def sample_of(region: str, mean_c: float, reason: str = "") -> RoiSample:
    """A valid sample, or one with a reason."""
    return RoiSample(region, 0.0, 50, mean_c, mean_c, mean_c, 0.1, not reason, reason)
