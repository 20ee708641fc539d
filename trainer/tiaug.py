"""TiAug: a thermal picture from a laboratory turned into one from anywhere.

Thermal image augmentation of Joshi et al., BMVC 2022, §3.2: I_aug = f_occ(I_org, g(θ)) + η (eq. 4),
with the ranges of θ from the paper's Figure 2, plus the geometric transformations it names.  All
of it works on °C and comes before normalisation.  Random parameters are drawn apart from where they
are applied: training draws, sliders set, tests replay.

Where the paper and its released code differ, or leave something open:

=============  ==============================  ========================  ===========================
Parameter      Paper                           Code                      Here
=============  ==============================  ========================  ===========================
size           about 1-40 % of the face area   mean radius 10-25 px      as the paper; the area is
                                                                         that of what is painted
irregularity   0-10 %                          0-100 %                   as the paper
spikiness      0-50 %                          0-100 %                   as the paper
vertices       2-30                            2-9, then 2-99            as the paper
position       whole image                     10-90 % of a side         as the paper
noise in       not named                       even, ±NETD/2             that of η, which comes last
the object                                                               and covers objects too
η              0 < η < 0.1 °C                  even, ±NETD/2             as the code: min-max
                                                                         normalisation takes the
                                                                         constant away
resize         0.5-2                           0.5-2, aspect 0.9-1.1     even in the logarithm, so
                                                                         half as often as twice
border         not named                       not named                 edge goes on, or one
                                                                         temperature between the
                                                                         picture's extremes
=============  ==============================  ========================  ===========================

Temperatures are even from Min - (Max - Min) to Max + (Max - Min) of the picture in both, so a third
of the objects is colder than everything in it and a third is hotter.  The order here is geometry,
objects, blur, noise: lenses blur objects and sensors add noise last, as eq. (4) does.
"""

from dataclasses import dataclass
from math import cos, pi, radians, sin, sqrt
from typing import Annotated, Final, TypeVar

import cv2
import numpy as np
from annotated_types import Unit
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from trainer.metrics import NO_LABEL

Pair = TypeVar("Pair", tuple[float, float], tuple[int, int])

DEFAULT_SHAPE: Final = (256, 320)
"""Height and width of what comes out, pixels: the paper's."""

FACELESS_FRACTION: Final = 0.15
"""Share of the picture taken as face area when it shows no face, so that objects have a size."""

THINNEST_AREA: Final = 0.2
"""Least area of an outline with mean radius 1 (a disc has π) that is scaled to the full size."""

SUBPIXEL_BITS: Final = 4
"""Fractional bits of polygon corners; OpenCV then draws to a sixteenth of a pixel."""


def _ascending(pair: Pair) -> Pair:
    if pair[0] > pair[1]:
        raise ValueError(f"the first value must not exceed the second, got {pair}; swap them")
    return pair


@dataclass(frozen=True, slots=True)
class _IsProbability:
    """Marks a setting as the probability of a step, which is left out at 0."""


Probability = Annotated[float, Field(ge=0, le=1), _IsProbability()]
Share = Annotated[float, Field(ge=0, le=1)]


