"""What is measured in the regions of a face, and whether it may be trusted."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.face_geometry import MIN_PIXELS, Box, FaceRois, RoiMask, find_rois_of
from thermoseg.frames import Frame, FrameFlag
from thermoseg.inference.segmenter import Segmentation
from thermoseg.labelled_faces import LabelledFaces
from thermoseg.labels import FACE_NAMES, NOSTRIL_LEFT, NOSTRIL_RIGHT, NOSTRILS, ROI_NAMES, Region
from thermoseg.measured_face import NO_FACES, FaceFollower

Celsius: TypeAlias = NDArray[np.float32]

NO_TEMPERATURES: Final = "no temperatures"
"""The camera gives relative counts."""
SHUTTER: Final = "shutter"
"""The shutter is closed, or was so recently that temperatures may step."""
DUPLICATE: Final = "duplicate"
"""The same picture as the one before."""
DAMAGED: Final = "damaged frame"
TOO_SMALL: Final = "too small"
"""Fewer than `MIN_PIXELS`, or a nose too narrow to tell its nostrils apart."""
LOST: Final = "lost"
"""The region is not in the picture, and what was held is older than `HOLD_S`."""
ANOTHER_FACE: Final = "another face"
"""From this frame on another face is measured; one sample that keeps the two traces apart."""
COVERED: Final = "faces overlap"
"""Another face lies over the one that is measured, and its pixels cannot be told apart."""
IMPLAUSIBLE: Final = "implausible temperature"
"""Skin cannot have this temperature: something is in front of it."""
MOTION: Final = "motion"
"""The face moves too fast for the picture to be sharp and the mask to sit."""
HELD: Final = "held"
"""Valid, but measured under the last mask, moved along with the face."""

PLAUSIBLE_C: Final = (20.0, 42.0)
"""Coldest and hottest mean that living facial skin is believed to have, °C."""
COLDER_K: Final = 7.0
"""A region may be this much colder than the warm skin of the same face; glasses are 8 K."""
COLDER_NOSE_K: Final = 10.0
"""The same for nose and nostrils: noses 3.6 K below the cheek were measured indoors, and stress
takes another 3-6 K."""
WARMER_K: Final = 3.0
"""A region may be this much warmer; the parts of a face at rest differ by less than 2 K."""
CONTRAST_K: Final = 3.0
"""Largest standard deviation within a region: a tenth covered at room temperature exceeds it."""
FLAT_K: Final = 0.002
FLAT_PIXELS: Final = 30
"""A patch of this many pixels flatter than `FLAT_K` is clipped or painted over, not skin."""
JUMP_K: Final = 2.5
"""Largest distance from the region's own median of the last `JUMP_MEMORY_S`, both relative to the
face; the skin around a nostril swings 1 K at most."""
JUMP_MEMORY_S: Final = 5.0
JUMP_EVERY_S: Final = 0.1
"""Interval of the temperatures in that memory."""

HOLD_S: Final = 1.0
"""A lost mask is moved along with the face for at most this long."""
TRACK_SIZE_PX: Final = 72
"""The tracked patch is scaled down to this size, which bounds the time it takes."""
TRACK_SCORE: Final = 0.6
"""Lowest normalised correlation at which a patch counts as found again."""
MOTION_WIDTHS: Final = 0.25
"""Displacement within `MOTION_S` that counts as motion, in nose widths."""
MOTION_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class RoiSample:
    """What one region showed in one frame.  Absent: 0 pixels, NaN, not valid, with the reason."""

    region: str
    """One of `ROI_NAMES`, or the name of a drawn ROI."""
    time_s: float
    """`Frame.time_s`."""
    pixels: int
    mean_c: float
    min_c: float
    max_c: float
    sd_k: float
    """Standard deviation over the pixels, kelvin."""
    valid: bool
    """Whether the mean may be taken for the skin's temperature."""
    reason: str
    """Why not, one of this module's constants; `HELD` if valid under a held mask, else empty."""


