"""What cameras, viewers and file formats do to a thermal picture before we get it.

Not part of the paper.  TiAug changes the scene; this changes the picture: automatic gain control,
tone curves, inverted palettes, clipping, detail enhancement, low resolution, stripes, vignettes,
8-bit files and the glyphs that viewers write on top.  A network that is to work on pictures
without temperatures, and on cameras it has never been told about, must not depend on any of it.

All monotone steps are folded into one table lookup, so the whole chain costs about as much as
TiAug.  Values that come out keep the span of those that went in, but no longer mean °C.
"""

from dataclasses import dataclass
from typing import Annotated, Final

import cv2
import numpy as np
from annotated_types import Unit
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from trainer.tiaug import Probability

LEVELS: Final = 4096
"""Steps of the tone table: finer than any noise that is left after normalisation."""

GLYPHS: Final = "0123456789.C-+:/ABEFLIRMaxin%"
"""Characters that thermal viewers write onto pictures."""


class DegradationConfig(BaseModel):
    """Probability and greatest strength of each change; `[contrast]` of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    drift: Probability = 0.35
    """Probability of a slow change of temperature across the picture, vignette included."""
    drift_strength: Annotated[float, Field(ge=0, le=1)] = 0.35
    """Greatest drift, fraction of the picture's span."""
    patches: Probability = 0.25
    """Probability of rectangles with a contrast and level of their own."""
    coarse: Probability = 0.30
    """Probability of a camera with few pixels."""
    coarse_width_px: Annotated[int, Field(ge=20, le=1000), Unit("px")] = 80
    """Fewest columns of such a camera; the most are twice as many."""
    stripes: Probability = 0.25
    """Probability of row and column stripes."""
    stripes_strength: Annotated[float, Field(ge=0, le=1)] = 0.06
    """Greatest standard deviation of the stripes, fraction of the span."""
    grain: Probability = 0.40
    """Probability of white noise beyond that of a good camera."""
    grain_strength: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Greatest standard deviation of the noise, fraction of the span."""
    halo: Probability = 0.25
    """Probability of sharpening as by digital detail enhancement."""
    halo_strength: Annotated[float, Field(ge=0, le=10)] = 2.5
    """Greatest strength of the sharpening, as a multiple of the detail that is there."""
    smooth: Probability = 0.20
    """Probability of a median or an edge-keeping blur."""
    equalise: Probability = 0.25
    """Probability of histogram equalisation, plain or with a plateau."""
    local_equalise: Probability = 0.15
    """Probability of contrast-limited adaptive equalisation."""
    clip: Probability = 0.30
    """Probability of a cold end, a hot end or both cut off."""
    clip_share: Annotated[float, Field(ge=0, le=0.5)] = 0.35
    """Largest fraction of the pixels that is cut off at the cold end; a third of it at the hot."""
    tone: Probability = 0.50
    """Probability of a curve: gamma, sigmoid or a chain of lines."""
    invert: Probability = 0.25
    """Probability of hot shown dark."""
    quantise: Probability = 0.30
    """Probability of 8 bits or fewer."""
    compress: Probability = 0.15
    """Probability of JPEG."""
    overlay: Probability = 0.15
    """Probability of glyphs, crosses and bars on top."""


@dataclass(frozen=True, slots=True)
class DegradationParams:
    """The random parameters of a picture; None and empty mean that a step is left out."""

    seed: int
    """Seeds everything that has the picture's size: noise, stripes, fields, places."""
    drift: float
    patches: int
    coarse: float
    """Columns as a multiple of the coarsest; 0 for none."""
    coarse_mode: int
    stripes_rows: float
    stripes_columns: float
    grain: float
    halo: float
    halo_sigma_px: float
    smooth: int
    """0 none, 1 median, 2 bilateral."""
    plateau: float | None
    """Highest bin counted, in mean bin heights; infinite is plain equalisation."""
    local_equalise: float
    """Clip limit; 0 for none."""
    clip: tuple[float, float]
    """Share cut off at the cold and at the hot end."""
    curve: tuple[float, ...]
    """Output at evenly spaced inputs, ascending from 0 to 1; empty for none."""
    invert: bool
    levels: int
    """Grey levels kept; 0 for all."""
    jpeg_quality: int
    """0 for none."""
    overlay: int
    """Number of things drawn on top."""