class TiAugConfig(BaseModel):
    """Probability and range of every parameter of TiAug.

    The defaults are the paper's, or its code's where the paper says nothing, but for `hard_border`,
    `line_thickness` and `same_temperature`, which neither names, `shift`, which neither does, and
    what the table at the head of this module says is done otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    horizontal_flip: Probability = 0.5
    """Probability of left and right swapped."""
    vertical_flip: Probability = 0.5
    """Probability of top and bottom swapped."""
    rotate: Probability = 1.0
    """Probability of a rotation."""
    rotation_deg: Annotated[
        tuple[
            Annotated[float, Field(ge=-180, le=180)],
            Annotated[float, Field(ge=-180, le=180)],
        ],
        AfterValidator(_ascending),
        Unit("°"),
    ] = (-180.0, 180.0)
    """Angle, degrees, counter-clockwise."""
    resize: Probability = 1.0
    """Probability of another size and aspect."""
    scale: Annotated[
        tuple[Annotated[float, Field(ge=0.1, le=10)], Annotated[float, Field(ge=0.1, le=10)]],
        AfterValidator(_ascending),
    ] = (0.5, 2.0)
    """Size of the content against the picture; drawn evenly in its logarithm."""
    aspect: Annotated[
        tuple[Annotated[float, Field(ge=0.5, le=2)], Annotated[float, Field(ge=0.5, le=2)]],
        AfterValidator(_ascending),
    ] = (0.9, 1.1)
    """Height of the content against its width, relative to before."""
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest move of the crop off the centre, fraction of the output's height and width."""
    hard_border: Probability = 0.5
    """Probability that what lies outside the picture has one temperature instead of the edge's."""

    occlude: Probability = 0.5
    """Probability of synthetic objects."""
    configurations: tuple[Share, Share, Share] = (0.34, 0.33, 0.33)
    """Shares of one object, two anywhere, and two that touch; only their ratio counts."""
    same_temperature: Probability = 0.5
    """Probability that the second object is as warm as the first."""
    size: Annotated[tuple[Share, Share], AfterValidator(_ascending)] = (0.01, 0.40)
    """Area of an object as a fraction of the face area."""
    irregularity: Annotated[tuple[Share, Share], AfterValidator(_ascending)] = (0.0, 0.10)
    """How unevenly the corners lie around the object, fraction of the even step."""
    spikiness: Annotated[tuple[Share, Share], AfterValidator(_ascending)] = (0.0, 0.50)
    """How much the corners' distances from the centre vary, fraction of the mean distance."""
    vertices: Annotated[
        tuple[Annotated[int, Field(ge=2, le=100)], Annotated[int, Field(ge=2, le=100)]],
        AfterValidator(_ascending),
    ] = (2, 30)
    """Corners of an object; 2 make a thick line."""
    line_thickness: Annotated[tuple[Share, Share], AfterValidator(_ascending)] = (0.05, 0.35)
    """Thickness of such a line as a fraction of its length."""
    temperature: Annotated[
        tuple[Annotated[float, Field(ge=-5, le=5)], Annotated[float, Field(ge=-5, le=5)]],
        AfterValidator(_ascending),
    ] = (-1.0, 2.0)
    """How warm an object is: 0 is the picture's minimum, 1 its maximum; the paper exceeds both."""
    position: Annotated[tuple[Share, Share], AfterValidator(_ascending)] = (0.0, 1.0)
    """Where the centre of an object may lie, fraction of height and width."""

    noise: Probability = 0.5
    """Probability of thermal noise."""
    netd_k: Annotated[
        tuple[Annotated[float, Field(ge=0, le=5)], Annotated[float, Field(ge=0, le=5)]],
        AfterValidator(_ascending),
        Unit("K"),
    ] = (0.0, 0.1)
    """Noise-equivalent temperature difference: width of the even noise, kelvin."""

    blur: Probability = 0.5
    """Probability of a Gaussian blur."""
    blur_sigma_px: Annotated[
        tuple[Annotated[float, Field(ge=0.1, le=10)], Annotated[float, Field(ge=0.1, le=10)]],
        AfterValidator(_ascending),
        Unit("px"),
    ] = (1.0, 1.2)
    """Standard deviation of the blur, pixels."""


def without_randomness(model: type[TiAugConfig] = TiAugConfig) -> TiAugConfig:
    """Return settings with which TiAug only brings a picture to its size.

    Every setting that is a `Probability` is 0, whichever there are, and nothing is moved.

    Parameters
    ----------
    model
        Whose settings they are.
    """
    never = {
        name: 0.0
        for name, setting in model.model_fields.items()
        if any(isinstance(mark, _IsProbability) for mark in setting.metadata)
    }
    return model.model_validate({**never, "shift": 0.0})


@dataclass(frozen=True, slots=True)
class Occluder:
    """One synthetic object, in units that fit any picture."""

    row: float
    """Centre, fraction of the height."""
    column: float
    """Centre, fraction of the width."""
    area: float
    """Share of the face area."""
    temperature: float
    """0 is the picture's minimum, 1 its maximum."""
    corners: tuple[tuple[float, float], ...]
    """(angle in radians, distance in mean radii) of each corner; two make a thick line."""
    thickness: float
    """Thickness of the line as a fraction of its length; unused with more than two corners."""
    touches_previous: bool
    """The centre lies on the previous object's first corner instead of at (row, column)."""


