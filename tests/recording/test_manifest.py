"""The manifest beside a finished session, and what `verify` makes of it."""

import hashlib
import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import WaitFor
from tests.recording import made_frames as made
from tests.session_parts import FaceSegmenter, ScriptedCamera
from thermoseg import cli, exit_codes, manifest_thread
from thermoseg.recording import manifest as manifest_module
from thermoseg.recording.verification import State, verify
from thermoseg.recording_plan import RecordingPlan
from thermoseg.session import Session


@pytest.fixture
def session_file(wait_for: WaitFor, tmp_path: Path) -> Path:
    """A short recording that a session has made."""
    plan = RecordingPlan(tmp_path / "a.h5", fields={"participant": "07", "age": 31}, notes="Tür")
    with Session(ScriptedCamera([0, 1, 2, 5]), FaceSegmenter(), address="fake:") as session:
        session.wait_opened(10)
        session.start_recording(plan)
        wait_for(lambda: session.look().counts.captured == 4)
        session.stop_recording()
    return tmp_path / "a.h5"


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return content


def test_a_manifest_tells_what_the_session_holds(session_file: Path) -> None:
    content = read(session_file)
    digest = hashlib.sha256(session_file.read_bytes()).hexdigest()
    size = session_file.stat().st_size
    assert content["files"] == [{"name": "a.h5", "bytes": size, "sha256": digest}]
    assert content["camera"]["model"] == "fake"
    assert (content["camera"]["width"], content["camera"]["address"]) == (32, "fake:")
    assert content["model"] == {"name": "drawn", "sha256": "0" * 64, "backend": "test"}
    assert content["study"] == {"participant": "07", "age": 31}
    assert content["notes"] == "Tür"
    counts = content["counts"]
    assert counts["captured"] == counts["recorded"] + counts["dropped"]
    assert set(content["software"]) >= {"python", "numpy", "h5py", "thermoseg"}
    assert verify(session_file).state is State.SOUND
    left = sorted(path.name for path in session_file.parent.iterdir())
    assert left == ["a.h5", "a.json"]


def test_verify_compares_the_session_with_its_manifest(
    session_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = session_file.read_bytes()
    session_file.write_bytes(whole + b"\0")
    assert cli.main(["verify", str(session_file)]) == exit_codes.DAMAGED
    told = f"it has {len(whole) + 1} bytes and {len(whole)} in its manifest a.json"
    assert told in capsys.readouterr().err

    content = read(session_file)
    content["files"][0] |= {"bytes": len(whole) + 1}
    session_file.with_suffix(".json").write_text(json.dumps(content))
    assert "its SHA-256 is not that of its manifest" in " ".join(verify(session_file).problems)

    content["files"][0]["sha256"] = None
    session_file.with_suffix(".json").write_text(json.dumps(content))
    assert verify(session_file).state is State.SOUND


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ('{"kind": "thermoseg manifest"}', r"cannot be read \(damaged\)"),
    ],
)
def test_a_manifest_that_is_damaged_is_named(
    session_file: Path, content: str, complaint: str
) -> None:
    session_file.with_suffix(".json").write_text(content)
    verdict = verify(session_file)
    assert verdict.state is State.DAMAGED
    (problem,) = verdict.problems
    assert complaint.replace("\\", "") in problem


@pytest.mark.parametrize("content", ['{"TaskName": "rest"}', "[1, 2]"])
def test_a_file_of_its_name_that_is_none_is_no_matter(session_file: Path, content: str) -> None:
    session_file.with_suffix(".json").write_text(content)
    assert verify(session_file).state is State.SOUND


def test_a_manifest_of_another_session_is_named(session_file: Path) -> None:
    content = read(session_file) | {"session_id": "another"}
    session_file.with_suffix(".json").write_text(json.dumps(content))
    assert "that of another session" in " ".join(verify(session_file).problems)


def test_somebodys_file_is_not_overwritten(wait_for: WaitFor, tmp_path: Path) -> None:
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        session.start_recording(tmp_path / "a.h5")
        (tmp_path / "a.json").write_text("somebody's")
        session.stop_recording()
        complaint = "a.h5 has no manifest (File exists); the recording is whole"
        wait_for(lambda: any(complaint in event.text for event in session.look().events))
    assert (tmp_path / "a.json").read_text() == "somebody's"


def test_a_recording_that_was_torn_has_no_manifest(wait_for: WaitFor, tmp_path: Path) -> None:
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        session.start_recording(tmp_path / "a.h5")
        wait_for(lambda: session.look().counts.recorded > 3)
        recorder = session._recording._newest
        assert recorder is not None
        made.running_writer(recorder)._process.kill()
        session.stop_recording()
    assert not (tmp_path / "a.json").exists()


def test_a_checksum_that_takes_long_holds_up_nobody(
    wait_for: WaitFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the stop nor the end: a process of its own goes on with it."""
    hashing, processes = threading.Event(), []
    digest = manifest_module.sha256_of

    def hash_slowly(path: Path, cancelled: Any) -> str | None:
        hashing.set()
        wait_for(cancelled)
        return digest(path, cancelled)

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            processes.append(self)

    monkeypatch.setattr(manifest_module, "sha256_of", hash_slowly)
    monkeypatch.setattr(manifest_thread, "LONGEST_CLOSE_S", 0.0)
    monkeypatch.setattr("thermoseg.manifest_thread.subprocess.Popen", Popen)
    with Session(ScriptedCamera(range(10_000)), None) as session:
        session.wait_opened(10)
        session.start_recording(tmp_path / "a.h5")
        wait_for(lambda: session.look().counts.recorded > 3)
        assert session.stop_recording().failed == ""
        wait_for(hashing.is_set)
        assert read(tmp_path / "a.h5")["files"][0]["sha256"] is None

    (finisher,) = [process for process in processes if "manifest" in str(process.args)]
    assert finisher.wait(60) == 0
    digest_now = hashlib.sha256((tmp_path / "a.h5").read_bytes()).hexdigest()
    assert read(tmp_path / "a.h5")["files"][0]["sha256"] == digest_now
