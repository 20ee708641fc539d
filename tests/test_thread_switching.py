"""Programs that stream let their threads take turns more often than Python does by itself."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from thermoseg import cli
from thermoseg.thread_switching import NICE, SWITCH_S, step_back


@pytest.fixture(autouse=True)
def usual_interval() -> Iterator[None]:
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    yield
    sys.setswitchinterval(before_s)


def test_the_command_that_records_lets_threads_take_turns(tmp_path: Path) -> None:
    source = "simulated:?width=80&height=60&frames=2&realtime=false"
    out = ("--out", str(tmp_path / "s.h5"), "--duration", "9", "--model", "none")
    exit_code = cli.main(["record", source, *out])

    assert exit_code == 0
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)


def test_a_command_that_streams_nothing_leaves_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models"]) == 0

    assert sys.getswitchinterval() == pytest.approx(0.005)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads have no priority there")
def test_the_thread_of_a_network_steps_back_and_no_other() -> None:
    def priorities() -> tuple[int, int]:
        step_back()
        step_back()
        with ThreadPoolExecutor(1) as pool:
            started_from_it = pool.submit(os.getpriority, os.PRIO_PROCESS, 0).result()
        return os.getpriority(os.PRIO_PROCESS, 0), started_from_it

    before = os.getpriority(os.PRIO_PROCESS, 0)
    with ThreadPoolExecutor(1) as network:
        own, started_from_it = network.submit(priorities).result()

    assert own == started_from_it == max(before, NICE)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
