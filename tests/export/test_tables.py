"""What R, pandas or MATLAB reads is what was recorded."""

import csv
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.export.hand_made import write_session
from thermoseg.errors import FormatError
from thermoseg.export.tables import export_tables


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_samples_have_a_row_for_each_region_and_segmented_frame(session: Path, out: Path) -> None:
    export_tables(session, out)

    rows = read(out / "rest_samples.csv")
    assert [(row["frame"], row["region"]) for row in rows] == [
        (frame, region) for frame in ("1", "3", "6") for region in ("nose", "nostrils")
    ]
    assert rows[0] == {
        "frame": "1",
        "time_s": "0.600000",
        "region": "nose",
        "pixels": "32",
        "mean_c": "34.5000",
        "min_c": "33.2500",
        "max_c": "35.7500",
        "sd_k": "0.5000",
        "valid": "1",
        "reason": "",
        "frame_index": "11",
        "utc": "2023-11-14T22:13:20.850000Z",
    }


def test_an_absent_region_has_empty_cells_and_its_reason(session: Path, out: Path) -> None:
    export_tables(session, out)

    absent = read(out / "rest_samples.csv")[3]
    measured = ("mean_c", "min_c", "max_c", "sd_k")
    assert [absent[name] for name in measured] == ["", "", "", ""]
    assert (absent["pixels"], absent["valid"], absent["reason"]) == ("0", "0", "too small")


def test_frames_have_their_times_numbers_and_a_column_for_each_flag(
    session: Path, out: Path
) -> None:
    export_tables(session, out)

    rows = read(out / "rest_frames.csv")
    assert [row["time_s"] for row in rows[3:6]] == ["0.850000", "1.000000", "3.000000"]
    assert [row["frame_index"] for row in rows[3:6]] == ["13", "14", "34"]
    assert [row["segmented"] for row in rows] == list("01010010")
    assert [row["shutter"] for row in rows] == list("00100000")
    assert [row["gap_before"] for row in rows] == list("00000100")


def test_markers_gaps_and_events_have_files_of_their_own(session: Path, out: Path) -> None:
    export_tables(session, out)

    markers, gaps = read(out / "rest_markers.csv"), read(out / "rest_gaps.csv")
    assert [(row["begin_s"], row["duration_s"], row["label"]) for row in markers] == [
        ("0.550000", "0.200000", "baseline"),
        ("0.900000", "2.200000", 'stress, "hard"'),
        ("3.150000", "", "open"),
    ]
    assert [row["utc"] for row in markers][1:] == ["2023-11-14T22:13:21.150000Z", ""]
    assert gaps == [
        {
            "time_s": "3.000000",
            "duration_s": "2.000000",
            "frames": "19",
            "cause": "camera",
            "index_before": "14",
            "index_after": "34",
        }
    ]
    assert [row["text"] for row in read(out / "rest_events.csv")] == ["flat field", "späte Notiz"]


def test_the_description_names_session_camera_model_and_study(session: Path, out: Path) -> None:
    export_tables(session, out)

    described = json.loads((out / "rest_session.json").read_text(encoding="utf-8"))
    assert described["camera"]["serial"] == "007"
    assert described["model"]["sha256"] == "ab" * 32
    assert described["study"] == {"participant": "sub-07", "age": 33}
    assert described["counts"] == {"captured": 8, "recorded": 8, "dropped": 0, "missed": 19}
    assert described["temperatures"] == "°C"
    assert described["drawn_rois"] == described["scenes"] == []


def test_every_column_name_is_one_word_and_no_row_is_cut(session: Path, out: Path) -> None:
    for path in export_tables(session, out).paths:
        if path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                lines = list(csv.reader(file))
            assert all(name.isidentifier() and name.islower() for name in lines[0])
            assert {len(line) for line in lines} == {len(lines[0])}


def test_counts_without_a_scale_are_not_called_degrees(tmp_path: Path, out: Path) -> None:
    relative = {"kind": "relative", "reason": "8-bit picture"}
    export_tables(write_session(tmp_path / "grey.h5", radiometry=relative), out)

    columns = read(out / "grey_samples.csv")[0]
    assert {"mean_counts", "min_counts", "max_counts", "sd_counts"} <= set(columns)
    assert not [name for name in columns if name.endswith(("_c", "_k"))]


def test_a_session_of_traces_only_gives_its_samples(tmp_path: Path, out: Path) -> None:
    session = write_session(tmp_path / "traces.h5", frames=(), segmented=())
    exported = export_tables(session, out)

    rows = read(out / "traces_samples.csv")
    assert [row["mean_c"] for row in rows if row["region"] == "nose"] == [
        "34.5000",
        "34.2500",
        "34.7500",
    ]
    assert {row["frame"] for row in rows} == {""}
    assert read(out / "traces_frames.csv") == []
    assert exported.notes == ()


def test_an_unfinished_session_has_the_events_of_the_file_beside_it(
    tmp_path: Path, out: Path
) -> None:
    session = write_session(tmp_path / "crashed.h5", complete=False)
    line = json.dumps({"time_s": 0.75, "wall_time": 1.7e9, "text": "shutter"})
    (tmp_path / "crashed.events.jsonl").write_text(line + "\n")
    export_tables(session, out)

    assert [row["text"] for row in read(out / "crashed_events.csv")] == ["shutter"]
    assert len(read(out / "crashed_frames.csv")) == 8
    described = json.loads((out / "crashed_session.json").read_text(encoding="utf-8"))
    assert described["complete"] is False


def test_rows_that_cannot_be_are_left_out_and_told(session: Path, out: Path) -> None:
    with h5py.File(session, "r+") as file:
        rows = file["samples/nose"][:]
        rows["pixels"][1] = -5
        file["samples/nose"][:] = rows
    exported = export_tables(session, out)

    assert len(exported.notes) == 1
    assert "samples/nose: 1 of 3 rows" in exported.notes[0]
    nose = [row["time_s"] for row in read(out / "rest_samples.csv") if row["region"] == "nose"]
    assert nose == ["0.600000", "3.100000"]


def test_progress_reaches_its_end(session: Path, out: Path) -> None:
    from thermoseg.export.job import Watch

    told: list[tuple[int, int]] = []
    export_tables(session, out, watch=Watch(lambda done, total: told.append((done, total))))

    assert told[-1] == (14, 14)  # 6 samples and 8 frames
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_what_is_no_session_is_refused_by_name(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "notes.h5"
    path.write_text("dear diary")
    with pytest.raises(FormatError, match=r"notes\.h5 cannot be opened as a session"):
        export_tables(path, out)
    assert not out.exists()


def test_numpy_reads_the_table_of_frames(session: Path, out: Path) -> None:
    export_tables(session, out)

    table = np.genfromtxt(out / "rest_frames.csv", delimiter=",", names=True, dtype=None)
    assert table["time_s"].tolist() == [0.5, 0.6, 0.7, 0.85, 1.0, 3.0, 3.1, 3.2]
