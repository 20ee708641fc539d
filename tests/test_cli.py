"""The command line as its user meets it: what it writes, prints and returns."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from tests.conftest import WaitFor, without_load
from thermoseg import cli
from thermoseg.cameras import CameraListing
from thermoseg.frames import Frame
from thermoseg.inference.segmenter import Segmentation
from thermoseg.interruption import SIGNALS
from thermoseg.labels import Region
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.reader import Recording

HEIGHT, WIDTH = 40, 50
NOSE = (slice(12, 30), slice(20, 34))


@dataclass
class WarmIsNose:
    """Stands in for a network: whatever is above 30 °C is nose."""

    model_name: str = "warm-is-nose"
    model_sha256: str = "0" * 64
    backend: str = "comparison"
    modes: list[str] = field(default_factory=list)

    def segment(self, frame: Frame) -> Segmentation:
        labels = np.where(frame.celsius > 30, Region.NOSE, Region.BACKGROUND).astype(np.uint8)
        return Segmentation(labels, np.ones(labels.shape, np.float32), frame.index)


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> WarmIsNose:
    chosen = WarmIsNose()

    def choose(_model: str, backend: str = "auto", mode: str = "live") -> WarmIsNose:
        chosen.modes.append(mode)
        return chosen

    monkeypatch.setattr("thermoseg.inference.choose.choose_segmenter", choose)
    return chosen


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THERMOSEG_SETTINGS", str(tmp_path / "no-settings.toml"))


@pytest.fixture(autouse=True)
def _excepthook_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


def write_face(path: Path, nose_c: float = 34.0) -> Path:
    """Save a room at 22 °C with a warm rectangle in it, as a matrix of °C."""
    celsius = np.full((HEIGHT, WIDTH), 22.0, np.float32)
    celsius[NOSE] = nose_c
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.save(file, celsius)
    return path


def read_mask(path: Path) -> np.ndarray:
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert mask is not None, f"{path} is no picture"
    return mask


def read_rows(out: Path) -> list[dict[str, str]]:
    with (out / "regions.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def segment(*arguments: object) -> int:
    return cli.main(["segment", *map(str, arguments)])


def test_a_picture_gives_a_mask_of_its_own_size(segmenter: WarmIsNose, tmp_path: Path) -> None:
    exit_code = segment(write_face(tmp_path / "in" / "face.npy"), "--out", tmp_path / "out")

    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[NOSE] = 5
    mask = read_mask(tmp_path / "out" / "face.png")
    assert exit_code == 0
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, expected)


def test_the_overlay_shows_the_nose_in_its_colour(segmenter: WarmIsNose, tmp_path: Path) -> None:
    segment(write_face(tmp_path / "face.npy"), "--out", tmp_path / "out")

    overlay = read_mask(tmp_path / "out" / "vis" / "face.jpg")
    blue, green, red = overlay[20, 27].astype(int)
    assert overlay.shape == (HEIGHT, WIDTH, 3)
    assert min(blue, red) > green + 20, "the nose is violet"
    assert np.ptp(overlay[2, 2].astype(int)) < 12, "the background keeps its grey"


def test_the_table_tells_the_temperatures_of_every_region(
    segmenter: WarmIsNose, tmp_path: Path
) -> None:
    face = write_face(tmp_path / "face.npy", nose_c=33.5)
    segment(face, "--out", tmp_path / "out")

    rows = {row["region"]: row for row in read_rows(tmp_path / "out")}
    assert set(rows) >= {"chin", "mouth", "eyes", "eyebrows", "nose", "nostrils", "perinasal"}
    assert rows["nose"]["file"] == str(face)
    assert rows["nose"]["frame"] == "0"
    assert rows["nose"]["pixels"] == str(18 * 14)
    assert float(rows["nose"]["mean_c"]) == pytest.approx(33.5, abs=0.02)
    assert rows["mouth"]["pixels"] == "0"
    assert rows["mouth"]["mean_c"] == ""
    assert rows["mouth"]["valid"] == "0"
    assert rows["mouth"]["reason"]


def test_a_folder_of_pictures_keeps_their_names(segmenter: WarmIsNose, tmp_path: Path) -> None:
    for name in ("anna", "bela", "chris"):
        write_face(tmp_path / "in" / f"{name}.npy")
    (tmp_path / "in" / "notes.md").write_text("not a picture")

    assert segment(tmp_path / "in", "--out", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [
        "anna.png",
        "bela.png",
        "chris.png",
    ]


def test_two_inputs_of_one_name_do_not_overwrite_each_other(
    segmenter: WarmIsNose, tmp_path: Path
) -> None:
    cold = write_face(tmp_path / "a" / "face.npy", nose_c=25.0)
    warm = write_face(tmp_path / "b" / "face.npy")
    loud = write_face(tmp_path / "c" / "FACE.npy")

    assert segment(cold, warm, loud, "--out", tmp_path / "out") == 0
    assert read_mask(tmp_path / "out" / "face.png").max() == 0
    assert read_mask(tmp_path / "out" / "face-2.png").max() == 5
    assert read_mask(tmp_path / "out" / "FACE-3.png").max() == 5
    assert {row["file"] for row in read_rows(tmp_path / "out")} == {str(cold), str(warm), str(loud)}


def test_one_bad_file_is_named_and_the_others_are_done(
    segmenter: WarmIsNose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, last = write_face(tmp_path / "first.npy"), write_face(tmp_path / "last.npy")
    bad = tmp_path / "bad.npy"
    bad.write_bytes(first.read_bytes()[:200])

    exit_code = segment(first, bad, last, "--out", tmp_path / "out")

    complaints = capsys.readouterr().err.strip().splitlines()
    assert exit_code == 1
    assert len(complaints) == 1
    assert "bad.npy" in complaints[0]
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"first.png", "last.png"}


def test_inputs_are_never_overwritten(
    segmenter: WarmIsNose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.full((HEIGHT, WIDTH), 90, np.uint8))
    before = photo.read_bytes()

    assert segment(photo, "--out", tmp_path) == 1
    assert photo.read_bytes() == before
    assert "choose another folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a?b&c=d", "50%", "tag#1", "mit leer ä", "a+b", "c:d"])
def test_file_names_may_hold_any_sign(segmenter: WarmIsNose, tmp_path: Path, name: str) -> None:
    assert segment(write_face(tmp_path / f"{name}.npy"), "--out", tmp_path / "out") == 0
    assert read_mask(tmp_path / "out" / f"{name}.png").max() == 5


def test_options_tell_how_files_are_read(segmenter: WarmIsNose, tmp_path: Path) -> None:
    counts = np.full((HEIGHT, WIDTH), 5900, np.uint16)  # 5900 · 0.05 K is 21.85 °C
    counts[NOSE] = 6140  # 33.85 °C
    path = tmp_path / "face.npy"
    np.save(path, counts)

    assert segment(path, "--out", tmp_path / "out", "--option", "scale_k=0.05") == 0
    rows = {row["region"]: row for row in read_rows(tmp_path / "out")}
    assert float(rows["nose"]["mean_c"]) == pytest.approx(33.85, abs=0.01)


def test_an_unknown_option_is_one_sentence(
    segmenter: WarmIsNose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    face = write_face(tmp_path / "face.npy")

    assert segment(face, "--out", tmp_path / "out", "--option", "colour=red") == 1
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert "colour" in complaint


def test_files_are_segmented_at_their_best_unless_haste_is_asked_for(
    segmenter: WarmIsNose, tmp_path: Path
) -> None:
    face = write_face(tmp_path / "face.npy")
    segment(face, "--out", tmp_path / "out")
    segment(face, "--out", tmp_path / "out", "--fast")

    assert segmenter.modes == ["best", "live"]


def test_a_missing_file_is_one_sentence(
    segmenter: WarmIsNose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(tmp_path / "absent.fff", "--out", tmp_path / "out") == 1
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert "absent.fff" in complaint


def test_a_folder_that_cannot_be_made_is_one_sentence(
    segmenter: WarmIsNose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file in the way")

    assert segment(write_face(tmp_path / "face.npy"), "--out", tmp_path / "out") == 1
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert str(tmp_path / "out") in complaint
    assert "check that place" in complaint


def test_what_could_not_be_read_is_counted(
    segmenter: WarmIsNose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    face = write_face(tmp_path / "face.npy")

    assert segment(face, tmp_path / "absent.fff", "--out", tmp_path / "out") == 1
    assert capsys.readouterr().out.startswith("1 frame of 1 of 2 files segmented")
    assert segment(face, "--out", tmp_path / "out") == 0
    assert capsys.readouterr().out.startswith("1 frame of 1 file segmented")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["segment"],
        ["segment", "face.npy"],
        ["record", "simulated:", "--out", "a.h5"],
        ["record", "simulated:", "--out", "a.h5", "--duration", "soon"],
        ["record", "simulated:", "--out", "a.h5", "--duration", "0"],
        ["record", "simulated:", "--out", "a.h5", "--duration", "nan"],
        ["record", "--out", "a.h5", "--duration", "1"],
        ["record", "simulated:", "--duration", "1"],
        ["record", "simulated:", "--out", "a.h5", "--study", "b", "--duration", "1"],
        ["record", "--study", "b", "--field", "age"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)

    complaint = capsys.readouterr().err
    assert ended.value.code == 2
    assert "usage: thermoseg" in complaint
    assert "_positive_seconds" not in complaint


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, segmenter: WarmIsNose) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("thermoseg.discovery.list_cameras", interrupt)

    assert cli.main(["cameras"]) == 130


def test_a_defect_is_a_sentence_and_its_traceback_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("platformdirs.user_log_path", lambda *_, **__: tmp_path)
    try:
        raise ZeroDivisionError("a defect")
    except ZeroDivisionError as error:
        cli._report_defect(type(error), error, error.__traceback__)

    (report,) = tmp_path.glob("defect-*.txt")
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert str(report) in complaint
    assert "ZeroDivisionError: a defect" in report.read_text(encoding="utf-8")


def test_settings_choose_the_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('model = "mine"\nbackend = "torch"\n')
    monkeypatch.setenv("THERMOSEG_SETTINGS", str(settings))
    asked: list[tuple[str, str]] = []

    def choose(model: str, backend: str = "auto", mode: str = "live") -> WarmIsNose:
        asked.append((model, backend))
        return WarmIsNose()

    monkeypatch.setattr("thermoseg.inference.choose.choose_segmenter", choose)
    face = write_face(tmp_path / "face.npy")
    segment(face, "--out", tmp_path / "out")
    segment(face, "--out", tmp_path / "out", "--model", "other")

    assert asked == [("mine", "torch"), ("other", "torch")]


def test_help_comes_within_a_second() -> None:
    def seconds() -> float:
        began = time.monotonic()
        finished = subprocess.run(
            [sys.executable, "-m", "thermoseg", "-h"], capture_output=True, text=True, check=True
        )
        assert "segment" in finished.stdout
        return time.monotonic() - began

    assert min(seconds() for _ in range(3)) < 1, "even the fastest of three was too slow"


def test_a_session_is_recorded_and_accounted_for(
    segmenter: WarmIsNose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.h5"
    exit_code = cli.main(
        [
            *("record", "simulated:?width=80&height=60&rate_hz=30", "--out", str(path)),
            *("--duration", "1", "--json"),
        ]
    )

    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert exit_code == 0
    assert path.exists()
    assert 20 <= counts["captured"] <= 40
    assert counts["recorded"] == counts["captured"]
    assert counts["dropped"] == counts["missed"] == 0
    assert counts["segmented"] + counts["replaced"] <= counts["captured"]
    assert counts["seconds"] == pytest.approx(1, abs=0.5)
    assert counts["latency_p50_ms"] <= counts["latency_p95_ms"]
    assert (counts["model"], counts["backend"]) == ("warm-is-nose", "comparison")


def test_a_recording_ends_with_its_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = cli.main(
        [
            *("record", "simulated:?width=80&height=60&frames=12&realtime=false"),
            *("--out", str(tmp_path / "s.h5"), "--duration", "600", "--model", "none", "--json"),
        ]
    )

    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert exit_code == 0
    assert (counts["captured"], counts["recorded"], counts["dropped"]) == (12, 12, 0)
    assert counts["segmented"] == 0
    assert counts["latency_p50_ms"] is None
    assert (counts["model"], counts["problem"]) == ("", "")


def test_a_full_disk_ends_a_recording_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    always_full = DiskLimits(refuse_bytes=0, stop_bytes=10**18)
    monkeypatch.setattr("thermoseg.recording.recorder.DiskLimits", lambda: always_full)
    exit_code = cli.main(
        [
            *(
                "record",
                "simulated:?width=80&height=60&rate_hz=30",
                "--out",
                str(tmp_path / "s.h5"),
            ),
            *("--duration", "600", "--model", "none", "--json"),
        ]
    )

    told = capsys.readouterr()
    counts = json.loads(told.out.splitlines()[-1])
    assert exit_code == 1
    assert told.err.count("\n") == 1
    assert "full" in told.err or "disk" in told.err
    assert counts["problem"] in told.err
    assert counts["recorded"] + counts["dropped"] == counts["captured"]


def test_a_recording_is_not_overwritten(
    segmenter: WarmIsNose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.h5"
    path.write_bytes(b"precious")

    assert cli.main(["record", "simulated:", "--out", str(path), "--duration", "1"]) == 1
    assert path.read_bytes() == b"precious"
    assert "choose another name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("nonsense", "address"),
        ("polaroid:", "polaroid"),
        ("simulated:?colour=red", "colour"),
        ("file:absent.seq", "absent.seq"),
    ],
)
def test_a_wrong_address_is_one_sentence(
    address: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["record", address, "--out", str(tmp_path / "a.h5"), "--duration", "1"]

    assert cli.main([*arguments, "--model", "none"]) == 1
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert word in complaint
    assert not (tmp_path / "a.h5").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupted_recording_is_whole(
    number: signal.Signals, tmp_path: Path, wait_for: WaitFor
) -> None:
    path = tmp_path / "session.h5"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "thermoseg", "record", "simulated:?width=80&height=60"),
            *("--out", str(path), "--duration", "600", "--model", "none", "--json"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: path.exists() and path.stat().st_size > 20_000, timeout_s=30)
    os.killpg(process.pid, number)
    out, complaints = process.communicate(timeout=30)

    counts = json.loads(out.splitlines()[-1])
    assert process.returncode == 130
    assert without_load(complaints) == ""
    assert counts["interrupted"] is True
    assert counts["recorded"] == counts["captured"] > 0


def test_info_tells_gaps_by_their_cause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "session.h5"
    address = "simulated:?width=80&height=60&rate_hz=20&fault=truncated@0.3s,size@0.6s"
    cli.main(["record", address, "--out", str(path), "--duration", "1.2", "--model", "none"])
    capsys.readouterr()

    assert cli.main(["info", str(path)]) == 0
    (told,) = [row for row in capsys.readouterr().out.splitlines() if row.startswith("gaps ")]
    assert "2 refused" in told


def test_a_session_is_recovered_into_another_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = tmp_path / "session.h5", tmp_path / "elsewhere"
    folder.mkdir()
    address = "simulated:?width=80&height=60&rate_hz=20"
    cli.main(["record", address, "--out", str(path), "--duration", "0.3", "--model", "none"])
    capsys.readouterr()

    assert cli.main(["recover", str(path), "--out", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "session.recovered.h5")


def test_info_tells_format_study_markers_and_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.h5"
    address = "simulated:?width=80&height=60&rate_hz=20"
    cli.main(["record", address, "--out", str(path), "--duration", "0.5", "--model", "none"])
    with h5py.File(path, "r+") as file:
        file.attrs.modify("study", json.dumps({"participant": "sub-07", "age": 31}))
        file.attrs.modify("rate_hz", -1.0)
    capsys.readouterr()

    assert cli.main(["info", str(path)]) == 0
    told = capsys.readouterr()
    rows = dict(line.split(maxsplit=1) for line in told.out.splitlines())
    assert rows["format"] == "1.2"
    assert rows["study"] == "participant sub-07, age 31"
    assert (rows["markers"], rows["problems"]) == ("0", "1")
    assert rows["rate"] == "no clock"
    assert told.err == (
        f"thermoseg: {path}: its rate of -1 Hz cannot be; it is played by the times of its frames\n"
    )


def test_what_recovery_loses_is_said_and_is_exit_code_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.h5"
    address = "simulated:?width=80&height=60&rate_hz=20"
    cli.main(["record", address, "--out", str(path), "--duration", "0.5", "--model", "none"])
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)
    capsys.readouterr()

    for _ in range(2):
        assert cli.main(["recover", str(path)]) == 3
        told = capsys.readouterr()
        assert told.out == f"{tmp_path / 'session.recovered.h5'}\n"
        assert f"thermoseg: {path}: the file is cut off: 1 of its bytes" in told.err


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["-h"])
    assert "3 part of a session is damaged or lost" in " ".join(capsys.readouterr().out.split())


def test_a_session_can_be_looked_at_and_segmented_again(
    segmenter: WarmIsNose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.h5"
    cli.main(
        [
            *("record", "simulated:?width=80&height=60&rate_hz=20", "--out", str(path)),
            *("--duration", "0.5", "--model", "none"),
        ]
    )
    capsys.readouterr()

    assert cli.main(["info", str(path)]) == 0
    assert "80 × 60" in capsys.readouterr().out
    assert segment(path, "--out", tmp_path / "out") == 0
    masks = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert masks[0] == "session_000000.png"
    assert len(masks) == len({row["frame"] for row in read_rows(tmp_path / "out")}) > 3


@pytest.mark.usefixtures("segmenter")
def test_a_damaged_frame_is_named_and_the_others_are_segmented_and_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, copy = tmp_path / "session.h5", tmp_path / "copy.h5"
    record = ["record", "simulated:?width=80&height=60&rate_hz=20", "--duration", "0.5"]
    assert cli.main([*record, "--out", str(path), "--model", "none"]) == 0
    with h5py.File(path, "r+") as file:
        frames = len(file["frames/counts"])
        place = file["frames/counts"].id.get_chunk_info_by_coord((2, 0, 0)).byte_offset
    with path.open("r+b") as bytes_of_file:
        bytes_of_file.seek(place + 40)
        bytes_of_file.write(b"spoilt")
    capsys.readouterr()

    assert segment(path, "--out", tmp_path / "out") == 3

    assert "frame 2 is damaged" in capsys.readouterr().err
    masks = sorted(mask.name for mask in (tmp_path / "out").glob("*.png"))
    kept = [number for number in range(frames) if number != 2]
    assert masks == [f"session_{number:06d}.png" for number in kept]
    assert {int(row["frame"]) for row in read_rows(tmp_path / "out")} == set(kept)

    again = ["record", f"file:{path}?realtime=false", "--out", str(copy), "--duration", "9"]
    cli.main([*again, "--model", "none"])
    with Recording(copy) as recording:
        assert recording.indices.tolist() == kept
        assert [(gap.frames, gap.cause) for gap in recording.gaps] == [(1, "refused")]


def test_info_tells_the_temperatures_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["info", str(write_face(tmp_path / "face.npy", nose_c=35.0))]) == 0

    told = capsys.readouterr().out
    assert f"{WIDTH} × {HEIGHT}" in told
    assert "22.000 least" in told
    assert "35.000 most" in told


def test_cameras_lists_the_simulated_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cameras"]) == 0
    assert "simulated:" in capsys.readouterr().out


def test_a_terminal_obeys_nothing_that_a_camera_calls_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listing = CameraListing("fake:", "A camera\x1b[2J")
    monkeypatch.setattr("thermoseg.discovery.list_cameras", lambda: [listing])

    assert cli.main(["cameras"]) == 0

    told = capsys.readouterr().out
    assert "A camera\\x1b[2J" in told
    assert "\x1b" not in told


def test_cameras_can_be_had_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cameras", "--json"]) == 0

    listings = {listing["address"]: listing for listing in json.loads(capsys.readouterr().out)}
    assert listings["simulated:"]["width"] == 640
    assert listings["simulated:"]["problem"] == ""


def test_cameras_that_come_and_go_are_told_until_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = CameraListing("a:1", "Camera A"), CameraListing("b:2", "Camera B")

    class Watch:
        changes = iter([[one], None, [one, two], [two]])

        def __enter__(self) -> "Watch":
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def next_change(self, _timeout_s: float) -> list[CameraListing] | None:
            try:
                return next(self.changes)
            except StopIteration:
                raise KeyboardInterrupt from None

    monkeypatch.setattr("thermoseg.hotplug.CameraWatch", Watch)

    assert cli.main(["cameras", "--watch"]) == 130
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert told == [
        ["+", "a:1", "Camera", "A"],
        ["+", "b:2", "Camera", "B"],
        ["-", "a:1", "Camera", "A"],
    ]


def test_faults_of_the_camera_are_in_the_account_and_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.h5"
    faults = "unplug@0.8s+0.3s,truncated@0.3s,size@0.4s,corrupt@0.5s,duplicate@0.6s,ffc@2s+0.3s"
    exit_code = cli.main(
        [
            *("record", f"simulated:?width=80&height=60&rate_hz=20&fault={faults}"),
            *("--out", str(path), "--duration", "3.5", "--model", "none", "--json"),
        ]
    )

    captured = capsys.readouterr()
    counts = json.loads(captured.out.splitlines()[-1])
    assert exit_code == 0
    assert counts["temperatures"] == "°C"
    assert " s  lost: the simulated camera was unplugged" in captured.err
    assert captured.err.count("gap of") == 1
    assert (counts["gaps"], counts["reopened"], counts["refused"]) == (1, 1, 2)
    assert 0.3 <= counts["gap_seconds"] < 3
    assert counts["flagged"] >= 4
    assert counts["captured"] == counts["recorded"] + counts["dropped"]
    with Recording(path) as recording:
        assert len(recording) == counts["recorded"]
        assert recording.counts.missed == counts["missed"]
        kinds = [gap.cause for gap in recording.gaps]
        assert kinds.count("lost") == 1
        assert sum(gap.frames for gap in recording.gaps if gap.cause == "refused") == 2
        told = " ".join(event.text for event in recording.events)
    assert "lost: the simulated camera was unplugged" in told
    assert "gap of" in told


def test_a_recording_of_a_camera_that_sends_nothing_fails_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = "simulated:?width=80&height=60&fault=unplug@0s+60s"
    arguments = ("--out", str(tmp_path / "s.h5"), "--duration", "1", "--model", "none", "--json")

    assert cli.main(["record", camera, *arguments]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out.splitlines()[-1])["recorded"] == 0
    assert "thermoseg: nothing was recorded: the simulated camera is unplugged" in captured.err


def test_a_recording_without_temperatures_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "photo.png"
    cv2.imwrite(str(picture), np.full((60, 80), 7, np.uint8))
    arguments = ("--out", str(tmp_path / "s.h5"), "--duration", "2", "--model", "none", "--json")
    cli.main(["record", f"file:{picture}", *arguments])

    *lines, last = capsys.readouterr().out.splitlines()
    (told,) = [line for line in lines if line.startswith("temperatures")]
    assert told.split(maxsplit=1)[1] == json.loads(last)["temperatures"]
    assert "none: " in told
    assert "8-bit" in told


def test_the_demo_leaves_recording_traces_and_masks(
    segmenter: WarmIsNose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = cli.main(
        [
            *("demo", "--camera", "simulated:?width=160&height=120&rate_hz=20"),
            *("--duration", "1", "--out", str(tmp_path)),
        ]
    )

    told = capsys.readouterr().out
    (folder,) = tmp_path.iterdir()
    assert exit_code == 0
    assert read_mask(folder / "traces.png").shape[1] > 600
    assert len(list((folder / "masks").glob("*.png"))) >= 3
    for name in ("session.h5", "traces.png", "masks"):
        assert str(folder / name) in told


def test_a_folder_without_pictures_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos" / "deeper").mkdir(parents=True)
    status = cli.main(["segment", str(tmp_path / "photos"), "--out", str(tmp_path / "out")])

    assert status == 1
    message = capsys.readouterr().err
    assert "photos" in message
    assert "folders in folders are not searched" in message


def test_a_log_is_kept_where_the_command_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_log_path", lambda *_, **__: tmp_path / "logs")
    path = tmp_path / "a.h5"
    arguments = ["simulated:?width=64&height=48", "--model", "none", "--out", str(path)]
    assert cli.main(["--log-file", "record", *arguments, "--duration", "0.1"]) == 0

    (log,) = (tmp_path / "logs").glob("*.log")
    assert str(log) in capsys.readouterr().err
    assert "ThermoSeg" in log.read_text(encoding="utf-8")


def test_a_log_that_cannot_be_kept_costs_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr("platformdirs.user_log_path", lambda *_, **__: tmp_path / "file" / "logs")

    assert cli.main(["--log-file", "models"]) == 0
    assert "no log is kept" in capsys.readouterr().err
