"""A stretch is exported under the numbers, the name and the id of its session."""

import csv
import json
from pathlib import Path

import pytest
import tifffile

from tests.export.hand_made import SESSION_ID, damage, write_session
from thermoseg.errors import ExportError
from thermoseg.export.pixels import export_region
from thermoseg.export.stretch import FrameRange, TimeRange
from thermoseg.export.tables import export_tables
from thermoseg.export.tiff import export_tiff
from thermoseg.export.video import export_video

STRETCH = FrameRange(3, 7)
"""The frames from 0.85 to 3.1 s, with the gap in them."""


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_tables_keep_the_numbers_of_the_session(session: Path, out: Path) -> None:
    export_tables(session, out, stretch=STRETCH)

    frames = read(out / "rest_0.85-3.1s_frames.csv")
    samples = read(out / "rest_0.85-3.1s_samples.csv")
    assert [row["frame"] for row in frames] == ["3", "4", "5", "6"]
    assert [row["frame_index"] for row in frames] == ["13", "14", "34", "35"]
    assert [(row["frame"], row["time_s"]) for row in samples] == [
        ("3", "0.850000"),
        ("3", "0.850000"),
        ("6", "3.100000"),
        ("6", "3.100000"),
    ]


def test_tables_hold_what_lies_in_the_stretch_or_lasts_into_it(session: Path, out: Path) -> None:
    export_tables(session, out, stem="part", stretch=FrameRange(4, 7))
    export_tables(session, out, stem="before", stretch=FrameRange(0, 5))
    export_tables(session, out, stem="end", stretch=TimeRange(3.15, 9))

    def labels(stem: str) -> list[str]:
        return [row["label"] for row in read(out / f"{stem}_markers.csv")]

    assert labels("part") == ['stress, "hard"']
    assert labels("before") == ["baseline", 'stress, "hard"']
    assert labels("end") == ["open"]
    assert [row["text"] for row in read(out / "part_events.csv")] == ["späte Notiz"]
    assert [row["text"] for row in read(out / "before_events.csv")] == ["flat field"]
    gaps = {stem: len(read(out / f"{stem}_gaps.csv")) for stem in ("part", "before", "end")}
    assert gaps == {"part": 1, "before": 0, "end": 0}


def test_the_description_names_the_session_and_the_stretch(session: Path, out: Path) -> None:
    export_tables(session, out, stem="part", stretch=STRETCH)

    described = json.loads((out / "part_session.json").read_text(encoding="utf-8"))
    assert (described["session"], described["session_id"]) == ("rest.h5", SESSION_ID)
    assert described["complete"] is True
    assert described["stretch"] == {
        "first_frame": 3,
        "last_frame": 6,
        "first_s": 0.85,
        "last_s": 3.1,
    }


def test_all_of_a_session_has_no_stretch(session: Path, out: Path) -> None:
    export_tables(session, out)

    assert "stretch" not in json.loads((out / "rest_session.json").read_text(encoding="utf-8"))


def test_pages_and_pixels_keep_the_numbers_of_the_session(session: Path, out: Path) -> None:
    (stack,) = export_tiff(session, out, stretch=STRETCH).paths
    (pixels,) = export_region(session, out, "nose", stretch=STRETCH).paths

    assert stack.name == "rest_0.85-3.1s.tif"
    with tifffile.TiffFile(stack) as file:
        told = [json.loads(page.aspage().description)["frame"] for page in file.pages]
    assert told == [3, 4, 5, 6]
    assert pixels.name == "rest_0.85-3.1s_nose_pixels.csv"
    assert {row["frame"] for row in read(pixels)} == {"3", "6"}


def test_sentences_name_the_session_and_its_frames(session: Path, out: Path) -> None:
    damage(session, "frames/counts", 4)

    for export in (export_tiff, export_video):
        exported = export(session, out, stretch=STRETCH)
        assert exported.notes == (f"“{session}”: 1 frame is damaged and left out (first: 4)",)


@pytest.mark.parametrize(
    ("stretch", "sentence"),
    [
        (FrameRange(7, 8), "no frame of this stretch was segmented; choose another stretch"),
        (FrameRange(6, 9), "has 8 frames, none from 6 to 9"),
        (TimeRange(1.1, 2.9), "has nothing from 1.1 to 2.9 s"),
    ],
)
def test_a_stretch_without_the_region_is_refused(
    session: Path, out: Path, stretch: FrameRange | TimeRange, sentence: str
) -> None:
    with pytest.raises(ExportError, match=sentence) as caught:
        export_region(session, out, "nose", stretch=stretch)
    assert str(session) in str(caught.value)


def test_a_stretch_of_samples_without_frames_is_no_video(tmp_path: Path, out: Path) -> None:
    session = write_session(tmp_path / "rest.h5", frames=range(3))

    with pytest.raises(ExportError, match="has no frame in this stretch; choose another one"):
        export_video(session, out, stretch=TimeRange(2, 4))
