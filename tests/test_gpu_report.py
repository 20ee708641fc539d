"""The report on GPUs: its sections, what they check on a CPU, and on a GPU where there is one."""

import importlib
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks import gpu, gpu_checks
from benchmarks.gpu import SECTIONS, Section, run_apart
from benchmarks.gpu_pictures import ReplayCamera, phantom_frames, read_faces
from benchmarks.gpu_report import CheckError, Findings, Options, Outcome, Report
from thermoseg.errors import CameraError, CameraTimeoutError, FormatError
from thermoseg.labels import Region

ROOT = Path(__file__).parents[1]
Check = Callable[[Options, Findings], None]
QUICK = Options("cpu", quick=True)

BARE = """
import runpy, sys

ABSENT = {"PyQt6", "pyqtgraph", "superqt", "openvino", "flirpy"}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
sys.argv = ["gpu", *sys.argv[1:]]
runpy.run_module("benchmarks.gpu", run_name="__main__")
"""
"""Runs the report as on a machine that lacks what is large and not needed."""


def run_bare(arguments: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", BARE, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )


def test_a_run_that_is_cut_short_reports_what_it_has(tmp_path: Path) -> None:
    done = run_bare(["--device=cpu", "--quick", "--budget=1", f"--out={tmp_path}"])

    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "gpu-report.json").read_text())
    assert (report["format"], report["device"], report["quick"]) == (1, "cpu", True)
    assert report["missing"] == []
    assert [section["name"] for section in report["sections"]] == [one.name for one in SECTIONS]
    states = [section["state"] for section in report["sections"]]
    assert states[0] == "passed"
    assert states == sorted(states, reverse=True)
    assert set(states) <= {"passed", "not run"}
    assert all(one["error"] == "not run: time" for one in report["sections"] if not one["figures"])
    versions = {figure["name"]: figure["value"] for figure in report["sections"][0]["figures"]}
    assert versions["torch"].startswith(torch.__version__.partition("+")[0])
    page = (tmp_path / "gpu-report.md").read_text()
    assert "It was run without a GPU" in page
    assert all(section.title in page for section in SECTIONS)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_everything_passes_on_a_cpu_without_qt_openvino_and_flirpy(tmp_path: Path) -> None:
    done = run_bare(["--device=cpu", "--quick", "--budget=1000", f"--out={tmp_path}"])

    report = json.loads((tmp_path / "gpu-report.json").read_text())
    assert {one["name"]: one["error"] for one in report["sections"] if one["error"]} == {}
    assert {one["state"] for one in report["sections"]} == {"passed"}
    assert all(section["figures"] for section in report["sections"])
    assert done.returncode == 0


