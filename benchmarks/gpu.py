"""`python -m benchmarks.gpu`: everything that only a GPU can show, in one run of eight minutes.

It works from a checkout that is not installed, needs no network, and neither Qt nor OpenVINO nor
flirpy; docs/gpu.md says what it measures.
"""

import argparse
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.gpu_report import Findings, Options, Outcome, Report, run_guarded
from thermoseg.whole_file import write_whole

BUDGET_S: Final = 480.0
"""Sections that would begin later are not run."""
NO_TIME: Final = "not run: time"
NO_DEVICE: Final = "PyTorch finds no CUDA device"
"""How the first section says that the others need not be tried."""

PACKAGES: Final = {
    "absl": "absl-py",
    "cv2": "opencv-python-headless",
    "h5py": "h5py",
    "hdf5plugin": "hdf5plugin",
    "lightning": "lightning",
    "numpy": "numpy",
    "PIL": "pillow",
    "platformdirs": "platformdirs",
    "psutil": "psutil",
    "pydantic": "pydantic",
    "safetensors": "safetensors",
    "tensorboard": "tensorboard",
    "tifffile": "tifffile",
    "torch": "torch",
}
"""What is imported on the way, and the packages that it comes from."""


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report."""

    name: str
    title: str
    function: str
    """In `benchmarks`, as module:function; imported when it is run."""
    limit_s: float = 100.0
    """Afterwards it is ended, if it has a process of its own."""


SECTIONS: Final = (
    Section("environment", "Environment", "gpu_environment:describe"),
    Section("networks", "Every network labels like the CPU", "gpu_checks:check_networks"),
    Section("stage", "Frames are cut and painted like on the CPU", "gpu_checks:check_stage"),
    Section("accuracy", "IoU on labelled pictures", "gpu_checks:check_accuracy"),
    Section("frames", "Time of a frame", "gpu_speed:measure_frames"),
    Section("session", "A recorded session", "gpu_speed:run_session"),
    Section("mixed", "Mixed precision", "gpu_checks:check_mixed_precision"),
    Section("resume", "Killed and resumed", "gpu_checks:check_resume", 150.0),
    Section("processes", "Two processes on one device", "gpu_checks:check_two_processes", 120.0),
    Section("training", "Training, images per second", "gpu_training:measure_training", 150.0),
    Section("profile", "Where a training step's time goes", "gpu_training:profile_training"),
    Section("generation", "Making training pictures", "gpu_training:measure_generation"),
)
"""In the order in which they are run: what must be right first, then what takes longest."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all sections and return 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="small pictures, few repetitions")
    parser.add_argument("--faces", default="", help="folder of pictures with landmarks.json")
    parser.add_argument("--out", type=Path, default=Path("out") / "gpu", help="of the report")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds for all sections")
    parser.add_argument("--isolate", action="store_true", help="as on CUDA: a process for each")
    names = [section.name for section in SECTIONS]
    parser.add_argument("--only", choices=names, help="run one section and write its outcome")
    given = parser.parse_args(arguments)
    # Sections may run in another folder.
    faces = str(Path(given.faces).resolve()) if given.faces else ""
    options = Options(given.device, given.quick, faces)
    if given.only:
        return _run_only(given.only, options, given.out)
    began_s = time.monotonic()
    missing = missing_packages()
    report = Report(options, datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), missing)
    for sentence in missing:
        sys.stderr.write(f"{sentence}\n")
    # What one section breaks on a GPU stays broken for its process.
    isolated = given.isolate or options.device == "cuda"
    obstacle = ""
    for section in SECTIONS:
        left_s = given.budget - (time.monotonic() - began_s)
        if left_s <= 0:
            obstacle = obstacle or NO_TIME
        if obstacle:
            outcome = Outcome(section.name, section.title, "not run", error=obstacle)
        elif isolated:
            outcome = run_apart(section, options, min(left_s, section.limit_s))
        else:
            outcome = run_here(section, options)
        if not obstacle and NO_DEVICE in outcome.error:
            obstacle = f"not run: {NO_DEVICE}"
        report.outcomes.append(outcome)
        report.seconds = time.monotonic() - began_s
        report.write(given.out)
        said = f": {outcome.error}" if outcome.error else ""
        print(f"{outcome.title}: {outcome.state}, {outcome.seconds:.1f} s{said}", flush=True)
    print(f"Report: {given.out}")
    return int(report.failed > 0)


def missing_packages() -> list[str]:
    """Return a sentence for each package that is not installed."""
    return [
        f"{package} is not installed; bring its wheel in a folder: make gpu WHEELS=FOLDER"
        for name, package in PACKAGES.items()
        if importlib.util.find_spec(name) is None
    ]


def run_here(section: Section, options: Options) -> Outcome:
    """Run a section in this process."""
    return run_guarded(section.name, section.title, _body(section, options), time.monotonic)


def run_apart(section: Section, options: Options, limit_s: float) -> Outcome:
    """Run a section in a process of its own, and end that with all its children at the limit."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="thermoseg-gpu-") as folder:
        command = [sys.executable, "-m", "benchmarks.gpu", "--only", section.name]
        command += ["--device", options.device, "--faces", options.faces, "--out", folder]
        command += ["--quick"] if options.quick else []
        child = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[1],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with child:
            try:
                said, _ = child.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                said, _ = child.communicate()
                said += f"\nit was ended after {limit_s:.0f} s"
                if limit_s < section.limit_s:  # not its fault: others have used up the budget
                    spent_s = time.monotonic() - began_s
                    return Outcome(section.name, section.title, "not run", spent_s, error=NO_TIME)
            except KeyboardInterrupt:
                # In a session of its own it does not hear of Ctrl-C.
                os.killpg(child.pid, signal.SIGKILL)
                raise
        path = Path(folder) / _only_name(section.name)
        if path.is_file():
            return Outcome.from_json(json.loads(path.read_text(encoding="utf-8")))
    last = (said.strip() or "it said nothing").splitlines()[-1]
    return Outcome(
        section.name,
        section.title,
        "failed",
        time.monotonic() - began_s,
        error=f"its process ended with {child.returncode}: {last}",
        trace=said[-4000:],
    )


def _run_only(name: str, options: Options, folder: Path) -> int:
    section = next(one for one in SECTIONS if one.name == name)
    outcome = run_here(section, options)
    write_whole(folder / _only_name(name), json.dumps(outcome.as_json()).encode())
    return 0


def _only_name(name: str) -> str:
    return f"{name}.json"


def _body(section: Section, options: Options) -> Callable[[Findings], None]:
    module, _, function = section.function.partition(":")

    def body(findings: Findings) -> None:
        run = getattr(importlib.import_module(f"benchmarks.{module}"), function)
        run(options, findings)

    return body


if __name__ == "__main__":
    sys.exit(main())
