"""One page on what works here, what does not, and what to do about it."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from thermoseg import cli, doctor
from thermoseg.cameras import CameraListing
from thermoseg.discovery import UsbCameras, usb_cameras
from thermoseg.doctor import Finding, Verdict, examine
from thermoseg.udev import rules_text

TORCH = {"version": "2.10", "built_for": "", "name": ""}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """Answers of the probes, in place of loading PyTorch and OpenVINO."""
    answers = {
        doctor._TORCH: TORCH,
        doctor._OPENVINO: {"CPU": "a processor"},
        doctor._LSL: {"version": "1.18.6, liblsl 1.18"},
    }

    class Probe:
        def __init__(self, program: str) -> None:
            self.program = program

        def __enter__(self) -> "Probe":
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def answer(self) -> dict[str, str]:
            return answers[self.program]

    monkeypatch.setattr(doctor, "_Probe", Probe)
    return answers


def page(folder: Path) -> dict[str, Finding]:
    return {f"{finding.topic}/{finding.name}": finding for finding in examine(folder)}


@pytest.mark.usefixtures("quick")
def test_every_topic_is_looked_at_and_every_fault_has_a_remedy(tmp_path: Path) -> None:
    findings = page(tmp_path)

    topics = {finding.topic for finding in findings.values()}
    assert topics >= {"System", "Libraries", "Computing", "Recording", "Window", "Cameras"}
    assert findings["System/Python"].verdict is Verdict.OK
    assert findings["Cameras/simulated"].detail == "Simulated phantom (640×512, 30/s)"
    assert findings["Models/face-compact"].verdict is Verdict.OK
    assert findings["Recording/Write speed"].detail.endswith("need 39 MB/s")
    for finding in findings.values():
        assert (finding.verdict is Verdict.OK) == (not finding.remedy), finding
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


@pytest.mark.usefixtures("quick")
def test_a_library_that_is_missing_or_too_old_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = [Requirement("numpy>=99"), Requirement("no-such-library>=2")]
    monkeypatch.setattr(doctor, "_requirements", lambda: wanted)
    findings = page(tmp_path)

    old, absent = findings["Libraries/numpy"], findings["Libraries/no-such-library"]
    assert old.verdict is Verdict.WARNING
    assert "needed: >=99" in old.detail
    assert absent.verdict is Verdict.MISSING
    assert absent.essential
    assert absent.remedy.endswith("-m pip install 'no-such-library>=2'")


def test_what_this_installation_needs_is_read_from_its_metadata() -> None:
    names = {requirement.name for requirement in doctor._requirements()}

    assert {"numpy", "h5py", "PyQt6", "torch"} <= names
    assert "pytest" not in names, "that is an extra"


@pytest.mark.parametrize(
    ("torch", "card", "verdict", "words"),
    [
        (TORCH, False, Verdict.OK, "none; networks run on the processor"),
        (TORCH, True, Verdict.WARNING, "PyTorch 2.10 cannot use it"),
        (TORCH | {"name": "A card", "built_for": "12.8"}, True, Verdict.OK, "A card, CUDA 12.8"),
        ({"error": "ImportError: broken"}, False, Verdict.WARNING, "ImportError: broken"),
    ],
)
def test_the_card_is_told_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
    quick: dict[str, dict[str, str]],
    tmp_path: Path,
    torch: dict[str, str],
    card: bool,
    verdict: Verdict,
    words: str,
) -> None:
    quick[doctor._TORCH] = torch
    monkeypatch.setattr(shutil, "which", lambda _name: "/bin/nvidia-smi" if card else None)
    gpu = page(tmp_path)["Computing/GPU"]

    assert gpu.verdict is verdict
    assert words in gpu.detail


@pytest.mark.parametrize(
    ("told", "verdict", "words"),
    [
        ({"version": "1.18.6, liblsl 1.18"}, Verdict.OK, "liblsl 1.18"),
        ({}, Verdict.WARNING, "pip install pylsl"),
        ({"error": "RuntimeError: LSL binary library file was not found"}, Verdict.WARNING, "LSL"),
    ],
    ids=["there", "absent", "without its library"],
)
def test_lsl_is_there_only_if_its_library_loads(
    quick: dict[str, dict[str, str]],
    tmp_path: Path,
    told: dict[str, str],
    verdict: Verdict,
    words: str,
) -> None:
    quick[doctor._LSL] = told
    lsl = page(tmp_path)["Libraries/pylsl"]

    assert lsl.verdict is verdict
    assert words in f"{lsl.detail} {lsl.remedy}"


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("", ""),
        ("__version__ = '1.18.6'\ndef library_version(): return 118\n", "1.18.6, liblsl 1.18"),
        ("raise RuntimeError('LSL binary library file was not found')\n", "file was not found"),
    ],
    ids=["absent", "there", "without its library"],
)
def test_the_real_probe_for_lsl_loads_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, told: str
) -> None:
    if module:
        (tmp_path / "pylsl.py").write_text(module)
    elif importlib.util.find_spec("pylsl"):
        pytest.skip("pylsl is installed here")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with doctor._Probe(doctor._LSL) as probe:
        answer = probe.answer()

    assert told in next(iter(answer.values())) if told else answer == {}


def test_openvino_is_asked_without_its_reports(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "openvino_telemetry.py").write_text("raise SystemExit('it would report')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with doctor._Probe(doctor._OPENVINO) as probe:
        assert "CPU" in probe.answer()


def test_a_probe_that_fails_says_why() -> None:
    with doctor._Probe("raise SystemExit('the driver is too old')") as probe:
        assert probe.answer() == {"error": "the driver is too old"}
    with doctor._Probe("import os; os.kill(os.getpid(), 9)") as probe:
        assert "exit code -9" in probe.answer()["error"]
    with doctor._Probe("print('chatter'); print('{\"a\": \"b\"}')") as probe:
        assert probe.answer() == {"a": "b"}


def test_a_probe_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PROBE_S", 0.2)
    with doctor._Probe("import threading; threading.Event().wait(60)") as probe:
        assert "not loaded" in probe.answer()["error"]


@pytest.mark.usefixtures("quick")
def test_a_folder_that_cannot_be_written_is_essential(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    folder = page(tmp_path / "not" / "made")["Recording/Folder"]

    assert folder.verdict is Verdict.MISSING
    assert folder.essential
    assert f"{tmp_path} cannot be written (Permission denied)" in folder.detail


@pytest.mark.usefixtures("quick")
def test_a_network_share_is_no_place_for_recordings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("thermoseg.recording.place.file_system_of", lambda _folder: "nfs4")

    assert page(tmp_path)["Recording/Folder"].verdict is Verdict.MISSING


@pytest.mark.usefixtures("quick")
def test_a_slow_disk_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "_write_speed", lambda _folder: 12.0)
    speed = page(tmp_path)["Recording/Write speed"]

    assert speed.verdict is Verdict.WARNING
    assert speed.detail.startswith("12 MB/s")


@pytest.mark.usefixtures("quick")
def test_a_driver_that_lacks_something_is_shown_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    listings = [CameraListing("gige:", "gige", problem="apt install aravis")]
    scout = SimpleNamespace(look=lambda: listings, usb_cameras=lambda: UsbCameras(()))
    monkeypatch.setattr(doctor, "driver_names", lambda: ["boson", "gige"])
    monkeypatch.setattr(doctor, "CameraScout", lambda: scout)
    findings = page(tmp_path)

    assert findings["Cameras/gige"].verdict is Verdict.MISSING
    assert findings["Cameras/gige"].remedy == "apt install aravis"
    assert findings["Cameras/boson"].detail == "works; nothing is plugged in"


@pytest.mark.skipif(sys.platform != "linux", reason="others have no udev")
@pytest.mark.usefixtures("quick")
def test_rights_are_told_with_the_command_that_gives_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "RULES_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", list)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    findings = page(tmp_path)
    remedy = f"run: sudo {sys.executable} -m thermoseg install-udev"  # root knows no .venv
    assert findings["Permissions/udev rules"].remedy == remedy
    video = findings["Permissions/group video"]
    assert "usermod -aG video" in video.remedy
    assert video.detail.startswith("opened through /dev/video*: FLIR Boson, FLIR Lepton on Pure")
    assert findings["Permissions/group dialout"].detail == "opened through /dev/ttyACM*: FLIR Boson"
    rules = tmp_path / "70-thermoseg.rules"
    whole = rules_text(usb_cameras())
    rules.write_text(whole.replace("5840", "5841"))
    findings = page(tmp_path)
    assert findings["Permissions/udev rules"].detail.endswith("version and lacks TOPDON TC001")
    assert findings["Permissions/udev rules"].remedy == remedy
    rules.write_text(whole)

    assert page(tmp_path)["Permissions/udev rules"].verdict is Verdict.OK


@pytest.mark.parametrize(
    ("essential", "verdict", "code"),
    [
        (True, Verdict.MISSING, 1),
        (True, Verdict.WARNING, 0),
        (False, Verdict.MISSING, 0),
        (True, Verdict.OK, 0),
    ],
)
def test_only_what_is_essential_and_missing_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    essential: bool,
    verdict: Verdict,
    code: int,
) -> None:
    found = Finding("Topic", "thing", verdict, "as it is", "do this", essential)
    monkeypatch.setattr(doctor, "examine", lambda _folder: iter([found]))

    assert cli.main(["doctor"]) == code
    told = capsys.readouterr().out
    assert told.split() == ["Topic", verdict.value, "thing", "as", "it", "is", "do", "this"]


def test_the_page_can_be_had_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Finding("Topic", "thing", Verdict.WARNING, "50 µm", "do this")
    monkeypatch.setattr(doctor, "examine", lambda _folder: iter([found]))
    cli.main(["doctor", "--json"])
    (told,) = json.loads(capsys.readouterr().out)

    assert told["verdict"] == "warning"
    assert told["detail"] == "50 µm"


def test_the_doctor_itself_loads_neither_torch_nor_qt() -> None:
    program = "import sys, thermoseg.doctor; print({'torch', 'PyQt6', 'openvino'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "set()", done.stderr
