"""A disk that is slow to confirm what it was given costs no frame, and what is at risk is told."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import WaitFor
from thermoseg.recording.disk_sync import DiskSync, Mark
from thermoseg.recording.reader import Recording

SLOW_DISK = Path(__file__).with_name("slow_disk.py")


class Disk:
    """Fsyncs that end when the test says so."""

    def __init__(self) -> None:
        self.begun = 0
        self._gates: list[threading.Event] = []

    def sync(self) -> None:
        gate = threading.Event()
        self.begun += 1
        self._gates.append(gate)
        gate.wait(30)

    def confirm(self, number: int = 0) -> None:
        self._gates.pop(number).set()


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    while disk._gates:
        disk.confirm()


def after(step: Callable[[], None], holds: Callable[[], bool]) -> Callable[[], bool]:
    """Return a condition that takes `step` each time before it looks whether it holds."""

    def condition() -> bool:
        step()
        return holds()

    return condition


def test_nothing_is_safe_before_the_disk_has_confirmed_it(disk: Disk, wait_for: WaitFor) -> None:
    sync = DiskSync(disk.sync)
    sync.request(Mark(5, 0.2))
    wait_for(lambda: disk.begun == 1)
    assert sync.safe is None

    disk.confirm()
    wait_for(after(sync.look, lambda: sync.safe == Mark(5, 0.2)))
    sync.finish()


def test_what_is_written_while_an_fsync_runs_is_safe_with_the_next_one_only(
    disk: Disk, wait_for: WaitFor
) -> None:
    sync = DiskSync(disk.sync, lanes=1)
    sync.request(Mark(5, 0.2))
    wait_for(lambda: disk.begun == 1)
    sync.request(Mark(9, 0.3))
    sync.request(Mark(12, 0.4))
    disk.confirm()
    wait_for(after(sync.look, lambda: disk.begun == 2))
    assert sync.safe == Mark(5, 0.2)

    disk.confirm()
    wait_for(after(sync.look, lambda: sync.safe == Mark(12, 0.4)))
    sync.finish()
    assert disk.begun == 2


def test_an_fsync_that_is_overtaken_takes_nothing_back(disk: Disk, wait_for: WaitFor) -> None:
    sync = DiskSync(disk.sync)
    sync.request(Mark(1, 0.1))
    wait_for(lambda: disk.begun == 1)
    wait_for(after(lambda: sync.request(Mark(2, 0.2)), lambda: disk.begun == 2))
    disk.confirm(1)
    wait_for(after(sync.look, lambda: sync.safe == Mark(2, 0.2)))
    disk.confirm(0)
    sync.finish()
    assert sync.safe == Mark(2, 0.2)


def test_a_disk_that_refuses_is_told_of_to_whoever_writes(wait_for: WaitFor) -> None:
    def refuse() -> None:
        raise OSError(5, "Input/output error")

    sync = DiskSync(refuse)
    sync.request(Mark(1, 0.0))
    with pytest.raises(OSError, match="Input/output"):
        wait_for(after(sync.look, lambda: False))
    sync.finish()


def record_slowly(path: Path, latency_s: float, seconds: float) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SLOW_DISK), str(path), str(latency_s), str(seconds)],
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.timeout(300)
@pytest.mark.parametrize("latency_s", [0.3, 1.0])
def test_no_frame_is_dropped_though_each_fsync_takes_long(tmp_path: Path, latency_s: float) -> None:
    told = record_slowly(tmp_path / "a.h5", latency_s, 6)

    assert (told["captured"], told["recorded"], told["dropped"]) == (180, 180, 0)
    assert told["failed"] == ""
    with Recording(tmp_path / "a.h5") as recording:
        assert recording.complete
        assert recording.indices.tolist() == list(range(180))
        assert [event.text for event in recording.events] == [
            f"event {i}" for i in range(0, 180, 30)
        ]
        assert np.all(np.diff(recording.clock("frames/monotonic_s")) > 0)


def test_a_slow_disk_is_said_to_be_slow(tmp_path: Path) -> None:
    told = record_slowly(tmp_path / "a.h5", 1.5, 5)

    assert told["at_risk_s"] > 1
    assert told["warned"]
