"""Rules that give cameras to their user: what is written, for whom, and what is said."""

import re
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from drivers import boson_tau, flir_one, lepton, uvc_kelvin
from thermoseg import cli, udev
from thermoseg.udev import RULES_PATH, UdevError, install_rules, rules_text


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

    assert rule in rules_text().splitlines()


def test_no_camera_that_a_driver_looks_for_is_without_its_rules() -> None:
    usb = [(flir_one.VENDOR, flir_one.PRODUCT), boson_tau.TAU_IDS]
    video = [*lepton.IDS, *uvc_kelvin.P2_PRO_IDS, *uvc_kelvin.TC001_IDS, *boson_tau.BOSON_IDS]
    rules = rules_text()

    for vendor, product in usb + video:
        assert (
            f'"usb", ATTR{{idVendor}}=="{vendor:04x}", ATTR{{idProduct}}=="{product:04x}"' in rules
        )
    for vendor, product in video:
        ids = f'ATTRS{{idVendor}}=="{vendor:04x}", ATTRS{{idProduct}}=="{product:04x}"'
        assert f'"video4linux", {ids}' in rules


def test_every_line_is_a_rule_or_a_comment() -> None:
    key = r'[A-Z]+(\{\w+\})?(==|=|\+=)"[^"]*"'
    for line in rules_text().splitlines():
        assert not line or line.startswith("#") or re.fullmatch(f"{key}(, {key})*", line), line


def test_the_serial_port_of_a_boson_is_given_too_and_kept_from_the_modem_manager() -> None:
    (rule,) = [line for line in rules_text().splitlines() if '"tty"' in line]

    assert 'ATTRS{idProduct}=="4007"' in rule
    assert 'ENV{ID_MM_DEVICE_IGNORE}="1"' in rule


def test_the_file_is_read_before_those_that_give_rights_to_the_seat() -> None:
    assert Path("/etc/udev/rules.d/70-thermoseg.rules") == RULES_PATH
    assert RULES_PATH.name < "73-seat-late.rules"


def test_rules_are_written_and_udev_reads_them(tmp_path: Path) -> None:
    commands, path = Commands(), tmp_path / "rules.d" / "70-thermoseg.rules"
    said = install_rules(path, platform="linux", run=commands)

    assert path.read_text(encoding="utf-8") == rules_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert commands.run == [("udevadm", "control", "--reload-rules"), ("udevadm", "trigger")]
    assert said.endswith("is written and udev has read it; plug the cameras in again")
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "70-thermoseg.rules"
    install_rules(path, platform="linux", run=Commands())
    before = path.stat().st_mtime_ns, path.stat().st_ino
    said = install_rules(path, platform="linux", run=Commands())

    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert "was up to date" in said


def test_rules_of_an_older_version_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "70-thermoseg.rules"
    path.write_text("# of an older version\n")
    install_rules(path, platform="linux", run=Commands())

    assert path.read_text(encoding="utf-8") == rules_text()


def test_without_udev_it_says_what_is_left_to_do(tmp_path: Path) -> None:
    said = install_rules(tmp_path / "r.rules", platform="linux", run=Commands(code=127))

    assert "could not be told" in said


def test_without_rights_it_gives_the_command_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(udev, "write_whole", refuse)
    with pytest.raises(UdevError) as caught:
        install_rules(tmp_path / "r.rules", platform="linux", run=Commands())

    assert str(caught.value).endswith(f"run: sudo {sys.executable} -m thermoseg install-udev")


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UdevError, match=r"r\.rules cannot be written.*--print"):
        install_rules(tmp_path / "file" / "r.rules", platform="linux", run=Commands())


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_it_says_what_is_needed_there(platform: str, tmp_path: Path) -> None:
    with pytest.raises(UdevError, match="Zadig"):
        install_rules(tmp_path / "r.rules", platform=platform, run=Commands())

    assert not list(tmp_path.iterdir())


def test_a_program_that_is_not_there_is_no_crash() -> None:
    assert udev._run(("no-such-program-of-udev",)) == 127
    assert udev._run(("true",)) == 0


def test_the_command_prints_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["install-udev", "--print"]) == 0
    assert capsys.readouterr().out == rules_text()


def test_the_command_installs_and_reports(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udev, "install_rules", lambda: "done")

    assert cli.main(["install-udev"]) == 0
    assert capsys.readouterr().out == "done\n"


def test_the_command_fails_with_the_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> str:
        raise UdevError("only root may write; run: sudo it")

    monkeypatch.setattr(udev, "install_rules", refuse)

    assert cli.main(["install-udev"]) == 1
    assert capsys.readouterr().err == "thermoseg: only root may write; run: sudo it\n"
