"""Killed, whoever it is and whenever, on a machine with twenty other things to do."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil

from tests.recording.made_frames import KILLED_SIZE, RATE_HZ, made_info
from tests.torture.trial import Trial, read_frames, run
from thermoseg.recording.reader import Recording

LOST_S = 1.0
"""What a kill may cost at most."""
LOAD = 20
PROGRAM = Path(__file__).parents[1] / "recording" / "made_frames.py"
VICTIMS = ("writer", "program", "everything")
PATIENCE_S = 300.0


def try_kills(folder: Path, quick: bool) -> Iterator[Trial]:
    """Kill the writer, the program or both at any moment, with a load of 20 and without."""
    rng = random.Random(1)
    for number in range(6 if quick else 60):
        loaded = number % 2 == 1
        victim = VICTIMS[number // 2 % 3]
        with _load(LOAD if loaded else 0):
            yield _kill(folder / f"kill-{number}.h5", victim, rng.uniform(0, 3), loaded)


def try_early_kills(folder: Path, quick: bool) -> Iterator[Trial]:
    """Kill everything as soon as the recording is said to run: there must be a file."""
    for number in range(3 if quick else 20):
        path = folder / f"early-{number}.h5"
        program = (
            "import os, sys\n"
            f"sys.path.insert(0, {str(PROGRAM.parent)!r})\n"
            "from pathlib import Path\n"
            "import made_frames as made\n"
            "from thermoseg.recording.recorder import Recorder\n"
            "recorder = Recorder(Path(sys.argv[1]), made.made_info(), 'made:', None)\n"
            "recorder.start()\n"
            "recorder.wait_on_disk()\n"
            "os.kill(recorder._link.writer.pid, 9)\n"
            "os.kill(os.getpid(), 9)\n"
        )
        subprocess.run([sys.executable, "-c", program, str(path)], check=False)
        code, _, told = run("info", path)
        recovered, _, said = run("recover", path)
        yield Trial("everything, within milliseconds", code == recovered == 0, told + said)


def try_signals(folder: Path, quick: bool) -> Iterator[Trial]:
    """Send `thermoseg record` what asks it to end: a finished file and a summary come of it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        for repeat in range(1 if quick else 3):
            path = folder / f"{number.name}-{repeat}.h5"
            command = [sys.executable, "-m", "thermoseg", "record", "simulated:?width=80&height=64"]
            command += ["--out", str(path), "--duration", "120", "--model", "none"]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            _wait_until(partial(_is_recorded, path))
            time.sleep(1)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
            whole = path.exists() and run("verify", path)[0] == 0
            with Recording(path) as recording:
                whole &= recording.complete and len(recording) > 0
            summary = number == signal.SIGHUP or "captured" in out
            yield Trial(number.name, whole and summary and "Traceback" not in err, out + err)


def _kill(path: Path, victim: str, moment_s: float, loaded: bool) -> Trial:
    what = f"{victim}{f', load {LOAD}' if loaded else ''}"
    told = path.with_suffix(".told")
    with told.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(path)], stdout=out, stderr=subprocess.DEVNULL
        )
    _wait_until(lambda: "safe" in told.read_text().splitlines())
    time.sleep(moment_s)
    writer = psutil.Process(int(told.read_text().split()[1]))
    killed_s = time.monotonic()
    if victim != "program":
        writer.kill()
    if victim != "writer":
        process.kill()
    process.wait(PATIENCE_S)
    psutil.wait_procs([writer], PATIENCE_S)
    rows = [line.split() for line in told.read_text().splitlines()[1:-1] if line[:1].isdigit()]
    last = max(int(row[0]) for row in rows if len(row) == 3 and float(row[2]) < killed_s)
    info = made_info(*KILLED_SIZE)
    code, _, complaint = run("recover", path)
    with Recording(path) as recording:
        lost_s = max(last - int(recording.indices[-1]), 0) / RATE_HZ
        _, wrong = read_frames(recording, info)
    survived = lost_s <= LOST_S and not wrong and code == 0
    return Trial(what, survived, complaint, {"lost (s)": round(lost_s, 2), "wrong": wrong})


def _is_recorded(path: Path) -> bool:
    return path.exists() and run("info", path)[0] == 0


@contextmanager
def _load(programs: int) -> Iterator[None]:
    """Keep the machine busy with programs that do nothing else."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(programs)]
    try:
        yield
    finally:
        for program in busy:
            program.kill()
            program.wait()


def _wait_until(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError("the program that records does not get going")
        time.sleep(0.02)
