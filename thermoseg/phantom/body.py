"""Everything around the face that is not skin of the head: neck, clothes, long hair, glasses, brim.

Each part is a grid of points in the head frame (or the body's) with its own patch of texture.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from thermoseg.phantom.shape import FloatArray, HeadSurface
from thermoseg.phantom.skin import Canvas, smooth_noise

BODY_HEIGHT: Final = 192
BODY_WIDTH: Final = 512
"""Texels of the neck and clothes."""
_CLOTH_BOTTOM: Final = 8.0
"""Height at which the texture of the clothes ends; below, its last row goes on."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One grid of points with its texture."""

    grid: FloatArray
    """(rows, columns, 3) x, y, z, eye distances."""
    texture: FloatArray
    """(rows, columns, 2) u, v in 0-1 of `celsius`."""
    celsius: FloatArray
    """(height, width) °C."""
    follows_head: bool
    """Whether it turns with the head or stays with the body."""
    shading: float = 1.0
    """Strength with which the rim mirrors the surroundings, 0-1."""
    two_sided: bool = True
    """Whether it is seen from behind too; closed surfaces are not."""


@dataclass(frozen=True, slots=True)
class Clothing:
    """Neck and clothes."""

    cloth_c: float
    neckline: float = 2.5
    """Height where skin ends in front, eye distances below the eyes; 1.7 is a scarf."""
    collar: float = 0.0
    """Outward step of a collar or scarf, eye distances."""
    shoulder: float = 3.0
    """Half width of the shoulders, eye distances."""

    @classmethod
    def draw(cls, rng: np.random.Generator, skin_c: float, room_c: float) -> "Clothing":
        """Choose clothes: between the room and the skin, sometimes as warm as skin."""
        share = rng.uniform(0.05, 0.95)
        return cls(
            cloth_c=float(room_c + share * (skin_c - room_c) + rng.normal(0, 0.5)),
            neckline=float(rng.uniform(1.75, 3.3)),
            collar=float(rng.choice([0.0, rng.uniform(0.02, 0.25)])),
            shoulder=float(rng.uniform(2.5, 3.5)),
        )


def make_torso(
    rng: np.random.Generator, surface: HeadSurface, clothing: Clothing, skin_c: float
) -> Part:
    """Model neck, shoulders and chest down to where no picture of a face reaches."""
    # A stack of superellipses (exponent 2.2), one for each height y, from inside the jaw down;
    # angle 0 is the front, and columns lie denser there.  Width and depth are interpolated between
    # knots: neck, its root, shoulders, chest.  Below the neckline, which dips in front and may be a
    # V, cloth stands off by the collar and settles on the body half an eye distance lower.
    y = np.concatenate([np.linspace(0.6, 2.6, 14), np.linspace(2.75, 8.0, 13), [12.0, 18.0, 26.0]])
    bend = np.linspace(-1, 1, 65)
    angle = np.pi * np.sign(bend) * np.abs(bend) ** 1.2
    stretch = surface.bottom / 2.1
    knots = np.array([0.6, 1.9, 2.4, 2.75, 3.1, 3.6, 4.5, 26.0]) * stretch
    neck = float(rng.uniform(0.72, 0.98))
    s = clothing.shoulder
    width = np.interp(
        y, knots, [neck * 0.85, neck, neck * 1.08, neck * 1.5, s * 0.78, s * 0.96, s, s]
    )
    ahead = np.interp(y, knots, [0.5, 0.62, 0.7, 0.85, 1.0, 1.2, 1.35, 1.4])
    behind = np.interp(y, knots, [0.7, 0.75, 0.85, 1.0, 1.1, 1.2, 1.25, 1.2])
    centre = np.interp(y, knots, [-1.35, -1.3, -1.35, -1.4, -1.45, -1.45, -1.45, -1.45])
    front_line = clothing.neckline * stretch
    v_neck = float(rng.choice([0.0, rng.uniform(0.2, 1.2)]))
    line = front_line + v_neck * np.exp(-((angle / 0.35) ** 2)) - 0.35 * (1 - np.cos(angle)) / 2
    covered = y[:, None] > line[None]
    swell = clothing.collar * covered * np.exp(-((y[:, None] - line[None]) / 0.5))
    n = 2.2
    depth = np.where(np.abs(angle)[None] < np.pi / 2, ahead[:, None], behind[:, None])
    radius = (
        np.abs(np.sin(angle)[None] / width[:, None]) ** n + np.abs(np.cos(angle)[None] / depth) ** n
    ) ** (-1 / n) + swell
    grid = np.stack(
        [
            radius * np.sin(angle)[None],
            np.broadcast_to(y[:, None], radius.shape),
            centre[:, None] + radius * np.cos(angle)[None],
        ],
        axis=-1,
    )
    v = np.clip((y - y[0]) / (_CLOTH_BOTTOM - y[0]), 0, 1)
    texture = np.stack(
        [
            np.broadcast_to((angle / np.pi + 1)[None] / 2, radius.shape),
            np.broadcast_to(v[:, None], radius.shape),
        ],
        axis=-1,
    )
    celsius = _dress(rng, clothing, skin_c, float(y[0]), line, angle)
    return Part(
        grid.astype(np.float32), texture.astype(np.float32), celsius, False, two_sided=False
    )


