"""Every palette is a table of 256 colours; those for reading temperatures grow lighter."""

import numpy as np
import pytest

from ui.picture.palettes import PALETTES, colours_of

LIGHTNESS = np.array([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("name", PALETTES)
def test_it_has_256_colours(name: str) -> None:
    table = colours_of(name)

    assert table.shape == (256, 3)
    assert table.dtype == np.uint8


@pytest.mark.parametrize("name", ["Iron", "Inferno", "White hot", "Viridis"])
def test_warmer_is_never_darker(name: str) -> None:
    assert np.all(np.diff(colours_of(name) @ LIGHTNESS) > -1.0)


def test_the_ends_of_iron_are_black_and_nearly_white() -> None:
    table = colours_of("Iron")

    assert table[0].tolist() == [0, 0, 10]
    assert table[-1].tolist() == [255, 254, 232]


def test_black_hot_is_white_hot_upside_down() -> None:
    assert colours_of("Black hot")[[0, 255]].tolist() == [[255, 255, 255], [0, 0, 0]]


def test_an_unknown_palette_is_refused() -> None:
    with pytest.raises(ValueError, match="no palette is called 'Rust'"):
        colours_of("Rust")
