from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from thermoseg.errors import FormatError
from trainer.thermal_pictures import read_labels, read_picture

CELSIUS = np.linspace(20, 35, 48, dtype=np.float32).reshape(6, 8)
COUNTS = np.arange(29000, 29048, dtype=np.uint16).reshape(6, 8)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_fractions_are_degrees(tmp_path: Path, dtype: type) -> None:
    np.save(tmp_path / "a.npy", CELSIUS.astype(dtype))
    tifffile.imwrite(tmp_path / "a.tif", CELSIUS.astype(dtype))

    for name in ("a.npy", "a.tif"):
        picture = read_picture(tmp_path / name, scale_k=0.01, offset_c=-273.15)
        assert picture.dtype == np.float32
        assert np.allclose(picture, CELSIUS, atol=0.02)


def test_whole_numbers_are_counts_until_their_scale_is_given(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", COUNTS)
    tifffile.imwrite(tmp_path / "a.tif", COUNTS)
    cv2.imwrite(str(tmp_path / "a.png"), COUNTS)

    for name in ("a.npy", "a.tif", "a.png"):
        path = tmp_path / name
        assert read_picture(path)[0, 1] == 29001
        assert read_picture(path, 0.01, -273.15)[0, 1] == pytest.approx(16.86, abs=1e-4)


def test_a_palette_is_undone(tmp_path: Path) -> None:
    warmth = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    cv2.imwrite(str(tmp_path / "a.png"), cv2.applyColorMap(warmth, cv2.COLORMAP_INFERNO))
    cv2.imwrite(str(tmp_path / "b.png"), warmth)

    assert np.abs(read_picture(tmp_path / "a.png") - warmth).max() <= 4
    assert np.array_equal(read_picture(tmp_path / "b.png"), warmth)


def test_a_radiometric_file_gives_its_counts_or_degrees(test_data: Path) -> None:
    path = test_data / "cameras" / "example_radiometric.tiff"

    assert read_picture(path).max() == 7077
    celsius = read_picture(path, 0.04, -273.15)
    assert (celsius.min(), celsius.max()) == pytest.approx((-3.43, 9.93), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("torn.png", b"\x89PNG\r\n\x1a\n"),
        ("torn.jpg", b"\xff\xd8\xff"),
        ("torn.tif", b"II*\0"),
        ("empty.npy", b""),
        ("torn.npy", b"\x93NUMPY"),
        ("pickle.npy", b"\x80\x04N."),
        ("text.tif", b"no picture at all"),
        ("missing.npy", None),
        ("missing.png", None),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(FormatError) as caught:
        read_picture(tmp_path / name)

    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    "array", [np.zeros((2, 3, 4)), np.zeros(5), np.zeros((0, 4)), np.array([["a"]])]
)
def test_only_a_matrix_of_numbers_is_a_picture(tmp_path: Path, array: NDArray[np.generic]) -> None:
    np.save(tmp_path / "a.npy", array)

    with pytest.raises(FormatError, match="no single picture"):
        read_picture(tmp_path / "a.npy")


def test_a_matrix_that_claims_too_much_takes_no_memory(tmp_path: Path) -> None:
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (999999, 999999), }\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)

    with pytest.raises(FormatError, match=r"a\.npy: cannot be read"):
        read_picture(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "a.png"])
def test_there_is_a_limit_to_pixels(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.thermal_pictures.MAX_PIXELS", 47)
    np.save(tmp_path / "a.npy", CELSIUS)
    tifffile.imwrite(tmp_path / "a.tif", CELSIUS)
    cv2.imwrite(str(tmp_path / "a.png"), COUNTS)

    with pytest.raises(FormatError, match="8×6 pixels, too many"):
        read_picture(tmp_path / name)


def test_labels_are_grey_values_or_palette_indices(tmp_path: Path) -> None:
    labels = np.arange(48, dtype=np.uint8).reshape(6, 8) % 6
    Image.fromarray(labels).save(tmp_path / "grey.png")
    indexed = Image.fromarray(labels).convert("P")
    indexed.putdata(labels.ravel().tolist())
    indexed.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9, 200, 200, 200])
    indexed.save(tmp_path / "indexed.png")
    cv2.imwrite(str(tmp_path / "deep.png"), labels.astype(np.uint16))

    for name in ("grey.png", "indexed.png", "deep.png"):
        found = read_labels(tmp_path / name, (6, 8))
        assert found.dtype == np.uint8
        assert np.array_equal(found, labels)


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((6, 8), 6, np.uint8)).save(path)
    with pytest.raises(FormatError, match=r"holds the one label 6; they must be 0-5"):
        read_labels(path, (6, 8))
    with pytest.raises(FormatError, match=r"is 8×6 and its picture 6×8"):
        read_labels(path, (8, 6))
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(path)
    with pytest.raises(FormatError, match="colour picture"):
        read_labels(path, (6, 8))