class Degradation:
    """Changes of contrast and picture quality; labels are left alone."""

    def __init__(self, config: DegradationConfig) -> None:
        self.config = config

    def __call__(
        self, celsius: NDArray[np.float32], labels: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Draw and apply; the arguments are those of `apply`."""
        return self.apply(celsius, labels, self.draw(rng))

    def draw(self, rng: np.random.Generator) -> DegradationParams:
        """Choose the steps and their strengths."""
        config = self.config

        def happens(probability: float) -> bool:
            return bool(rng.random() < probability)

        stripes = happens(config.stripes)
        clip = (0.0, 0.0)
        if happens(config.clip):
            cold = rng.random() ** 2 * config.clip_share if happens(0.7) else 0.0
            hot = rng.random() ** 2 * config.clip_share / 3 if happens(0.5) else 0.0
            clip = (float(cold), float(hot))
        plateau = None
        if happens(config.equalise):
            plateau = float("inf") if happens(0.4) else float(10 ** rng.uniform(0, 1.3))
        return DegradationParams(
            seed=int(rng.integers(2**63)),
            drift=float(rng.uniform(0, config.drift_strength)) if happens(config.drift) else 0.0,
            patches=int(rng.integers(1, 5)) if happens(config.patches) else 0,
            coarse=float(rng.uniform(1, 2)) if happens(config.coarse) else 0.0,
            coarse_mode=int(rng.integers(3)),
            stripes_rows=float(rng.random() ** 2 * config.stripes_strength) if stripes else 0.0,
            stripes_columns=float(rng.random() ** 2 * config.stripes_strength) if stripes else 0.0,
            grain=float(rng.random() ** 2 * config.grain_strength)
            if happens(config.grain)
            else 0.0,
            halo=float(rng.uniform(0.3, config.halo_strength)) if happens(config.halo) else 0.0,
            halo_sigma_px=float(10 ** rng.uniform(0, 1)),
            smooth=int(rng.integers(1, 3)) if happens(config.smooth) else 0,
            plateau=plateau,
            local_equalise=(
                float(10 ** rng.uniform(0, 0.8)) if happens(config.local_equalise) else 0.0
            ),
            clip=clip,
            curve=_draw_curve(rng) if happens(config.tone) else (),
            invert=happens(config.invert),
            levels=int(rng.choice((256, 256, 128, 64, 32))) if happens(config.quantise) else 0,
            jpeg_quality=int(rng.integers(25, 96)) if happens(config.compress) else 0,
            overlay=int(rng.integers(1, 7)) if happens(config.overlay) else 0,
        )

    def apply(
        self, celsius: NDArray[np.float32], labels: NDArray[np.uint8], params: DegradationParams
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Change a picture.

        Parameters
        ----------
        celsius
            (height, width), °C, finite; left untouched.
        labels
            (height, width); handed through.

        Returns
        -------
        The picture with the span it had, and the same labels.
        """
        # All steps work on 0-1, so that strengths are fractions of the picture's own span;
        # afterwards it gets that span back, and °C stay plausible for what follows.  Steps draw
        # their large random fields from `params.seed`, which keeps parameters small and a replay
        # exact.
        low, high, _, _ = cv2.minMaxLoc(celsius)
        span = high - low
        if span <= 0:
            return celsius, labels
        rng = np.random.Generator(np.random.SFC64(params.seed))
        unit = (celsius - np.float32(low)) * np.float32(1 / span)
        unit = _apply_scene(unit, params, rng)
        unit = _apply_camera(unit, params, rng, self.config.coarse_width_px)
        unit = _apply_viewer(unit, params, rng)
        unit *= np.float32(span)
        unit += np.float32(low)
        return unit, labels


def _draw_curve(rng: np.random.Generator) -> tuple[float, ...]:
    """Draw a monotone tone curve as its values at 17 evenly spaced inputs."""
    # Ascending by construction: a power, a sigmoid, or the sum of steps that are gamma distributed
    # with shape 0.6, many near 0 and few large, which makes plateaus and cliffs.  All are stretched
    # to lead from 0 to 1, so a curve changes contrast and never the span.
    inputs = np.linspace(0, 1, 17)
    kind = int(rng.integers(3))
    if kind == 0:
        values = inputs ** float(2 ** rng.uniform(-1.6, 1.6))
    elif kind == 1:
        centre, slope = rng.uniform(0.2, 0.8), 2 ** rng.uniform(1, 4)
        values = np.tanh(slope * (inputs - centre) / 2)
    else:
        steps = rng.gamma(0.6, size=16) + 0.02
        values = np.concatenate(([0.0], np.cumsum(steps)))
    values = (values - values[0]) / (values[-1] - values[0])
    return tuple(values.tolist())


def _apply_scene(
    unit: NDArray[np.float32], params: DegradationParams, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Slow drift and patches on a picture of 0-1."""
    # Drift is a 3×3 field of offsets, enlarged bicubically; in three cases of ten it is mostly the
    # corners against the middle, the shading that a warm housing leaves between two shutter events.
    # A patch scales the contrast of a rectangle around its own mean and lifts it; it is a view, so
    # what it does is done to `unit`.
    height, width = unit.shape
    if params.drift > 0:
        knots = rng.uniform(-1, 1, (3, 3)).astype(np.float32)
        if rng.random() < 0.3:
            corner = np.float32(rng.uniform(-1, 1))
            knots = knots * np.float32(0.3) + corner
            knots[1, 1] -= corner
        field = cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC)
        unit = np.asarray(cv2.scaleAdd(field, params.drift, unit), np.float32)
    for _ in range(params.patches):
        rows = np.sort(rng.integers(0, height, 2))
        columns = np.sort(rng.integers(0, width, 2))
        patch = unit[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1]
        middle = patch.mean()
        gain, level = np.float32(2 ** rng.uniform(-1.2, 1)), np.float32(rng.uniform(-0.15, 0.15))
        patch -= middle
        patch *= gain
        patch += middle + level
    return unit


def _apply_camera(
    unit: NDArray[np.float32],
    params: DegradationParams,
    rng: np.random.Generator,
    coarse_width_px: int,
) -> NDArray[np.float32]:
    """Few pixels, stripes, noise, blur and sharpening."""
    # In the order of the signal: a small detector, its column amplifiers and its noise, then the
    # enlargement to the picture's size, which smears stripes and noise too, and the maker's
    # filters.  Unsharp masking, `unit + halo · (unit - blurred)`, leaves the dark and bright lines
    # along edges that digital detail enhancement is known for.
    height, width = unit.shape
    if params.coarse > 0:
        columns = min(width, round(params.coarse * coarse_width_px))
        size = (columns, max(1, round(height * columns / width)))
        unit = np.asarray(cv2.resize(unit, size, interpolation=cv2.INTER_AREA), np.float32)
    rows, columns = unit.shape
    if params.stripes_rows > 0 or params.stripes_columns > 0:
        unit += np.float32(params.stripes_rows) * rng.standard_normal((rows, 1), np.float32)
        unit += np.float32(params.stripes_columns) * rng.standard_normal((1, columns), np.float32)
    if params.grain > 0:
        # Sum of two even draws: as good as a Gaussian here at a fraction of its cost.
        noise = rng.random((rows, columns), np.float32)
        noise += rng.random((rows, columns), np.float32)
        noise -= 1
        unit = np.asarray(cv2.scaleAdd(noise, 2.45 * params.grain, unit), np.float32)
    if params.coarse > 0:
        mode = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)[params.coarse_mode]
        unit = np.asarray(cv2.resize(unit, (width, height), interpolation=mode), np.float32)
    if params.smooth == 1:
        unit = np.asarray(cv2.medianBlur(unit, 5), np.float32)
    elif params.smooth == 2:
        unit = np.asarray(cv2.bilateralFilter(unit, 5, 0.15, 2.0), np.float32)
    if params.halo > 0:
        soft = _blur_coarsely(unit, params.halo_sigma_px)
        unit = np.asarray(cv2.addWeighted(unit, 1 + params.halo, soft, -params.halo, 0), np.float32)
    return unit


def _blur_coarsely(unit: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """Blur; wide ones are done at a quarter of the size, where they cost a sixteenth."""
    if sigma_px < 3:
        return np.asarray(cv2.GaussianBlur(unit, (0, 0), sigma_px), np.float32)
    height, width = unit.shape
    small = cv2.resize(
        unit, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA
    )
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / 4)
    return np.asarray(cv2.resize(small, (width, height)), np.float32)


def _apply_viewer(
    unit: NDArray[np.float32], params: DegradationParams, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Tone, local equalisation, glyphs and compression."""
    # In the order of a viewer: tone, local contrast, what is written on top, and the compression of
    # all of it.  Tone is one look-up table of LEVELS entries over the picture's own span; CLAHE and
    # JPEG work on bytes, so they quantise as they do in a real viewer.
    if params.plateau or params.curve or params.invert or params.levels or any(params.clip):
        low, high, _, _ = cv2.minMaxLoc(unit)
        scale = (LEVELS - 1) / max(high - low, 1e-6)
        index = ((unit - np.float32(low)) * np.float32(scale)).astype(np.uint16)
        unit = np.take(_tone_table(index, params), index, mode="clip")
    if params.local_equalise > 0:
        grid = int(rng.integers(2, 9))
        equaliser = cv2.createCLAHE(params.local_equalise, (grid, grid))
        unit = equaliser.apply(_to_bytes(unit)).astype(np.float32) * np.float32(1 / 255)
    if params.overlay:
        _draw_overlay(unit, params.overlay, rng)
    if params.jpeg_quality:
        encoded = cv2.imencode(
            ".jpg", _to_bytes(unit), [cv2.IMWRITE_JPEG_QUALITY, params.jpeg_quality]
        )[1]
        decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.float32)
        unit = decoded * np.float32(1 / 255)
    return unit


def _tone_table(index: NDArray[np.uint16], params: DegradationParams) -> NDArray[np.float32]:
    """Fold clipping, equalisation, curve, inversion and quantisation into (LEVELS,) outputs."""
    # Each step maps outputs of the step before, so the order is that of a viewer: the ends of the
    # histogram are cut off, what is left is equalised, and the curve, the inversion and the grey
    # levels follow.  Equalisation is the cumulative histogram, in 256 wide bins or quiet ones would
    # be torn apart, each counted at most `plateau` times the mean (plateau equalisation of thermal
    # cameras; infinite is plain equalisation).
    table: NDArray[np.floating] = np.linspace(0, 1, LEVELS)
    if params.plateau is not None or any(params.clip):
        bins = np.bincount(index.ravel(), minlength=LEVELS).astype(np.float64)
        if any(params.clip):
            below = np.cumsum(bins) / bins.sum()
            first = int(np.searchsorted(below, params.clip[0]))
            last = int(np.searchsorted(below, 1 - params.clip[1]))
            if last > first:
                table = np.clip((np.arange(LEVELS) - first) / (last - first), 0, 1)
                bins[:first] = bins[last + 1 :] = 0
        if params.plateau is not None and bins.any():
            wide = bins.reshape(-1, 16).sum(1)
            wide = np.minimum(wide, params.plateau * wide.mean())
            edges = np.concatenate(([0.0], np.cumsum(wide) / wide.sum()))
            table = np.interp(np.arange(LEVELS) / LEVELS, np.linspace(0, 1, len(edges)), edges)
    if params.curve:
        table = np.interp(table, np.linspace(0, 1, len(params.curve)), params.curve)
    if params.invert:
        table = 1 - table
    if params.levels:
        table = np.round(table * (params.levels - 1)) / (params.levels - 1)
    return table.astype(np.float32)


def _to_bytes(unit: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high, _, _ = cv2.minMaxLoc(unit)
    scale = 255 / max(high - low, 1e-6)
    return np.asarray(
        np.clip((unit - np.float32(low)) * np.float32(scale), 0, 255).astype(np.uint8), np.uint8
    )


def _draw_overlay(unit: NDArray[np.float32], count: int, rng: np.random.Generator) -> None:
    """Draw texts, crosses, frames and bars onto (height, width), in place."""
    height, width = unit.shape
    low, high, _, _ = cv2.minMaxLoc(unit)
    stencil = np.zeros((height, width), np.uint8)
    for _ in range(count):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        value = (low, high)[int(rng.random() < 0.75)]
        thickness = int(rng.integers(1, 3))
        match int(rng.integers(4)):
            case 0:
                letters = [GLYPHS[i] for i in rng.integers(len(GLYPHS), size=rng.integers(2, 9))]
                size = float(rng.uniform(0.3, 1.0))
                stencil[:] = 0
                cv2.putText(
                    stencil,
                    "".join(letters),
                    (x, y),
                    cv2.FONT_HERSHEY_SIMPLEX,
                    size,
                    255,
                    thickness,
                )
                unit[stencil > 127] = value
            case 1:
                cv2.drawMarker(
                    unit, (x, y), value, cv2.MARKER_CROSS, int(rng.integers(6, 40)), thickness
                )
            case 2:
                end = (x + int(rng.integers(5, 90)), y + int(rng.integers(5, 90)))
                cv2.rectangle(unit, (x, y), end, value, thickness)
            case _:
                bar = np.linspace(high, low, height, dtype=np.float32)[:, None]
                breadth = int(rng.integers(4, max(5, width // 16)))
                unit[:, width - breadth :] = bar
