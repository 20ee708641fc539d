"""The window in the menu of a Linux desktop: what the entry says, where it goes, what is told."""

import configparser
import shutil
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from thermoseg import cli
from thermoseg.desktop_entry import DesktopEntryError, entry_text, find_program, install_entry

ENTRY = Path("applications/thermoseg.desktop")
ICON = Path("icons/hicolor/scalable/apps/thermoseg.svg")
BUNDLED = Path(__file__).parents[1] / "assets" / "thermoseg.desktop"

VALIDATOR = shutil.which("desktop-file-validate")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "environment" / "bin" / "thermoseg-ui"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def keys_of(text: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return dict(parser["Desktop Entry"])


def test_the_menu_starts_the_window_of_this_installation(tmp_path: Path, program: Path) -> None:
    sentence = install_entry(program, tmp_path / "share", platform="linux")

    keys = keys_of((tmp_path / "share" / ENTRY).read_text(encoding="utf-8"))
    assert keys["Name"] == "ThermoSeg"
    assert keys["TryExec"] == str(program)
    assert keys["Exec"] == f'"{program}" %f'
    assert keys["Icon"] == ICON.stem
    assert (tmp_path / "share" / ICON).read_bytes().startswith(b"<svg")
    assert sentence.startswith("ThermoSeg is in the menu now")
    for path in (tmp_path / "share" / ENTRY, program, tmp_path / "share" / ICON):
        assert str(path) in sentence


def test_a_second_time_changes_nothing_and_says_so(tmp_path: Path, program: Path) -> None:
    install_entry(program, tmp_path, platform="linux")
    before = {path: (tmp_path / path).stat().st_ino for path in (ENTRY, ICON)}

    sentence = install_entry(program, tmp_path, platform="linux")

    assert {path: (tmp_path / path).stat().st_ino for path in (ENTRY, ICON)} == before
    assert sentence.startswith("ThermoSeg was in the menu already")


def test_after_a_move_the_entry_is_written_anew(tmp_path: Path, program: Path) -> None:
    install_entry(program, tmp_path, platform="linux")
    moved = program.rename(tmp_path / "thermoseg-ui")

    sentence = install_entry(moved, tmp_path, platform="linux")

    assert keys_of((tmp_path / ENTRY).read_text(encoding="utf-8"))["TryExec"] == str(moved)
    assert sentence.startswith("ThermoSeg is in the menu now")


def test_a_path_with_signs_of_its_own_is_written_as_the_specification_wants() -> None:
    keys = keys_of(entry_text(Path('/o a/100 %/$x`"/b\\c/thermoseg-ui')))

    assert keys["Exec"] == r'"/o a/100 %%/\\$x\\`\\"/b\\\\c/thermoseg-ui" %f'
    assert keys["TryExec"] == r'/o a/100 %/$x`"/b\\c/thermoseg-ui'


@pytest.mark.skipif(VALIDATOR is None, reason="desktop-file-validate is not here")
def test_the_entries_are_valid(tmp_path: Path) -> None:
    written = tmp_path / "thermoseg.desktop"
    written.write_text(entry_text(Path("/opt/of mine/100 %/thermoseg-ui")), encoding="utf-8")

    for path in (BUNDLED, written):
        done = subprocess.run([str(VALIDATOR), str(path)], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_command_writes_into_the_folder_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if sys.platform != "linux":
        pytest.skip("desktop entries are for Linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert cli.main(["install-desktop"]) == 0

    keys = keys_of((tmp_path / ENTRY).read_text(encoding="utf-8"))
    assert keys["TryExec"] == str(find_program())
    assert stat.S_IMODE((tmp_path / ENTRY).stat().st_mode) & stat.S_IRUSR
    assert "ThermoSeg is in the menu now" in capsys.readouterr().out


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_one_sentence_says_that_it_is_for_linux(platform: str, tmp_path: Path) -> None:
    with pytest.raises(DesktopEntryError, match="for Linux only"):
        install_entry(Path("/opt/thermoseg-ui"), tmp_path, platform=platform)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, program: Path) -> None:
    (tmp_path / "share").write_text("in the way", encoding="utf-8")

    with pytest.raises(DesktopEntryError, match=r"share.* cannot be written"):
        install_entry(program, tmp_path / "share", platform="linux")


def test_without_the_program_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda *_: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DesktopEntryError, match="install ThermoSeg with pip"):
        find_program()
