import json
import logging
import math
import threading
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from tests.conftest import WaitFor
from thermoseg.errors import TrainingError
from trainer.journal import Heartbeat, Journal


def test_lines_are_strict_json_with_time_and_iteration(tmp_path: Path) -> None:
    with Journal(tmp_path, tensorboard=False) as journal:
        journal.note(3, {"left_s": math.nan, "losses": {"total": math.inf, "rmi": 0.5}})

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    line = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    assert line["iteration"] == 3
    assert line["wall_time"] > 1.7e9
    assert line["left_s"] is None
    assert line["losses"] == {"total": None, "rmi": 0.5}
    assert not (tmp_path / "tensorboard").exists()


def test_a_line_that_a_kill_cut_off_spoils_no_other(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"iteration": 1}\n{"itera')

    with Journal(tmp_path, tensorboard=False) as journal:
        journal.note(2, {})
        journal.note(3, {})

    first, torn, *fresh = metrics.read_text().splitlines()
    assert (json.loads(first)["iteration"], torn) == (1, '{"itera')
    assert [json.loads(line)["iteration"] for line in fresh] == [2, 3]


def test_tensorboard_reads_the_curves_and_forgets_what_a_kill_took_back(tmp_path: Path) -> None:
    for start in (1, 2):
        with Journal(tmp_path, tensorboard=True) as journal:
            journal.draw(start, {"loss/total": 0.5 * start, "loss/rmi": math.nan})

    files = sorted((tmp_path / "tensorboard").iterdir())
    events = [list(LegacyEventFileLoader(str(path)).Load()) for path in files]

    assert len(files) == 2
    assert [event[0].file_version for event in events] == ["brain.Event:2"] * 2
    assert [(event[1].session_log.status, event[1].step) for event in events] == [(1, 1), (1, 2)]
    points = [(event[2].step, event[2].summary.value) for event in events]
    assert [(step, [v.tag for v in values]) for step, values in points] == [
        (1, ["loss/total"]),
        (2, ["loss/total"]),
    ]
    assert [values[0].simple_value for _, values in points] == [0.5, 1.0]


def test_a_place_for_curves_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("in the way")

    with (
        Journal(tmp_path, tensorboard=True) as journal,
        pytest.raises(TrainingError, match=r"tensorboard: cannot be written \(File exists"),
    ):
        journal.draw(1, {"loss": 1.0})


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_heartbeat_is_said_again_as_it_was_amended_at_the_newest_iteration(
    tmp_path: Path,
) -> None:
    with Journal(tmp_path, tensorboard=False) as journal:
        assert journal.repeat_heartbeat(0.0) == 0.0
        journal.amend(phase="nothing to amend")
        journal.add_heartbeat(1, {"phase": "training", "fraction": 0.5})
        assert 0 < journal.repeat_heartbeat(60.0) <= 60.0
        journal.amend(phase="validating")
        journal.note(4, {"validation": {}})
        assert journal.repeat_heartbeat(0.0) == 0.0

    told = [
        (line["iteration"], line.get("phase"), line.get("fraction")) for line in lines_of(tmp_path)
    ]
    assert told == [(1, "training", 0.5), (4, None, None), (4, "validating", 0.5)]


def test_heartbeats_come_while_nothing_else_is_said_and_then_no_more(
    tmp_path: Path, wait_for: WaitFor
) -> None:
    with Journal(tmp_path, tensorboard=False) as journal:
        with Heartbeat(journal, silence_s=0.01):
            journal.add_heartbeat(7, {"phase": "training"})
            wait_for(lambda: len(lines_of(tmp_path)) >= 4)
        said = lines_of(tmp_path)
        journal.note(8, {"ended": "finished"})

    assert "heartbeat" not in [thread.name for thread in threading.enumerate()]
    assert {(line["iteration"], line["phase"]) for line in said} == {(7, "training")}
    times = [line["wall_time"] for line in said]
    assert times == sorted(set(times))
    assert len(lines_of(tmp_path)) == len(said) + 1


def test_heartbeats_that_cannot_be_written_end_with_a_warning(
    tmp_path: Path,
    wait_for: WaitFor,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: float) -> float:
        raise TrainingError("metrics.jsonl: cannot be written")

    journal = Journal(tmp_path, tensorboard=False)
    monkeypatch.setattr(journal, "repeat_heartbeat", fail)
    with caplog.at_level(logging.WARNING), Heartbeat(journal, silence_s=0.01):
        wait_for(lambda: "heartbeat" not in [thread.name for thread in threading.enumerate()])

    assert caplog.messages == ["metrics.jsonl: cannot be written"]
