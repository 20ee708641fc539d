"""What is written as a picture comes back, and what cannot be written is an error."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from thermoseg.image_file import write_image


def test_labels_come_back_bit_for_bit_even_from_a_view(tmp_path: Path) -> None:
    labels = np.arange(240, dtype=np.uint8).reshape(12, 20)
    write_image(tmp_path / "labels.png", labels[:, ::-1])

    read = cv2.imread(str(tmp_path / "labels.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read, labels[:, ::-1])


@pytest.mark.parametrize("place", ["missing/labels.png", "folder.png"])
def test_a_place_that_cannot_be_written_is_an_error_that_names_it(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "folder.png").mkdir()

    with pytest.raises(OSError, match=Path(place).name) as caught:
        write_image(tmp_path / place, np.zeros((4, 5), np.uint8))
    assert caught.value.filename is not None


def test_a_picture_too_wide_for_its_format_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too large") as caught:
        write_image(tmp_path / "wide.jpg", np.zeros((1, 70_000), np.uint8))
    assert caught.value.filename == str(tmp_path / "wide.jpg")
    assert not (tmp_path / "wide.jpg").exists()