@dataclass(frozen=True, slots=True)
class TiAugParams:
    """The random parameters of one picture, as `TiAug.draw` draws them."""

    flip_horizontally: bool
    flip_vertically: bool
    rotation_deg: float
    scale: float
    aspect: float
    shift_row: float
    """Share of the height."""
    shift_column: float
    """Share of the width."""
    border: float | None
    """Temperature outside the picture, 0 its minimum, 1 its maximum; None continues the edge."""
    occluders: tuple[Occluder, ...]
    netd_k: float
    """Width of the even noise, kelvin; 0 for none."""
    noise_seed: int
    blur_sigma_px: float
    """Standard deviation, pixels; 0 for none."""


class TiAug:
    """Occluding objects, thermal noise and geometry, in the paper's ranges.

    Labels follow the geometry and nothing else: an occluded region keeps its label, so that a
    network learns to see through.

    Examples
    --------
    >>> celsius = np.full((256, 320), 24, np.float32)
    >>> celsius[64:192, 96:224] = 34
    >>> labels = (celsius > 30).astype(np.uint8)
    >>> warm, mask = TiAug(TiAugConfig())(celsius, labels, np.random.default_rng(1))
    >>> warm.shape, mask.shape, warm.dtype
    ((256, 320), (256, 320), dtype('float32'))
    """

    def __init__(self, config: TiAugConfig, shape: tuple[int, int] = DEFAULT_SHAPE) -> None:
        """Prepare.

        Parameters
        ----------
        config
            Probabilities and ranges.
        shape
            Height and width of the pictures that come out, pixels.

        Raises
        ------
        ValueError
            If a side has no pixel.
        """
        if min(shape) < 1:
            raise ValueError(f"shape must be (height, width) of at least a pixel, got {shape}")
        self.config = config
        self.shape = shape

    def __call__(
        self,
        celsius: NDArray[np.float32],
        labels: NDArray[np.integer | np.bool_],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Draw and apply; the arguments are those of `apply`."""
        return self.apply(celsius, labels, self.draw(rng))

    def draw(self, rng: np.random.Generator) -> TiAugParams:
        """Choose every parameter; which numbers are taken from `rng` depends on no picture."""
        config = self.config
        scale = aspect = 1.0
        if rng.random() < config.resize:
            low, high = config.scale
            scale = float(low * (high / low) ** rng.random())
            aspect = float(rng.uniform(*config.aspect))
        return TiAugParams(
            flip_horizontally=bool(rng.random() < config.horizontal_flip),
            flip_vertically=bool(rng.random() < config.vertical_flip),
            rotation_deg=(
                float(rng.uniform(*config.rotation_deg)) if rng.random() < config.rotate else 0.0
            ),
            scale=scale,
            aspect=aspect,
            shift_row=float(rng.uniform(-config.shift, config.shift)),
            shift_column=float(rng.uniform(-config.shift, config.shift)),
            border=float(rng.random()) if rng.random() < config.hard_border else None,
            occluders=self._draw_occluders(rng) if rng.random() < config.occlude else (),
            netd_k=float(rng.uniform(*config.netd_k)) if rng.random() < config.noise else 0.0,
            noise_seed=int(rng.integers(2**63)),
            blur_sigma_px=(
                float(rng.uniform(*config.blur_sigma_px)) if rng.random() < config.blur else 0.0
            ),
        )

    def apply(
        self,
        celsius: NDArray[np.float32],
        labels: NDArray[np.integer | np.bool_],
        params: TiAugParams,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Transform a picture and its labels.

        Parameters
        ----------
        celsius
            (height, width), °C, of any size; left untouched.  NaN stays, and spreads to what is
            interpolated from it.
        labels
            (height, width), same as `celsius`; 255 marks pixels without a label.  Of any integer
            type, or boolean.

        Returns
        -------
        The picture in °C and its labels, both of `shape`.

        Raises
        ------
        ValueError
            If the shapes differ, or there is no pixel.
        """
        if celsius.shape != labels.shape or celsius.ndim != 2 or celsius.size == 0:
            raise ValueError(
                f"picture and labels must have pixels and the same two-dimensional shape, "
                f"got {celsius.shape} and {labels.shape}"
            )
        # In the order of a camera: objects stand in the scene, the optics blur face and objects
        # alike, and noise arises behind the optics.  NETD is the full width of an even distribution
        # here, as in the paper's code.
        warped, mask = self._warp(celsius, labels, params)
        if params.occluders:
            _paint_occluders(warped, mask, params.occluders)
        if params.blur_sigma_px > 0:
            size = 2 * max(1, round(2 * params.blur_sigma_px)) + 1
            warped = np.asarray(
                cv2.GaussianBlur(warped, (size, size), params.blur_sigma_px), np.float32
            )
        if params.netd_k > 0:
            noise = np.random.Generator(np.random.SFC64(params.noise_seed)).random(
                warped.shape, dtype=np.float32
            )
            noise -= np.float32(0.5)
            noise *= np.float32(params.netd_k)
            warped += noise
        return warped, mask

    def _draw_occluders(self, rng: np.random.Generator) -> tuple[Occluder, ...]:
        config = self.config
        weights = np.asarray(config.configurations, np.float64)
        if not weights.any():
            return ()
        kind = int(rng.choice(3, p=weights / weights.sum()))
        first = self._draw_occluder(rng, float(rng.uniform(*config.temperature)), touches=False)
        if kind == 0:
            return (first,)
        same = rng.random() < config.same_temperature
        own = float(rng.uniform(*config.temperature))
        second = self._draw_occluder(rng, first.temperature if same else own, touches=kind == 2)
        return (first, second)

    def _draw_occluder(
        self, rng: np.random.Generator, temperature: float, *, touches: bool
    ) -> Occluder:
        # A polygon around a centre: `count` corners at ascending angles, whose steps differ by the
        # irregularity and are scaled to make one turn, at distances that are normal around 1 with
        # the spikiness as standard deviation.  Distances are cut at 0 and 2, or the outline would
        # cross itself or reach to anywhere; `_paint_occluders` scales all of it to the area.
        config = self.config
        count = int(rng.integers(config.vertices[0], config.vertices[1], endpoint=True))
        irregularity = rng.uniform(*config.irregularity)
        spikiness = rng.uniform(*config.spikiness)
        steps = 1 + rng.uniform(-irregularity, irregularity, count)
        angles = rng.uniform(0, 2 * pi) + np.cumsum(steps) * (2 * pi / steps.sum())
        radii = np.clip(rng.normal(1.0, spikiness, count), 0.0, 2.0)
        return Occluder(
            row=float(rng.uniform(*config.position)),
            column=float(rng.uniform(*config.position)),
            area=float(rng.uniform(*config.size)),
            temperature=temperature,
            corners=tuple(zip(angles.tolist(), radii.tolist(), strict=True)),
            thickness=float(rng.uniform(*config.line_thickness)),
            touches_previous=touches,
        )

    def _warp(
        self,
        celsius: NDArray[np.float32],
        labels: NDArray[np.integer | np.bool_],
        params: TiAugParams,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Flip, rotate, scale and crop in one interpolation."""
        height, width = celsius.shape
        out_height, out_width = self.shape
        # `fit` brings the whole picture into the output with its own aspect; scale and aspect come
        # on top.  The 2x3 matrix maps (x, y) of the input to the output, y downwards, so a
        # counter-clockwise turn by t has sin(t) in its upper right.  Its last column lets the
        # centres of both pictures coincide, measured between pixel centres, hence the -1.
        fit = min(out_height / height, out_width / width)
        stretch_x = params.scale * fit / sqrt(params.aspect)
        stretch_y = params.scale * fit * sqrt(params.aspect)
        if params.flip_horizontally:
            stretch_x = -stretch_x
        if params.flip_vertically:
            stretch_y = -stretch_y
        turn = radians(params.rotation_deg)
        matrix = np.array(
            [
                [cos(turn) * stretch_x, sin(turn) * stretch_y, 0.0],
                [-sin(turn) * stretch_x, cos(turn) * stretch_y, 0.0],
            ]
        )
        centre_in = np.array([(width - 1) / 2, (height - 1) / 2])
        centre_out = np.array(
            [
                (out_width - 1) / 2 + params.shift_column * out_width,
                (out_height - 1) / 2 + params.shift_row * out_height,
            ]
        )
        matrix[:, 2] = centre_out - matrix[:, :2] @ centre_in

        mode, fill = cv2.BORDER_REPLICATE, 0.0
        if params.border is not None:
            low, high, _, _ = cv2.minMaxLoc(celsius)
            mode, fill = cv2.BORDER_CONSTANT, low + params.border * (high - low)
        size = (out_width, out_height)
        # Labels are not averaged: between two regions a mean would be a third one.
        picture, placed = _shrink(np.asarray(celsius, np.float32), matrix)
        warped = cv2.warpAffine(
            picture, placed, size, flags=cv2.INTER_LINEAR, borderMode=mode, borderValue=fill
        )
        mask = cv2.warpAffine(np.asarray(labels, np.uint8), matrix, size, flags=cv2.INTER_NEAREST)
        return np.asarray(warped, np.float32), np.asarray(mask, np.uint8)


def _shrink(
    celsius: NDArray[np.float32], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Average pixels that share one of the output, as `thermoseg.preprocess.cut` does.

    Bilinear interpolation looks at four pixels and would drop all others, so that large pictures
    came out with more noise and thinner lines than those that the trained network will see.

    Returns
    -------
    The picture, smaller by a whole factor if `matrix` makes it so much smaller, and the matrix
    that maps it to where `matrix` maps `celsius`.
    """
    # Only a whole factor is averaged, by the axis that shrinks least; the rest is left to the warp.
    # Pixel i of the smaller picture covers `step` pixels around step·i + (step - 1) / 2; without
    # that half pixel the picture would move against its labels, which are not shrunk.
    factor = int(1 / np.linalg.norm(matrix[:, :2], axis=0).max())
    if factor < 2:
        return celsius, matrix
    height, width = celsius.shape
    sides = max(1, width // factor), max(1, height // factor)
    small = np.asarray(cv2.resize(celsius, sides, interpolation=cv2.INTER_AREA), np.float32)
    step = np.array([width, height]) / sides
    shifted = matrix[:, 2] + matrix[:, :2] @ (step - 1) / 2
    return small, np.column_stack([matrix[:, :2] * step, shifted])


def _paint_occluders(
    celsius: NDArray[np.float32], labels: NDArray[np.uint8], occluders: tuple[Occluder, ...]
) -> None:
    """Replace pixels of `celsius` (height, width), in place, by objects of one temperature."""
    # The extremes are taken before the first object, which must not widen the range of the second;
    # the face is every labelled pixel after the warp.  A polygon is scaled by the root of wanted
    # over own area; THINNEST_AREA keeps a sliver from growing to the length of the picture.  The
    # first corner is remembered for an object that has to touch the one before.
    height, width = celsius.shape
    low, high, _, _ = cv2.minMaxLoc(celsius)
    face = cv2.inRange(labels, 1, NO_LABEL - 1)
    face_px = cv2.countNonZero(face) or FACELESS_FRACTION * height * width
    corner = (0.0, 0.0)
    for occluder in occluders:
        x, y = occluder.column * width, occluder.row * height
        if occluder.touches_previous:
            x, y = corner
        area_px = occluder.area * face_px
        fill = low + occluder.temperature * (high - low)
        shape = _outline(occluder)
        points = shape * sqrt(area_px / max(_polygon_area(shape), THINNEST_AREA)) + (x, y)
        corner = (float(points[0, 0]), float(points[0, 1]))
        cv2.fillPoly(
            celsius,
            [np.round(points * (1 << SUBPIXEL_BITS)).astype(np.int32)],
            fill,
            cv2.LINE_8,
            SUBPIXEL_BITS,
        )


def _outline(occluder: Occluder) -> NDArray[np.float64]:
    """Return the corners (n, 2), x and y around (0, 0), of an object of any size."""
    # Two corners or fewer are a line: a rectangle along the first direction, `thickness` of its
    # length wide, never 0, or it could not be scaled to an area.
    polar = np.asarray(occluder.corners, np.float64)
    directions = np.column_stack([np.cos(polar[:, 0]), np.sin(polar[:, 0])])
    if len(polar) > 2:
        return np.asarray(polar[:, 1:] * directions, np.float64)
    along = directions[0]
    across = max(occluder.thickness, 1e-3) * np.array([-along[1], along[0]])
    return np.array([along - across, along + across, across - along, -along - across])


def _polygon_area(points: NDArray[np.float64]) -> float:
    """Return the area inside corners (n, 2), by Gauss's shoelace formula."""
    x, y = points.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