def _dress(
    rng: np.random.Generator,
    clothing: Clothing,
    skin_c: float,
    top: float,
    line: np.ndarray,
    angle: np.ndarray,
) -> FloatArray:
    # A cylindrical texture of the trunk: rows are heights (y downwards), columns directions from -π
    # to π, 0 in front.  `edge` is the height of the neckline in each direction; above it there is
    # skin with a warm Gaussian stripe at each side of the neck, the large vessels, and below it
    # cloth.  `glow` is heat that escapes at the collar and fades downwards with a length of 0.5 eye
    # distances; its sign draws the cloth towards the temperature of the skin, whichever is warmer.
    height, width = BODY_HEIGHT, BODY_WIDTH
    rows = np.linspace(top, _CLOTH_BOTTOM, height, dtype=np.float32)[:, None]
    columns = (np.arange(width) / width * 2 - 1) * np.pi
    edge = np.interp(columns, angle, line)[None].astype(np.float32)
    skin = skin_c + rng.normal(0.4, 0.8) + 0.3 * smooth_noise(rng, height, width, 8, 14)
    for side in (-1, 1):
        vein = np.exp(-(((columns - side * rng.uniform(0.5, 0.9)) / 0.12) ** 2))
        skin = skin + rng.uniform(0, 0.6) * vein[None]
    folds = smooth_noise(rng, height, width, int(rng.integers(6, 40)), int(rng.integers(6, 30)))
    weave = smooth_noise(rng, height, width, 96, 256)
    warmth = abs(skin_c - clothing.cloth_c)
    cloth = clothing.cloth_c + (0.05 + 0.12 * warmth * rng.random()) * folds + 0.03 * weave
    seam = np.exp(-(((rows - edge) / 0.1) ** 2)) * rng.normal(0, 0.2) * warmth
    glow = 0.5 * warmth * rng.random() * np.exp(-np.maximum(rows - edge, 0) / 0.5)
    cloth = cloth + seam + np.sign(skin_c - clothing.cloth_c) * glow
    mask = np.clip((rows - edge) / 0.06 + 0.5, 0, 1)
    return np.asarray(skin + mask * (cloth - skin), np.float32)


def make_long_hair(rng: np.random.Generator, hair_c: float, thickness: float) -> Part:
    """Model hair that hangs down beside and behind the face."""
    # A curtain around the vertical axis from angle `opening` on one side of the face, behind the
    # head, to the same angle on the other side.  Each height has an ellipse as section, in polar
    # form, of half axes `width` and `depth`; ahead of the axis it is shallower, or hair would stand
    # before the face.
    opening = float(rng.uniform(0.85, 1.45))
    length = float(rng.uniform(1.2, 4.2))
    t = np.linspace(0, 1, 33)
    angle = opening + t * (2 * np.pi - 2 * opening)
    y = np.linspace(-0.9, length, 24)
    knots = np.array([-0.9, 0.0, 1.0, 2.0, 4.5])
    width = np.interp(y, knots, [1.05, 1.22, 1.22, 1.2, 1.4])[:, None] + thickness
    depth = np.interp(y, knots, [1.4, 1.6, 1.5, 1.2, 1.0])[:, None] + thickness
    ahead = np.interp(y, knots, [1.0, 1.0, 0.9, 0.85, 0.9])[:, None]
    depth = np.where(np.cos(angle)[None] > 0, ahead, depth)
    radius = (
        np.abs(np.sin(angle)[None] / width) ** 2 + np.abs(np.cos(angle)[None] / depth) ** 2
    ) ** -0.5
    radius = radius * (1 + 0.03 * rng.standard_normal((1, 33)))
    grid = np.stack(
        [
            radius * np.sin(angle)[None],
            np.broadcast_to(y[:, None], radius.shape),
            -1.25 + radius * np.cos(angle)[None],
        ],
        axis=-1,
    )
    u, v = np.meshgrid(t, np.linspace(0, 1, 24))
    strands = 0.25 * smooth_noise(rng, 96, 256, 8, 120) + 0.25 * smooth_noise(rng, 96, 256, 5, 30)
    celsius = hair_c + float(rng.uniform(0.3, 2.0)) * strands
    return Part(
        grid.astype(np.float32),
        np.stack([u, v], -1).astype(np.float32),
        celsius.astype(np.float32),
        follows_head=True,
    )


