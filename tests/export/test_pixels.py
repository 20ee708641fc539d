"""°C of single pixels, compared with counts that stand in the test's session."""

import csv
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.export.hand_made import HEIGHT, WIDTH, damage, write_session
from thermoseg.errors import ExportError, FormatError
from thermoseg.export.pixels import export_frame, export_region
from thermoseg.recording.layout import EVENT, append


def test_a_frame_is_a_matrix_of_the_picture(session: Path, out: Path) -> None:
    (path,) = export_frame(session, out, 4).paths

    matrix = np.loadtxt(path, delimiter=",")
    assert path.name == "rest_frame-000004.csv"
    assert matrix.shape == (HEIGHT, WIDTH)
    assert matrix[0, 0] == 26.85
    assert matrix[2, 3] == 30.85
    assert matrix[12, 15] == 36.85


def test_a_region_is_a_row_for_each_pixel_of_each_segmented_frame(session: Path, out: Path) -> None:
    (path,) = export_region(session, out, "nose").paths

    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert path.name == "rest_nose_pixels.csv"
    assert len(rows) == 3 * 4 * 8
    assert {row["frame"] for row in rows} == {"1", "3", "6"}
    assert {row["time_s"] for row in rows} == {"0.600000", "0.850000", "3.100000"}
    assert {int(row["row"]) for row in rows} == {10, 11, 12, 13}
    assert {int(row["column"]) for row in rows} == set(range(12, 20))
    assert {row["celsius"] for row in rows} == {"36.8500"}


def test_a_region_of_one_frame(session: Path, out: Path) -> None:
    (path,) = export_region(session, out, "nose", frame=3).paths

    assert path.name == "rest_frame-000003_nose_pixels.csv"
    assert len(path.read_text().splitlines()) == 1 + 4 * 8


def test_a_damaged_frame_is_left_out_and_told(session: Path, out: Path) -> None:
    damage(session, "frames/counts", 3)
    exported = export_region(session, out, "nose")

    assert exported.notes == (f"“{session}”: 1 frame is damaged and left out (first: 3)",)
    assert len(exported.paths[0].read_text().splitlines()) == 1 + 2 * 4 * 8


def test_damaged_labels_are_left_out_and_told(session: Path, out: Path) -> None:
    damage(session, "labels/labels", 0)
    exported = export_region(session, out, "nose")

    assert exported.notes == (
        f"“{session}”: 1 picture of labels is damaged and left out (first: 1)",
    )


def test_a_frame_that_is_damaged_is_named_if_it_is_the_only_one_asked_for(
    session: Path, out: Path
) -> None:
    damage(session, "frames/counts", 3)
    with pytest.raises(FormatError, match="frame 3 is damaged"):
        export_frame(session, out, 3)
    assert not out.exists()


@pytest.mark.parametrize(
    ("region", "frame", "sentence"),
    [
        ("forehead", None, "has no region “forehead”; .* chin, mouth, eyes, eyebrows, nose"),
        ("mouth", None, "mouth is not seen there; choose another region or frame"),
        ("nose", 0, "frame 0 was not segmented; choose one"),
        ("nose", 8, "has no frame 8; choose one from 0 to 7"),
        ("nose", -1, "has no frame -1; choose one from 0 to 7"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    session: Path, out: Path, region: str, frame: int | None, sentence: str
) -> None:
    with pytest.raises(ExportError, match=sentence):
        export_region(session, out, region, frame=frame)
    assert not out.exists() or list(out.iterdir()) == []


def test_a_session_without_masks_says_so(tmp_path: Path, out: Path) -> None:
    session = write_session(tmp_path / "bare.h5", segmented=())
    with pytest.raises(ExportError, match=r"bare\.h5” was recorded without masks; segment it"):
        export_region(session, out, "nose")


def test_counts_without_a_scale_are_called_counts(tmp_path: Path, out: Path) -> None:
    relative = {"kind": "relative", "reason": "8-bit picture"}
    session = write_session(tmp_path / "grey.h5", radiometry=relative)
    (path,) = export_region(session, out, "nose", frame=1).paths

    lines = path.read_text().splitlines()
    assert lines[0] == "frame,time_s,row,column,counts"
    assert lines[1] == "1,0.600000,10,12,31000.0000"


def draw(session: Path, *events: str) -> None:
    """Put a drawn ROI of 2 × 3 pixels into the session, and events that tell of its fate."""
    rois = [{"name": "cheek", "outline_px": [[3, 2], [6, 2], [6, 4], [3, 4]]}]
    with h5py.File(session, "r+") as file:
        file.attrs["drawn_rois"] = json.dumps(rois)
        append(file["events"], np.array([(1.0, np.nan, text.encode()) for text in events], EVENT))


def test_a_drawn_region_is_exported_of_every_frame(session: Path, out: Path) -> None:
    draw(session)
    exported = export_region(session, out, "cheek")

    with exported.paths[0].open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 * 2 * 3
    assert {(row["row"], row["column"]) for row in rows} == {
        (str(row), str(column)) for row in (2, 3) for column in (3, 4, 5)
    }
    warm = [row["celsius"] for row in rows if (row["row"], row["column"]) == ("2", "3")]
    assert warm == [f"{26.85 + n:.4f}" for n in range(8)]
    assert exported.notes == ()


def test_a_drawn_region_of_one_frame_needs_no_masks(session: Path, out: Path) -> None:
    draw(session)
    (path,) = export_region(session, out, "cheek", frame=0).paths

    assert len(path.read_text().splitlines()) == 1 + 2 * 3


def test_a_drawn_region_is_where_it_was_moved_to(session: Path, out: Path) -> None:
    draw(session, "ROI “cheek” moved to 7,8 9,8 9,9 7,9")
    exported = export_region(session, out, "cheek")

    with exported.paths[0].open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # Moved at 1 s: frames 0 to 3 came before.
    assert len(rows) == 4 * 6 + 4 * 2
    moved = {(row["row"], row["column"]) for row in rows if int(row["frame"]) > 3}
    assert moved == {("8", "7"), ("8", "8")}