def test_every_section_exists_and_needs_neither_qt_nor_openvino_nor_flirpy() -> None:
    modules = {f"benchmarks.{section.function.partition(':')[0]}" for section in SECTIONS}
    program = (
        f"import sys, importlib; [importlib.import_module(m) for m in {sorted(modules)!r}];"
        "print([name for name in ('PyQt6', 'openvino', 'flirpy') if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )

    assert done.stdout.strip() == "[]"
    for section in SECTIONS:
        module, _, function = section.function.partition(":")
        assert callable(getattr(importlib.import_module(f"benchmarks.{module}"), function))


class PutSections(Protocol):
    """What the fixture `sections` gives."""

    def __call__(self, **functions: Check) -> None: ...


@pytest.fixture
def sections(monkeypatch: pytest.MonkeyPatch) -> PutSections:
    """Puts functions in the place of the report's sections."""

    def replace(**functions: Check) -> None:
        made = types.ModuleType("benchmarks.made_up")
        for name, function in functions.items():
            setattr(made, name, function)
        monkeypatch.setitem(sys.modules, "benchmarks.made_up", made)
        made_up = tuple(Section(name, name, f"made_up:{name}") for name in functions)
        monkeypatch.setattr(gpu, "SECTIONS", made_up)

    return replace


def test_a_section_that_fails_keeps_its_figures_and_stops_no_other(
    sections: PutSections, tmp_path: Path
) -> None:
    def wrong(_: Options, findings: Findings) -> None:
        findings.add("found", 0.5, "mm")
        raise CheckError("half a millimetre is missing")

    def broken(_: Options, __: Findings) -> None:
        raise RuntimeError("CUDA error: an illegal memory access\nand more")

    def right(_: Options, findings: Findings) -> None:
        findings.add("found", "all")

    sections(wrong=wrong, broken=broken, right=right)

    assert gpu.main(["--device=cpu", f"--out={tmp_path}"]) == 1

    told = json.loads((tmp_path / "gpu-report.json").read_text())["sections"]
    assert [one["state"] for one in told] == ["failed", "failed", "passed"]
    assert told[0]["error"] == "half a millimetre is missing"
    assert told[0]["figures"] == [{"name": "found", "value": 0.5, "unit": "mm"}]
    assert told[1]["error"] == "RuntimeError: CUDA error: an illegal memory access"
    assert "in broken" in told[1]["trace"]
    assert "| found | 0.5 mm |" in (tmp_path / "gpu-report.md").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_without_a_gpu_one_sentence_says_so(tmp_path: Path) -> None:
    assert gpu.main(["--device=cuda", "--quick", f"--out={tmp_path}"]) == 1

    first, *others = json.loads((tmp_path / "gpu-report.json").read_text())["sections"]
    assert first["error"] == (
        "PyTorch finds no CUDA device; install its driver, or use --device cpu"
    )
    assert {one["error"] for one in others} == {"not run: PyTorch finds no CUDA device"}


def test_what_is_not_installed_is_named_in_one_sentence_each(
    sections: PutSections,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sections(nothing=lambda _options, _findings: None)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("PIL", "pydantic") else object()
    )

    gpu.main(["--device=cpu", f"--out={tmp_path}"])

    sentences = [
        f"{package} is not installed; bring its wheel in a folder: make gpu WHEELS=FOLDER"
        for package in ("pillow", "pydantic")
    ]
    assert capsys.readouterr().err.splitlines() == sentences
    assert json.loads((tmp_path / "gpu-report.json").read_text())["missing"] == sentences


def test_a_section_in_a_process_of_its_own_tells_the_same() -> None:
    section = next(one for one in SECTIONS if one.name == "environment")

    outcome = run_apart(section, QUICK, 60.0)

    assert (outcome.name, outcome.state, outcome.error) == ("environment", "passed", "")
    assert {"torch", "numpy"} <= {figure.name for figure in outcome.findings.figures}


def test_a_section_that_takes_too_long_is_ended() -> None:
    section = Section("training", "Training", "gpu_training:measure_training", limit_s=0.05)

    outcome = run_apart(section, QUICK, 0.05)

    assert outcome.state == "failed"
    assert outcome.error == "its process ended with -9: it was ended after 0 s"


def test_a_section_that_the_budget_ends_was_not_run() -> None:
    section = next(one for one in SECTIONS if one.name == "training")

    outcome = run_apart(section, QUICK, 0.05)

    assert (outcome.state, outcome.error) == ("not run", "not run: time")


def test_a_section_whose_process_dies_is_told_with_its_last_words() -> None:
    outcome = run_apart(Section("unheard", "Unheard of", "nowhere:nothing"), QUICK, 60.0)

    assert outcome.state == "failed"
    assert outcome.error.startswith("its process ended with 2: python -m benchmarks.gpu: error:")
    assert "invalid choice: 'unheard'" in outcome.error


def test_an_outcome_survives_its_way_through_a_file() -> None:
    findings = Findings()
    findings.add("frames", 12.0, "per s")
    findings.aim("speed", 3.0, 5.0, "×", at_most=False)
    outcome = Outcome("some", "Some", "passed", 1.25, findings)

    assert Outcome.from_json(json.loads(json.dumps(outcome.as_json()))) == outcome


def test_aims_are_told_to_be_met_or_missed_where_there_is_a_gpu(tmp_path: Path) -> None:
    findings = Findings()
    findings.aim("one frame", 1.5, 2.0, "ms", at_most=True)
    findings.aim("training", 300.0, 356.0, "images/s", at_most=False)
    findings.add("nobody knows", float("nan"))
    outcome = Outcome("some", "Some", "passed", 1.0, findings)

    Report(Options("cuda"), "2026-01-01 00:00 UTC", [], [outcome]).write(tmp_path)

    page = (tmp_path / "gpu-report.md").read_text()
    assert "| one frame | 1.5 ms | ≤ 2 ms | met |" in page
    assert "| training | 300 images/s | ≥ 356 images/s | missed |" in page
    (section,) = json.loads((tmp_path / "gpu-report.json").read_text())["sections"]
    assert section["figures"] == [{"name": "nobody knows", "value": None, "unit": ""}]


def test_a_replayed_camera_numbers_and_times_its_frames_without_end() -> None:
    camera = ReplayCamera(phantom_frames(3, 30, 40, seed=3), rate_hz=500)
    with pytest.raises(CameraError, match="open it first"):
        camera.read(0.1)

    info = camera.open()
    frames = [camera.read(1.0) for _ in range(9)]
    camera.close()

    assert (info.height, info.width, info.live) == (30, 40, True)
    assert [frame.index for frame in frames] == list(range(9))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 500 for i in range(9)])
    shown = [int(frame.counts.astype(np.int64).sum()) for frame in frames]
    assert shown[4:8] == shown[:4]
    assert shown[1] == shown[3] != shown[2]