def make_hood(rng: np.random.Generator, cloth_c: float) -> Part:
    """Model a hood or head scarf that leaves the face open."""
    # As with long hair, but closed above: over the brow (y < -brow) a row goes all the way around,
    # below it the opening grows with the square root of the way down, which makes it round.  `dome`
    # shrinks the elliptical sections towards the crown like the heights of a sphere.
    opening = float(rng.uniform(0.8, 1.35))
    gap = float(rng.uniform(0.05, 0.35))
    t = np.linspace(0, 1, 37)
    rise = np.linspace(0, 1, 20)[:, None]
    y = -2.0 - gap + (4.4 + gap) * rise
    brow = float(rng.uniform(0.55, 1.0))
    start = np.where(y < -brow, 0.0, opening * np.sqrt(np.clip((y + brow) / 0.5, 0, 1)))
    angle = start + t[None] * (2 * np.pi - 2 * start)
    dome = np.sqrt(np.clip(1 - ((-0.6 - y) / (1.42 + gap)) ** 2, 0.0, 1.0))
    dome = np.where(y > -0.6, 1.0, dome)
    width, ahead, behind = (1.22 + gap) * dome, (1.5 + gap) * dome, (1.75 + gap) * dome
    width = np.where(y > 1.2, width * (1 - 0.12 * (y - 1.2)), width)
    depth = np.where(np.cos(angle) > 0, ahead, behind)
    radius = ((np.sin(angle) / np.maximum(width, 0.02)) ** 2
              + (np.cos(angle) / np.maximum(depth, 0.02)) ** 2) ** -0.5  # fmt: skip
    height = np.broadcast_to(y, radius.shape)
    grid = np.stack([radius * np.sin(angle), height, -1.25 + radius * np.cos(angle)], -1)
    u, v = np.meshgrid(t, rise[:, 0])
    folds = smooth_noise(rng, 64, 128, 6, 12) + 0.5 * smooth_noise(rng, 64, 128, 20, 30)
    celsius = cloth_c + float(rng.uniform(0.1, 0.8)) * folds
    return Part(
        grid.astype(np.float32),
        np.stack([u, v], -1).astype(np.float32),
        celsius.astype(np.float32),
        follows_head=True,
    )


@dataclass(frozen=True, slots=True)
class Glasses:
    """Eyeglasses: opaque to thermal radiation, near room temperature."""

    lens_c: float
    frame_c: float
    half_width: float = 0.42
    half_height: float = 0.3
    frame: float = 0.05
    squareness: float = 3.0
    """Exponent of the superellipse of a lens: 2 round, 5 square."""
    drop: float = 0.06
    """Distance of the lens centre below the eye centre, eye distances."""

    @classmethod
    def draw(cls, rng: np.random.Generator, skin_c: float, room_c: float) -> "Glasses":
        """Choose a pair."""
        share = 0.6 * rng.random() ** 2
        lens = room_c + share * (skin_c - room_c) + rng.normal(0, 0.8)
        return cls(
            lens_c=float(lens),
            frame_c=float(lens + rng.normal(0.3, 1.2)),
            half_width=float(rng.uniform(0.34, 0.5)),
            half_height=float(rng.uniform(0.2, 0.42)),
            frame=float(rng.uniform(0.015, 0.09)),
            squareness=float(rng.uniform(2.0, 5.0)),
            drop=float(rng.uniform(-0.03, 0.14)),
        )


