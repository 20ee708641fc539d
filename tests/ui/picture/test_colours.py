"""Each region can be told from skin in each palette, and from the other regions.

The colour difference is computed here by CIEDE2000 as published (Sharma, Wu, Dalal, 2005), and
checked against the pairs of that paper.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from thermoseg.labels import COLOURS, DERIVED_COLOURS, DRAWN_COLOUR, FACE_REGIONS, NOSTRILS
from thermoseg.palettes import ALARM, PALETTES, colours_of
from ui.picture.picture_item import dim

Array = NDArray[np.float64]

LEAST = 20.0
"""CIEDE2000 from which a line is told from what it lies on at a glance."""
LEAST_APART = 18.0

SKIN = slice(102, 231)
"""Rows of a palette that skin has: the face's span reaches one of its widths below the face and a
third above it, so that skin lies between 0.43 and 0.87 of the colours."""

SHARMA = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
    ((50.0, -0.001, 2.49), (50.0, 0.0011, -2.49), 4.7461),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((50.0, 2.5, 0.0), (56.0, -27.0, -3.0), 31.9030),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]
"""CIELAB pairs and their difference, from table 1 of the paper."""

COLOUR_OF = {
    **{region.label: COLOURS[region] for region in FACE_REGIONS},
    **{name: colour for name, colour in DERIVED_COLOURS.items() if name != NOSTRILS},
    "drawn": DRAWN_COLOUR,
}


def to_lab(rgb: object) -> Array:
    """sRGB, 0-255, to CIELAB with white D65 (IEC 61966-2-1, CIE 15)."""
    share = np.asarray(rgb, float) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.0890])
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def ciede2000(first: object, second: object) -> Array:
    """Difference of CIELAB colours, equations 2-22 of the paper."""
    l1, a1, b1 = np.moveaxis(np.asarray(first, float), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(second, float), -1, 0)
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(chroma**7 / (chroma**7 + 25.0**7)))
    c1, c2 = np.hypot((1 + g) * a1, b1), np.hypot((1 + g) * a2, b2)
    h1 = np.degrees(np.arctan2(b1, (1 + g) * a1)) % 360
    h2 = np.degrees(np.arctan2(b2, (1 + g) * a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180
    turn = np.where(c1 * c2 == 0, 0, turn)
    d_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    hue = np.where(c1 * c2 == 0, h1 + h2, (h1 + turn / 2) % 360)
    light, c_mean = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    s_l = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * t
    rotation = -2 * np.sqrt(c_mean**7 / (c_mean**7 + 25.0**7))
    rotation = rotation * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    d_l, d_c, d_h = (l2 - l1) / s_l, (c2 - c1) / s_c, d_hue / s_h
    return np.asarray(np.sqrt(d_l**2 + d_c**2 + d_h**2 + rotation * d_c * d_h))


@pytest.mark.parametrize(("first", "second", "difference"), SHARMA)
def test_the_measure_is_that_of_the_paper(first: object, second: object, difference: float) -> None:
    assert ciede2000(first, second) == pytest.approx(difference, abs=1e-4)
    assert ciede2000(second, first) == pytest.approx(difference, abs=1e-4)


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("region", COLOUR_OF)
def test_an_outline_is_told_from_skin(region: str, palette: str) -> None:
    skin = colours_of(palette)[SKIN]

    assert ciede2000(to_lab(COLOUR_OF[region]), to_lab(skin)).min() >= LEAST


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("region", COLOUR_OF)
def test_also_where_the_picture_is_dimmed(region: str, palette: str) -> None:
    skin = dim(colours_of(palette)[SKIN])

    assert ciede2000(to_lab(COLOUR_OF[region]), to_lab(skin)).min() >= LEAST


def test_regions_are_told_from_each_other() -> None:
    names = [name for name in COLOUR_OF if name != "drawn"]
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            apart = ciede2000(to_lab(COLOUR_OF[name]), to_lab(COLOUR_OF[other]))
            assert apart >= LEAST_APART, (name, other)


@pytest.mark.parametrize("palette", PALETTES)
def test_the_isotherm_is_no_colour_of_a_palette(palette: str) -> None:
    assert ciede2000(to_lab(ALARM), to_lab(colours_of(palette))).min() >= LEAST
