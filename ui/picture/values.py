"""The numbers beside the picture: of each region its mean, or why it has none."""

from collections.abc import Sequence

import numpy as np

from thermoseg.drawn_rois import DrawnRoi
from thermoseg.rois import RoiSample
from ui.picture.content import PictureContent
from ui.picture.drawn import mean_inside
from ui.picture.legend import NOTHING, Said
from ui.picture.units import Unit


def say_values(content: PictureContent, drawn: Sequence[DrawnRoi], unit: Unit) -> dict[str, Said]:
    """Word the values of a moment.

    Parameters
    ----------
    drawn
        Regions that the user has drawn; those that were not measured with the frame are measured
        here.

    Returns
    -------
    By name of region, its value or `NOTHING`, and the reason.
    """
    said = {name: say_sample(sample, unit) for name, sample in content.samples.items()}
    for roi in drawn:
        if roi.name not in said:
            mean = mean_inside(content.frame.celsius, roi)
            said[roi.name] = (unit.text(mean, symbol=False) if np.isfinite(mean) else NOTHING, "")
    return said


def say_sample(sample: RoiSample, unit: Unit) -> Said:
    """Word one sample."""
    if not sample.valid or not np.isfinite(sample.mean_c):
        return NOTHING, sample.reason
    return unit.text(sample.mean_c, symbol=False), sample.reason