def make_glasses(rng: np.random.Generator, surface: HeadSurface, glasses: Glasses) -> list[Part]:
    """Model lenses, rims, bridge and arms."""
    # Each lens with its rim is a disc of five rings and 29 columns: centre, middle and edge of the
    # glass, then the edge again and the outside of the rim, so that the texture can change there
    # without a slope between (upper half glass, lower half frame).  The outline is a superellipse,
    # round to square; z falls off with x², as frames wrap around the head.  Glass is opaque at
    # 8-14 µm: it hides the eyes and shows a temperature of its own.
    p = surface.points
    parts: list[Part] = []
    turn = np.linspace(0, 2 * np.pi, 29)
    rings = np.array([0.0, 0.5, 1.0, 1.0, 1.0 + glasses.frame / glasses.half_width])
    c, s = np.cos(turn), np.sin(turn)
    n = glasses.squareness
    outline = (np.abs(c) ** n + np.abs(s) ** n) ** (-1 / n)
    front = float(surface.grid[..., 2].max()) * 0.35 + float(rng.uniform(0.0, 0.12))
    wrap = float(rng.uniform(0.05, 0.3))
    shine = glasses.lens_c + 0.4 * rng.random() * smooth_noise(rng, 32, 32, 4, 4)
    shine = shine + rng.normal(0, 0.5) * np.linspace(-1, 1, 32)[:, None]
    patch = np.vstack([shine, np.full((32, 32), glasses.frame_c)]).astype(np.float32)
    u = np.broadcast_to((0.5 + 0.45 * c)[None], (5, 29)) * np.ones((5, 1))
    v_lens = 0.25 + 0.2 * rings[:3, None] * s[None]
    v = np.vstack([v_lens, np.full((2, 29), 0.8)])
    for side in (-1, 1):
        eye = p[36:42].mean(axis=0) if side < 0 else p[42:48].mean(axis=0)
        cx, cy = float(eye[0]) * 1.04, float(eye[1]) + glasses.drop
        x = cx + rings[:, None] * (glasses.half_width * outline * c)[None]
        y = cy + rings[:, None] * (glasses.half_height * outline * s)[None]
        z = front - wrap * x**2
        grid = np.stack([x, y, z], -1).astype(np.float32)
        parts.append(Part(grid, np.stack([u, v], -1).astype(np.float32), patch, True, 0.3))
        outer_x = cx + side * glasses.half_width
        hinge_z = front - wrap * outer_x**2
        thick = max(glasses.frame * 0.8, 0.03)
        arm_x = np.array([outer_x, side * 1.13, side * 1.22, side * 1.2])
        arm_z = np.array([hinge_z, hinge_z - 0.2, -0.7, -1.35])
        arm_y = np.array([cy - 0.08, cy - 0.08, cy - 0.1, cy - 0.02])
        parts.append(_ribbon(arm_x, arm_y, arm_z, thick, glasses.frame_c))
    inner = abs(float(p[39:43:3, 0].mean())) + 0.52 - glasses.half_width
    inner = max(min(inner, 0.2), 0.06)
    bridge_x = np.array([-inner, 0.0, inner])
    bridge_y = np.full(3, float(p[27, 1]) + glasses.drop - 0.05)
    bridge_y[1] -= 0.03
    parts.append(
        _ribbon(
            bridge_x, bridge_y, np.full(3, front + 0.01), max(glasses.frame, 0.03), glasses.frame_c
        )
    )
    return parts


def _ribbon(x: np.ndarray, y: np.ndarray, z: np.ndarray, half: float, celsius: float) -> Part:
    grid = np.stack([np.stack([x, y - half, z], -1), np.stack([x, y + half, z], -1)])
    return Part(
        grid.astype(np.float32),
        np.full((*grid.shape[:2], 2), 0.5, np.float32),
        np.full((4, 4), celsius, np.float32),
        follows_head=True,
        shading=0.3,
    )


def make_brim(rng: np.random.Generator, celsius: float) -> Part:
    """Model the brim of a cap or hat."""
    # Two rows of 33 points: the edge of the cap and the rim.  `around` tells a cap, whose peak
    # fades to nothing at ±1.1 rad, from a hat, whose brim goes all the way around.
    reach = float(rng.uniform(0.5, 1.1))
    y = float(rng.uniform(-0.95, -0.6))
    around = float(rng.choice([1.1, np.pi]))
    angle = np.linspace(-around, around, 33)
    inner = np.stack([1.2 * np.sin(angle), np.full(33, y), -1.25 + 1.45 * np.cos(angle)], -1)
    fade = np.cos(angle / around * np.pi / 2) if around < 3 else np.ones(33)
    grow = 1 + reach * fade / 1.4
    outer = np.stack(
        [1.2 * np.sin(angle) * grow, y + 0.25 * reach * fade, -1.25 + 1.45 * np.cos(angle) * grow],
        -1,
    )
    cloth = Canvas(16, 64)
    cloth.offset_k += celsius + 0.3 * smooth_noise(rng, 16, 64, 4, 12)
    u, v = np.meshgrid(np.linspace(0, 1, 33), [0.0, 1.0])
    return Part(
        np.stack([inner, outer]).astype(np.float32),
        np.stack([u, v], -1).astype(np.float32),
        cloth.offset_k,
        follows_head=True,
    )
