"""Rules that give cameras to their user: what is written, for whom, and what is said."""

import re
import stat
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from thermoseg import cameras, cli, udev
from thermoseg.cameras import UsbId
from thermoseg.discovery import UsbCameras, usb_cameras
from thermoseg.udev import RULES_PATH, UdevError, install_rules, rules_text, without_rules

CAMERAS = usb_cameras()
"""Those of the drivers that are installed here."""


class Commands:
    """Takes commands in place of the system."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.run: list[tuple[str, ...]] = []

    def __call__(self, command: Sequence[str]) -> int:
        self.run.append(tuple(command))
        return self.code


@pytest.mark.parametrize(
    ("vendor", "product"),
    [
        ("09cb", "1996"),
        ("1e4e", "0100"),
        ("0bda", "5830"),
        ("0bda", "5840"),
        ("0bda", "5838"),
        ("0bda", "3901"),
        ("3474", "4321"),
        ("09cb", "4007"),
        ("0403", "6010"),
    ],
)
def test_every_usb_camera_has_a_rule(vendor: str, product: str) -> None:
    rule = (
        f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", ATTR{{idProduct}}=="{product}", '
        'MODE="0660", TAG+="uaccess"'
    )

    assert rule in rules_text(CAMERAS).splitlines()


def test_a_driver_of_somebody_else_gets_its_rules(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through an entry point, as it would be installed."""
    driver: Any = ModuleType("somebody_elses")
    driver.Novel = SimpleNamespace(usb_ids=(UsbId(0x1D6B, 0x0A04, "Novel 1", ("video4linux",)),))
    monkeypatch.setitem(sys.modules, "somebody_elses", driver)
    found = [
        EntryPoint("novel", "somebody_elses:Novel", cameras.ENTRY_POINT_GROUP),
        EntryPoint("lost", "no_such_module_of_a_driver:Lost", cameras.ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(cameras, "entry_points", lambda group: found)

    assert cli.main(["install-udev", "--print"]) == 0
    out, err = capsys.readouterr()
    ids = 'idVendor}=="1d6b", ATTR{idProduct}=="0a04"'
    assert out.splitlines()[3:] == [
        "# Novel 1",
        f'SUBSYSTEM=="usb", ATTR{{{ids}, MODE="0660", TAG+="uaccess"',
        f'SUBSYSTEM=="video4linux", ATTRS{{{ids.replace("ATTR", "ATTRS")}, '
        'MODE="0660", TAG+="uaccess"',
    ]
    assert "the driver “lost” cannot be loaded" in err


def test_cameras_that_a_rules_file_does_not_give_are_named() -> None:
    novel = UsbId(0x1D6B, 0x0A04, "Novel")
    more = UsbCameras((*CAMERAS.ids, novel))

    assert without_rules(CAMERAS, rules_text(CAMERAS)) == []
    assert without_rules(more, rules_text(CAMERAS)) == ["Novel"]
    assert without_rules(UsbCameras((novel,)), "") == ["Novel"]


def test_the_module_loads_no_driver_by_itself() -> None:
    program = (
        "import sys, thermoseg.udev; "
        "print([name for name in sys.modules if name.partition('.')[0] in ('drivers', 'cv2')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "[]", done.stderr


def test_every_line_is_a_rule_or_a_comment() -> None:
    key = r'[A-Z]+(\{\w+\})?(==|=|\+=)"[^"]*"'
    for line in rules_text(CAMERAS).splitlines():
        assert not line or line.startswith("#") or re.fullmatch(f"{key}(, {key})*", line), line


def test_cameras_that_are_video_devices_have_a_rule_for_these_too() -> None:
    named = re.findall(r'"video4linux".*?idProduct}=="(\w{4})"', rules_text(CAMERAS))

    assert sorted(named) == ["0100", "3901", "4007", "4321", "5830", "5838", "5840"]


def test_the_serial_port_of_a_boson_is_given_too_and_kept_from_the_modem_manager() -> None:
    (rule,) = [line for line in rules_text(CAMERAS).splitlines() if '"tty"' in line]

    assert 'ATTRS{idProduct}=="4007"' in rule
    assert 'ENV{ID_MM_DEVICE_IGNORE}="1"' in rule


def test_the_file_is_read_before_those_that_give_rights_to_the_seat() -> None:
    assert Path("/etc/udev/rules.d/70-thermoseg.rules") == RULES_PATH
    assert RULES_PATH.name < "73-seat-late.rules"


def test_rules_are_written_and_udev_reads_them(tmp_path: Path) -> None:
    commands, path = Commands(), tmp_path / "rules.d" / "70-thermoseg.rules"
    said = install_rules(CAMERAS, path, platform="linux", run=commands)

    assert path.read_text(encoding="utf-8") == rules_text(CAMERAS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert commands.run == [("udevadm", "control", "--reload-rules"), ("udevadm", "trigger")]
    assert said.endswith("is written and udev has read it; plug the cameras in again")
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "70-thermoseg.rules"
    install_rules(CAMERAS, path, platform="linux", run=Commands())
    before = path.stat().st_mtime_ns, path.stat().st_ino
    said = install_rules(CAMERAS, path, platform="linux", run=Commands())

    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert "was up to date" in said


def test_rules_of_an_older_version_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "70-thermoseg.rules"
    path.write_text("# of an older version\n")
    install_rules(CAMERAS, path, platform="linux", run=Commands())

    assert path.read_text(encoding="utf-8") == rules_text(CAMERAS)


def test_without_udev_it_says_what_is_left_to_do(tmp_path: Path) -> None:
    said = install_rules(CAMERAS, tmp_path / "r.rules", platform="linux", run=Commands(code=127))

    assert "could not be told" in said


def test_without_rights_it_gives_the_command_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(udev, "write_whole", refuse)
    with pytest.raises(UdevError) as caught:
        install_rules(CAMERAS, tmp_path / "r.rules", platform="linux", run=Commands())

    assert str(caught.value).endswith(f"run: sudo {sys.executable} -m thermoseg install-udev")


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UdevError, match=r"r\.rules cannot be written.*--print"):
        install_rules(CAMERAS, tmp_path / "file" / "r.rules", platform="linux", run=Commands())


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_it_says_what_is_needed_there(platform: str, tmp_path: Path) -> None:
    with pytest.raises(UdevError, match=r"Zadig.*for these: FLIR ONE, FLIR Tau"):
        install_rules(CAMERAS, tmp_path / "r.rules", platform=platform, run=Commands())

    assert not list(tmp_path.iterdir())


def test_a_program_that_is_not_there_is_no_crash() -> None:
    assert udev._run(("no-such-program-of-udev",)) == 127
    assert udev._run(("true",)) == 0


def test_the_command_prints_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["install-udev", "--print"]) == 0
    assert capsys.readouterr().out == rules_text(CAMERAS)


def test_the_command_installs_and_reports(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udev, "install_rules", lambda cameras: f"{len(cameras.ids)} done")

    assert cli.main(["install-udev"]) == 0
    assert capsys.readouterr().out == f"{len(CAMERAS.ids)} done\n"


def test_the_command_fails_with_the_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(cameras: UsbCameras) -> str:
        raise UdevError("only root may write; run: sudo it")

    monkeypatch.setattr(udev, "install_rules", refuse)

    assert cli.main(["install-udev"]) == 1
    assert capsys.readouterr().err == "thermoseg: only root may write; run: sudo it\n"
