"""Who is asked to end completes what was begun, and hears of it in one way."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from thermoseg.interruption import (
    SIGNALS,
    holding_interruption,
    noting_interruption,
    on_interruption,
)
from thermoseg.recording.reader import Recording

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@pytest.fixture(autouse=True)
def quiet_signals() -> Iterator[None]:
    """A signal that is let through must fail a test, not end the tests."""
    before = {number: signal.signal(number, refuse) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def refuse(number: int, _frame: object) -> None:
    raise AssertionError(f"{signal.Signals(number).name} was let through")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_each_request_to_end_is_noted_and_ends_nothing(name: str) -> None:
    with noting_interruption() as interrupted:
        assert not interrupted.is_set()
        os.kill(os.getpid(), signal.Signals[name])
        assert interrupted.wait(timeout=5)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_afterwards_signals_do_what_they_did_before(name: str) -> None:
    with noting_interruption():
        pass

    with pytest.raises(AssertionError, match="let through"):
        signal.raise_signal(signal.Signals[name])


def test_whoever_acts_learns_which_signal_it_was() -> None:
    heard = list[signal.Signals]()
    with on_interruption(heard.append):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)

    assert heard == [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_that_is_held_acts_when_the_block_is_done(name: str) -> None:
    done = list[str]()

    def work() -> None:
        with holding_interruption():
            signal.raise_signal(signal.Signals[name])
            done.append("work")

    with pytest.raises(AssertionError, match=f"{name} was let through"):
        work()
    assert done == ["work"]


def test_a_fault_in_the_block_does_not_swallow_the_signal() -> None:
    def fail() -> None:
        with holding_interruption():
            signal.raise_signal(signal.SIGINT)
            raise ZeroDivisionError

    with pytest.raises(AssertionError, match="SIGINT was let through"):
        fail()


def test_a_fault_in_the_block_leaves_no_handler_behind() -> None:
    with pytest.raises(ZeroDivisionError), noting_interruption():
        raise ZeroDivisionError

    assert {signal.getsignal(number) for number in SIGNALS} == {refuse}


def test_nohup_is_respected() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with noting_interruption() as interrupted:
        signal.raise_signal(signal.SIGHUP)
        assert not interrupted.is_set()
        signal.raise_signal(signal.SIGTERM)
        assert interrupted.is_set()


def test_in_another_thread_nothing_changes() -> None:
    found = list[bool]()

    def note() -> None:
        with noting_interruption() as interrupted:
            found.append(interrupted.is_set())
            found.append({signal.getsignal(number) for number in SIGNALS} == {refuse})

    thread = threading.Thread(target=note)
    thread.start()
    thread.join()

    assert found == [False, True]


@pytest.mark.parametrize("number", SIGNALS)
def test_watching_cameras_ends_when_it_is_asked_to(
    number: signal.Signals, wait_for: Callable[..., None]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "thermoseg", "cameras", "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    _, complaints = process.communicate(timeout=30)

    assert process.returncode == 130
    assert complaints == ""


def test_a_recording_outlives_its_terminal_and_its_summary_is_told(
    tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    path, summary = tmp_path / "session.h5", tmp_path / "summary.txt"
    terminal, end = os.openpty()
    with summary.open("wb") as told:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "thermoseg", "record", "simulated:?width=80&height=60"),
                *("--out", str(path), "--duration", "600", "--model", "none", "--json"),
            ],
            stdout=told,
            stderr=end,
            env=os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")},
        )
    os.close(end)
    wait_for(lambda: path.exists() and path.stat().st_size > 20_000, timeout_s=30)
    os.close(terminal)
    process.send_signal(signal.SIGHUP)

    assert process.wait(timeout=30) == 130
    counts = json.loads(summary.read_text().splitlines()[-1])
    assert counts["interrupted"] is True
    with Recording(path) as recording:
        assert recording.complete
        assert len(recording) == counts["recorded"] == counts["captured"] > 0
    assert not list(tmp_path.rglob("defect*"))


def test_a_terminal_that_is_there_is_still_written_to() -> None:
    program = (
        "import signal; from thermoseg.interruption import noting_interruption\n"
        "with noting_interruption(): signal.raise_signal(signal.SIGHUP)\n"
        "print('told')"
    )
    terminal, end = os.openpty()
    subprocess.run([sys.executable, "-c", program], stdout=end, check=True)

    assert os.read(terminal, 100) == b"told\r\n"
    os.close(end)
    os.close(terminal)
