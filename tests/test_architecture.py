"""The arrows between the rooms, and what each front door may load."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from thermoseg.discovery import usb_cameras

ROOT = Path(__file__).parents[1]

TORCH = ("torch", "lightning", "torchmetrics")
QT = ("PyQt6", "pyqtgraph")
HEAVY = ("numpy", "cv2", "h5py", "openvino", "scipy", "matplotlib", "pydantic", "rich")


def test_every_import_contract_is_kept() -> None:
    """In a process of its own: import-linter silences every logger of the one it runs in."""
    call = (
        "import sys; from importlinter.cli import lint_imports; "
        f"sys.exit(lint_imports(config_filename={str(ROOT / 'pyproject.toml')!r}, "
        "no_cache=True, no_logo=True))"
    )
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("thermoseg.cli", TORCH + QT + HEAVY),
        ("thermoseg.cameras", TORCH + QT),
        ("thermoseg.discovery", TORCH + QT),
        ("thermoseg.headless", TORCH + QT),
        ("thermoseg.segment_files", TORCH + QT),
        ("thermoseg.inference.choose", TORCH + QT),
        ("drivers.playback", TORCH + QT),
        ("drivers.simulated", TORCH + QT),
        ("trainer.config", TORCH + QT),
        ("trainer.tiaug", TORCH + QT),
        ("trainer.cli", TORCH + QT),
        ("ui.app", TORCH),
    ],
)
def test_a_module_loads_without_what_it_must_not_need(
    module: str, unwanted: tuple[str, ...]
) -> None:
    program = (
        f"import {module}, sys; "
        f"print(' '.join(name for name in {unwanted!r} if name in sys.modules))"
    )

    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
    )

    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == []


def test_openvino_is_imported_from_one_place_that_keeps_it_silent() -> None:
    loud = re.compile(r"^\s*(import|from) openvino\b(?!\.frontend\.pytorch)", re.MULTILINE)
    sources = [
        path
        for room in ("thermoseg", "trainer", "ui", "drivers", "benchmarks", "tests/fuzz")
        for path in (ROOT / room).rglob("*.py")
    ]

    assert [path.name for path in sources if loud.search(path.read_text(encoding="utf-8"))] == [
        "silent_openvino.py"
    ]


def test_the_core_names_no_camera() -> None:
    """What it has to know of them, such as their USB ids, it asks the drivers."""
    named = re.compile(r"Lepton|Boson|Tau\b|TC001|P2 Pro|FLIR ONE|GigE|\bgige\b|Tiny1")
    ids = {number for one in usb_cameras().ids for number in (one.vendor, one.product)}
    written = re.compile("|".join(rf"(0x|[\"'{{]){number:04x}\b" for number in ids), re.IGNORECASE)
    sources = sorted((ROOT / "thermoseg").rglob("*.py"))

    assert len(ids) > 10
    assert [
        f"{path.name}: {line.strip()}"
        for path in sources
        for line in path.read_text(encoding="utf-8").splitlines()
        if named.search(line) or written.search(line)
    ] == []


def test_the_folders_that_hide_a_purpose_do_not_exist() -> None:
    sources = [
        path
        for room in ("thermoseg", "trainer", "ui", "drivers")
        for path in (ROOT / room).rglob("*.py")
    ]

    assert len(sources) > 20
    vague = {"utils", "helpers", "helper", "manager", "base", "common", "misc"}
    assert [path for path in sources if path.stem in vague] == []


def test_packages_re_export_nothing() -> None:
    """What `thermoseg.networks` imports, its table of networks uses; ruff sees to unused ones."""
    packages = [
        path
        for room in ("thermoseg", "trainer", "ui", "drivers")
        for path in (ROOT / room).rglob("__init__.py")
    ]

    assert [
        path.parent.name for path in packages if "import " in path.read_text(encoding="utf-8")
    ] == ["networks"]