def test_a_replayed_camera_keeps_a_frame_for_whoever_did_not_wait_for_it() -> None:
    camera = ReplayCamera(phantom_frames(2, 30, 40, seed=3), rate_hz=4)
    camera.open()
    camera.read(1.0)

    with pytest.raises(CameraTimeoutError):
        camera.read(0.01)

    assert camera.read(1.0).index == 1


def points_of_a_face() -> list[list[float]]:
    """Landmarks in rows: a jaw around everything, the other parts as small squares."""
    points = np.zeros((68, 2))
    angles = np.linspace(0, np.pi, 17)
    points[:17] = np.stack((80 - 60 * np.cos(angles), 50 + 60 * np.sin(angles)), axis=1)
    for numbers, x, y in (
        (range(48, 68), 80, 90),
        (range(36, 42), 55, 55),
        (range(42, 48), 105, 55),
        (range(17, 22), 55, 40),
        (range(22, 27), 105, 40),
        (range(27, 36), 80, 70),
    ):
        corners = [(x - 8, y - 4), (x + 8, y - 4), (x + 8, y + 4), (x - 8, y + 4)]
        points[list(numbers)] = [corners[i % 4] for i in range(len(numbers))]
    return points.tolist()


def test_faces_are_labelled_by_their_landmarks_where_these_are_visible(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (120, 160)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "one.png"), picture)
    visible = ["1"] * 68
    visible[42:48] = "0" * 6
    face = {"path": "one.png", "points": points_of_a_face(), "visible": "".join(visible)}
    (tmp_path / "landmarks.json").write_text(json.dumps({"frames": [face]}))

    (labelled,) = read_faces(tmp_path)

    np.testing.assert_array_equal(labelled.frame.celsius, picture)
    places: dict[tuple[int, int], int] = {
        (90, 80): Region.MOUTH,
        (55, 55): Region.EYES,
        (40, 55): Region.EYEBROWS,
    }
    places |= {(70, 80): Region.NOSE, (100, 100): Region.CHIN, (5, 5): Region.BACKGROUND}
    places |= {(55, 105): 255, (55, 117): 255}
    assert {place: labelled.labels[place] for place in places} == places


@pytest.mark.parametrize("content", [None, "{", "{}", '{"frames": [{"path": "gone.png"}]}'])
def test_a_folder_without_labelled_faces_is_named(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "landmarks.json").write_text(content)

    with pytest.raises(FormatError, match=r"landmarks\.json"):
        read_faces(tmp_path)


CHECKS = [
    gpu_checks.check_networks,
    gpu_checks.check_stage,
    gpu_checks.check_accuracy,
    pytest.param(gpu_checks.check_mixed_precision, marks=pytest.mark.slow),
    pytest.param(gpu_checks.check_resume, marks=pytest.mark.slow),
    pytest.param(gpu_checks.check_two_processes, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.timeout(600)
def test_what_must_be_right_on_a_gpu_is_right_on_a_cpu(
    check: Check,
) -> None:
    findings = Findings()

    check(QUICK, findings)

    assert findings.figures


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    "check",
    [
        gpu_checks.check_networks,
        gpu_checks.check_stage,
        gpu_checks.check_accuracy,
        gpu_checks.check_mixed_precision,
        gpu_checks.check_resume,
        gpu_checks.check_two_processes,
    ],
)
@pytest.mark.timeout(600)
def test_what_must_be_right_on_a_gpu_is(check: Check) -> None:
    findings = Findings()

    check(Options("cuda"), findings)

    assert findings.figures


def test_labels_that_are_not_the_cpu_s_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_checks, "runner_on", lambda _device, _network: Upside())

    with pytest.raises(CheckError, match=r"compact: .* of the labels are those of the CPU"):
        gpu_checks.same_labels("compact", "cpu")


class Upside:
    """Answers with the classes in reverse order."""

    def probabilities(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        network = gpu_checks.random_network("compact")
        with torch.inference_mode():
            answer: torch.Tensor = network(torch.from_numpy(images))
        return answer.numpy()[:, ::-1]


def test_weights_that_are_apart_fail() -> None:
    findings = Findings()
    one, other = {"w": torch.zeros(2)}, {"w": torch.tensor([0.0, 0.5])}

    with pytest.raises(CheckError, match=r"equal are 0\.5 apart"):
        gpu_checks.compare_weights(one, other, "cpu", findings)
    gpu_checks.compare_weights(one, one, "cpu", findings)

    assert [str(f) for f in findings.figures] == ["0.5", "no", "0", "yes"]
