"""Programs that stream let their threads take turns more often than Python does by itself."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from thermoseg import cli
from thermoseg.thread_switching import SWITCH_S


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