@dataclass(frozen=True, slots=True)
class RegionStatistics:
    """Pixels and temperatures of one region; NaN where there are no pixels."""

    pixels: int
    mean_c: float
    min_c: float
    max_c: float
    sd_k: float


ABSENT: Final = RegionStatistics(0, np.nan, np.nan, np.nan, np.nan)


class RoiMeter:
    """Measures one face of each frame; remembers what it needs to judge the next.

    For one stream of frames, used by one thread.
    """

    def __init__(self, follower: FaceFollower | None = None) -> None:
        """Begin without a face.

        Parameters
        ----------
        follower
            Decides who is measured; one of its own if None, for which nobody can choose a face.
        """
        self._follower = follower or FaceFollower()
        self.faces = NO_FACES
        """The faces of the last frame, and which one is measured."""
        self._seen: dict[str, _Seen] = {}
        self._nose_before: tuple[float, float, float] | None = None
        self._levels: dict[str, deque[tuple[float, float]]] = {}
        self.rois: FaceRois | None = None
        """The masks under which the last frame was measured, for drawing; None if none."""

    def measure(self, frame: Frame, segmentation: Segmentation) -> tuple[RoiSample, ...]:
        """Measure every region of `ROI_NAMES` in `frame`, in that order.

        Raises
        ------
        ValueError
            If frame and labels differ in shape.
        """
        if frame.celsius.shape != segmentation.labels.shape:
            raise ValueError(
                f"the frame is {frame.celsius.shape} but its labels are {segmentation.labels.shape}"
            )
        problem = frame_problem(frame)
        found = self._find(segmentation.labels, frame.time_s)
        if self.faces.change or self.faces.covered:
            problem = problem or (ANOTHER_FACE if self.faces.change else COVERED)
        self.rois, held = (found, frozenset[str]()) if problem else self._hold(frame, found)
        moves = not problem and self._moves(frame)
        statistics = _measure_masks(frame.celsius, self.rois)
        warm_c = _warm_skin(statistics)
        samples = []
        for name in ROI_NAMES:
            reason = problem or self._region_problem(name, frame.time_s, statistics[name], warm_c)
            reason = reason or (MOTION if moves else "")
            valid = not reason
            if valid and name in held:
                reason = HELD
            samples.append(sample_of(name, frame, statistics[name], valid, reason))
        return tuple(samples)

    def _find(self, labels: NDArray[np.uint8], time_s: float) -> FaceRois | None:
        """Find the regions of the face that is measured, and forget those of another one."""
        labelled = LabelledFaces(labels)
        self.faces = self._follower.follow(labelled, time_s)
        if self.faces.change:
            self._seen, self._levels, self._nose_before = {}, {}, None
        if self.faces.part is None:
            return None
        return find_rois_of((labels.shape[0], labels.shape[1]), *labelled.cut(self.faces.part))

    def _hold(self, frame: Frame, found: FaceRois | None) -> tuple[FaceRois | None, frozenset[str]]:
        """Add to what was found the masks that were lost less than `HOLD_S` ago.

        Returns
        -------
        All masks, and the names of those that were not found in this frame but held.
        """
        # The network loses a region for single frames (a blink of the mask, a hand that passes)
        # while the face hardly moves.  Each lost mask is then taken from the frame where it was
        # last found and shifted by as much as the face has moved since.  Only that frame's
        # picture is compared with this one, never the frame before: shifts that are added up
        # frame by frame drift.  Masks last found in the same frame share one shift, as template
        # matching costs more than all the rest.  Age is counted on the frames' clock, so after a
        # gap or a restart (a negative age) nothing is held.
        self._seen = {
            name: seen
            for name, seen in self._seen.items()
            if 0 <= frame.time_s - seen.frame.time_s <= HOLD_S
        }
        masks = {} if found is None else dict(found.masks)
        too_small = frozenset[str]() if found is None else found.too_small
        missing = [name for name in self._seen if name not in masks and name not in too_small]
        if found is not None:
            self._seen |= {name: _Seen(frame, found, mask) for name, mask in masks.items()}
        shifts: dict[int, tuple[int, int] | None] = {}
        held: dict[str, RoiMask] = {}
        for name in missing:
            seen = self._seen[name]
            if seen.frame.index not in shifts:
                shifts[seen.frame.index] = _track(seen.frame.celsius, frame.celsius, seen.rois.box)
            shift = shifts[seen.frame.index]
            mask = None if shift is None else seen.mask.moved(*shift, frame.celsius.shape)
            if mask is not None:
                held[name] = mask
        if not held:
            return found, frozenset()
        model = found or self._seen[next(iter(held))].rois
        width_px = model.nose_width_px
        if not np.isfinite(width_px):
            width_px = self._seen[next(iter(held))].rois.nose_width_px
        whole = FaceRois(model.shape, model.box, masks | held, model.axis, width_px, too_small)
        return whole, frozenset(held)

    def _moves(self, frame: Frame) -> bool:
        """Tell whether the nose has moved too far since the last frame for a sharp picture."""
        nose = None if self.rois is None else self.rois.masks.get(Region.NOSE.label)
        if self.rois is None or nose is None:
            self._nose_before = None
            return False
        row, column = nose.centre()
        before, self._nose_before = self._nose_before, (frame.time_s, row, column)
        if before is None or not np.isfinite(self.rois.nose_width_px):
            return False
        elapsed_s = frame.time_s - before[0]
        limit_px = MOTION_WIDTHS * self.rois.nose_width_px * max(1.0, elapsed_s / MOTION_S)
        return float(np.hypot(row - before[1], column - before[2])) > limit_px

    def _region_problem(
        self, name: str, time_s: float, found: RegionStatistics, warm_c: float
    ) -> str:
        if found.pixels < MIN_PIXELS:
            too_small = self.rois is not None and name in self.rois.too_small
            return TOO_SMALL if found.pixels or too_small else LOST
        relative_k = found.mean_c - warm_c
        if not _is_skin(name, found, relative_k) or self._jumps(name, time_s, relative_k):
            return IMPLAUSIBLE
        levels = self._levels[name]
        if not levels or time_s - levels[-1][0] >= JUMP_EVERY_S:
            levels.append((time_s, relative_k))
        return ""

    def _jumps(self, name: str, time_s: float, relative_k: float) -> bool:
        """Notice something that came in front of a region, at about the skin's temperature.

        Only accepted samples are remembered, so after `JUMP_MEMORY_S` without one the new level
        is taken for another face, or another season.
        """
        levels = self._levels.setdefault(name, deque())
        while levels and not 0 <= time_s - levels[0][0] <= JUMP_MEMORY_S:
            levels.popleft()
        if not levels:
            return False
        usual_k = float(np.median([level for _, level in levels]))
        return abs(relative_k - usual_k) > JUMP_K


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Frame and mask in which a region was last found."""

    frame: Frame
    rois: FaceRois
    mask: RoiMask


def statistics_of(values: NDArray[np.float32]) -> RegionStatistics:
    """Return the statistics of the finite ones of `values`, (n,), °C."""
    finite = np.isfinite(values)
    if not finite.all():
        values = values[finite]
    if values.size == 0:
        return ABSENT
    return RegionStatistics(
        values.size,
        float(values.mean(dtype=np.float64)),
        float(values.min()),
        float(values.max()),
        float(values.std(dtype=np.float64)),
    )


def _measure_masks(celsius: Celsius, rois: FaceRois | None) -> dict[str, RegionStatistics]:
    if rois is None:
        return dict.fromkeys(ROI_NAMES, ABSENT)
    return {
        name: statistics_of(rois.masks[name].values(celsius)) if name in rois.masks else ABSENT
        for name in ROI_NAMES
    }


def frame_problem(frame: Frame) -> str:
    """Return why nothing of a frame can be trusted; empty if it can."""
    if not frame.radiometric:
        return NO_TEMPERATURES
    if frame.flags & (FrameFlag.SHUTTER | FrameFlag.AFTER_SHUTTER):
        return SHUTTER
    if frame.flags & FrameFlag.DUPLICATE:
        return DUPLICATE
    if frame.flags & FrameFlag.DAMAGED:
        return DAMAGED
    return ""


def _warm_skin(statistics: Mapping[str, RegionStatistics]) -> float:
    """Return the temperature of the face's warm skin, °C; NaN without a face.

    The second warmest region: skin is warmer than hair, glasses, masks and cold noses, and one
    region may be hotter than skin because something hot is before it.
    """
    means = sorted(
        statistics[name].mean_c for name in FACE_NAMES if statistics[name].pixels >= MIN_PIXELS
    )
    if not means:
        return float("nan")
    return means[-2] if len(means) > 2 else means[-1]


def _is_skin(name: str, found: RegionStatistics, relative_k: float) -> bool:
    """Tell skin from what covers it, as far as level and contrast can.

    A hand or a mask within a few kelvin of the skin passes; its coming is noticed as a jump.
    """
    coldest_c, hottest_c = PLAUSIBLE_C
    nasal = name in (Region.NOSE.label, NOSTRILS, NOSTRIL_RIGHT, NOSTRIL_LEFT)
    colder_k = COLDER_NOSE_K if nasal else COLDER_K
    flat = found.sd_k < FLAT_K and found.pixels >= FLAT_PIXELS
    return (
        coldest_c <= found.mean_c <= hottest_c
        and -colder_k <= relative_k <= WARMER_K
        and found.sd_k <= CONTRAST_K
        and not flat
    )


def sample_of(
    name: str, frame: Frame, found: RegionStatistics, valid: bool, reason: str
) -> RoiSample:
    """Return the sample of a region; without °C only its pixels are told."""
    if not frame.radiometric:
        found = RegionStatistics(found.pixels, np.nan, np.nan, np.nan, np.nan)
    return RoiSample(
        name,
        frame.time_s,
        found.pixels,
        found.mean_c,
        found.min_c,
        found.max_c,
        found.sd_k,
        valid,
        reason,
    )


def _track(before: Celsius, now: Celsius, box: Box) -> tuple[int, int] | None:
    """Find the face that lay in `box` of the frame `before` in the frame `now`.

    Returns
    -------
    Pixels moved down and to the right, or None if nothing there looks the same.
    """
    # Normalised cross-correlation of the old face with a window a quarter larger on each side, so
    # up to that far it is found again.  Subtracting the mean of both (CCOEFF) makes it blind to a
    # common step of all temperatures, such as a shutter event brings.  Both are shrunk first, which
    # bounds the cost; the peak is then located between pixels by the parabola through it and its
    # neighbours, or shifts would come in steps of `step` pixels.  A flat patch matches anything.
    rows, columns = box
    reach_rows, reach_columns = (rows.stop - rows.start) // 4, (columns.stop - columns.start) // 4
    top, left = max(rows.start - reach_rows, 0), max(columns.start - reach_columns, 0)
    patch = np.nan_to_num(before[box])
    around = np.nan_to_num(now[top : rows.stop + reach_rows, left : columns.stop + reach_columns])
    step = max(1.0, max(patch.shape) / TRACK_SIZE_PX)
    small_patch, small_around = _shrink(patch, step), _shrink(around, step)
    if min(small_patch.shape) < 3 or small_patch.std() < FLAT_K:
        return None
    scores = cv2.matchTemplate(small_around, small_patch, cv2.TM_CCOEFF_NORMED)
    _, score, _, (column, row) = cv2.minMaxLoc(scores)
    if not score >= TRACK_SCORE:
        return None
    down = step * (row + _vertex(scores[:, column], row)) - (rows.start - top)
    right = step * (column + _vertex(scores[row], column)) - (columns.start - left)
    return round(down), round(right)


def _shrink(picture: Celsius, step: float) -> Celsius:
    size = (max(1, round(picture.shape[1] / step)), max(1, round(picture.shape[0] / step)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _vertex(scores: NDArray[Any], best: int) -> float:
    """Return how far the top of the parabola through three scores lies from the middle one."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    before, top, after = (float(score) for score in scores[best - 1 : best + 2])
    bend = before - 2 * top + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
