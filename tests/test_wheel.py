"""What pip installs: every module and bundled file, and programs that start without a checkout."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("thermoseg", "trainer", "ui", "drivers")
SHARED = {
    "assets/models/*": "share/thermoseg/models",
    "assets/icons/*.svg": "share/thermoseg/icons",
    "assets/training/*.toml": "share/thermoseg/training",
    "assets/thermoseg.desktop": "share/thermoseg",
}
"""Files of the checkout → where they lie in an environment."""
FOR_DESKTOPS = {
    "share/applications/thermoseg.desktop": "assets/thermoseg.desktop",
    "share/icons/hicolor/scalable/apps/thermoseg.svg": "assets/icons/thermoseg.svg",
}
BROUGHT_ALONG = {"pydantic_core": "pydantic", "typing_extensions": "pydantic"}
"""Libraries that come with another one, which is declared → that one."""
FOR_MYPY = "_typeshed"
PROGRAM_TIMEOUT_S = 300.0
"""The first start compiles every module."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy: a build folder in the checkout would keep what was deleted."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in (*ROOMS, "assets"):
        unneeded = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=unneeded)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    program = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, capture_output=True)
    (path,) = (folder / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment that sees what it depends on, and no checkout."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = ["--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, capture_output=True)
    # Named in a file of paths, a folder gives its packages, but not the checkout that an editable
    # installation in it points to.
    packages = [entry for entry in sys.path if entry.endswith("site-packages")]
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text("\n".join(packages), encoding="utf-8")
    return folder


def run(environment: Path, folder: Path, program: str, *arguments: str) -> str:
    """Run a program of the environment as a new user would, and return what it prints."""
    kept = ("PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
    own = {name: os.environ[name] for name in kept if name in os.environ}
    own |= {"HOME": str(folder), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [str(environment / "bin" / program), *arguments],
        cwd=folder,
        env=own,
        capture_output=True,
        text=True,
        timeout=PROGRAM_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def warm_pixels(path: Path) -> int:
    """Count pixels in the orange of a warm face, which no button and no text has."""
    import cv2

    picture = cv2.imread(str(path))
    assert picture is not None
    return int(((picture[..., 2] > 180) & (picture[..., 0] < 90)).sum())


def test_every_module_and_every_bundled_file_is_in_the_wheel(wheel: Path) -> None:
    modules = {
        str(path.relative_to(ROOT)) for room in ROOMS for path in (ROOT / room).rglob("*.py")
    }
    shared = {
        f"{place}/{path.name}" for pattern, place in SHARED.items() for path in ROOT.glob(pattern)
    }
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name, source in FOR_DESKTOPS.items():
            (held,) = [each for each in names if each.endswith(f".data/data/{name}")]
            assert archive.read(held) == (ROOT / source).read_bytes()

    assert {name for name in names if ".dist-info/" not in name and ".data/" not in name} == modules
    data = {name.partition(".data/data/")[2] for name in names if ".data/data/" in name}
    assert data == shared | set(FOR_DESKTOPS)


def test_every_library_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = {
        canonical_name(re.split(r"[^\w.-]", text)[0])
        for text in (*project["dependencies"], *extras["onnx"], *extras["gige"])
    }
    sources = packages_distributions()

    undeclared = {
        f"{library} ({path.relative_to(ROOT)})"
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for library in imported_libraries(path)
        if library not in (*ROOMS, *sys.stdlib_module_names, FOR_MYPY)
        and declared.isdisjoint(
            canonical_name(name)
            for name in (BROUGHT_ALONG.get(library), *sources.get(library, ()))
            if name
        )
    }

    assert undeclared == set()


def imported_libraries(path: Path) -> set[str]:
    """Return the first parts of all modules that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def canonical_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.slow
def test_nothing_of_the_checkout_is_used(environment: Path, tmp_path: Path) -> None:
    program = "import drivers, thermoseg, trainer, ui\n"
    program += "for room in (drivers, thermoseg, trainer, ui): print(room.__file__)"

    for file in run(environment, tmp_path, "python", "-c", program).splitlines():
        assert Path(file).is_relative_to(environment)


@pytest.mark.slow
def test_every_bundled_file_is_found(environment: Path, tmp_path: Path) -> None:
    names = [
        str(path.relative_to(ROOT / "assets")) for pattern in SHARED for path in ROOT.glob(pattern)
    ]
    program = "import sys\nfrom thermoseg.assets import asset\n"
    program += "for name in sys.argv[1:]: print(asset(name))"

    found = run(environment, tmp_path, "python", "-c", program, *names).splitlines()

    assert len(found) == len(names)
    for file in found:
        assert Path(file).is_relative_to(environment)


@pytest.mark.slow
def test_the_window_shows_a_camera(environment: Path, tmp_path: Path) -> None:
    shown = ["--size", "1280x720", "--screenshot", "seen.png", "--after", "1"]

    run(environment, tmp_path, "thermoseg-ui", "simulated:", *shown)

    assert warm_pixels(tmp_path / "seen.png") > 3000


@pytest.mark.slow
def test_a_recording_is_made_and_replayed(environment: Path, tmp_path: Path) -> None:
    run(environment, tmp_path, "thermoseg", "demo", "--duration", "3", "--out", "demo")

    (session,) = tmp_path.glob("demo/**/*.h5")
    told = run(environment, tmp_path, "thermoseg", "verify", str(session))
    shown = ["--size", "1280x720", "--screenshot", "seen.png", "--after", "1"]
    run(environment, tmp_path, "thermoseg-ui", str(session), *shown)

    assert session.name in told
    assert warm_pixels(tmp_path / "seen.png") > 3000


@pytest.mark.slow
def test_model_and_cameras_are_there(environment: Path, tmp_path: Path) -> None:
    assert "face-compact" in run(environment, tmp_path, "thermoseg", "models")
    assert "simulated:" in run(environment, tmp_path, "thermoseg", "cameras")


@pytest.mark.slow
def test_the_trainer_starts(environment: Path, tmp_path: Path) -> None:
    assert "--resume" in run(environment, tmp_path, "thermoseg-train", "train", "--help")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="desktop entries are for Linux")
def test_the_menu_of_the_desktop_starts_this_window(environment: Path, tmp_path: Path) -> None:
    run(environment, tmp_path, "thermoseg", "install-desktop")

    entry = tmp_path / ".local/share/applications/thermoseg.desktop"
    assert f'Exec="{environment}/bin/thermoseg-ui" %f' in entry.read_text(encoding="utf-8")
