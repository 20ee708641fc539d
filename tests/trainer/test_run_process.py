"""Whether the process of a run lives: by its number, its start and its machine together."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import WaitFor
from thermoseg.errors import TrainingError
from trainer.config import TrainingConfig
from trainer.run_folder import ABOUT, begin_run, note_process, read_about
from trainer.run_process import ProcessState, process_of, process_state, this_process

CONFIG = TrainingConfig.model_validate({"sources": [{"kind": "phantom"}], "run": {"iterations": 1}})

BEGIN = """
import sys
from pathlib import Path
from tests.trainer.test_run_process import CONFIG
from trainer.run_folder import begin_run
begin_run(Path(sys.argv[1]), CONFIG, ["train"])
print("begun", flush=True)
sys.stdin.read()
"""


def test_a_run_lives_as_long_as_the_process_that_trains_it(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN, str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    about = read_about(run)
    named = process_of(about)
    assert named is not None
    assert named.pid == process.pid
    assert process_state(about) is ProcessState.ALIVE

    process.communicate()
    assert process_state(about) is ProcessState.ENDED


def test_a_process_that_ended_and_was_not_waited_for_is_no_living_one(wait_for: WaitFor) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    started = psutil.Process(process.pid).create_time()
    wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)

    assert process_state(changed(pid=process.pid, started=started)) is ProcessState.ENDED
    process.wait()


def changed(**values: object) -> dict[str, Any]:
    return {"process": this_process().model_dump() | values}


@pytest.mark.parametrize(
    ("about", "state"),
    [
        pytest.param(changed(), ProcessState.ALIVE, id="this very process"),
        pytest.param(changed(started=1.0e9), ProcessState.ENDED, id="its number is another's now"),
        pytest.param(changed(pid=2**30), ProcessState.ENDED, id="no such process"),
        pytest.param(changed(pid=-1), ProcessState.ENDED, id="no number of a process"),
        pytest.param(changed(pid=2**70), ProcessState.ENDED, id="too large a number"),
        pytest.param(changed(host="elsewhere"), ProcessState.UNKNOWN, id="another machine"),
        pytest.param(changed(pid="seven"), ProcessState.UNKNOWN, id="damaged"),
        pytest.param({}, ProcessState.UNKNOWN, id="begun by an older version"),
        pytest.param({"process": [1, 2]}, ProcessState.UNKNOWN, id="of another kind"),
    ],
)
def test_the_state_of_a_process(about: dict[str, Any], state: ProcessState) -> None:
    assert process_state(about) is state


def test_who_resumes_a_run_is_named_and_the_rest_stays(tmp_path: Path) -> None:
    begin_run(tmp_path / "run", CONFIG, ["train", "a.toml"])
    path = tmp_path / "run" / ABOUT
    before = json.loads(path.read_text()) | changed(pid=1, started=0.0, host="elsewhere")
    path.write_text(json.dumps(before))
    note_process(tmp_path / "run")

    after = read_about(tmp_path / "run")
    assert process_state(after) is ProcessState.ALIVE
    assert {**after, "process": None} == {**before, "process": None}


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no run"):
        note_process(tmp_path)
