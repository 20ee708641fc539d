import json
import math
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from thermoseg.errors import TrainingError
from trainer.journal import Journal


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
