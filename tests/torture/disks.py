"""Disks that are slow to confirm what they were given, and disks that are full."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.torture.trial import Trial, run

RECORDING = Path(__file__).parents[1] / "recording"
LATENCIES_S = (0.1, 0.3, 1.0, 3.0)
SECONDS = 12.0
ENDED_S = 10.0
"""“In seconds”, with an fsync of 3 s."""
LARGE_BYTES = 70 * 10**6
MOUNT = 'mount -t tmpfs -o size=64m tmpfs "$1" || exit 77; shift; exec "$@"'


def try_slow_disks(folder: Path, quick: bool) -> Iterator[Trial]:
    """Record 640×512 at 30 frames a second while every fsync takes so long."""
    for latency_s in LATENCIES_S[:2] if quick else LATENCIES_S:
        place = folder / f"{latency_s}"
        place.mkdir()
        program = [sys.executable, str(RECORDING / "slow_disk.py"), str(place / "a.h5")]
        done = subprocess.run(
            [*program, str(latency_s), str(SECONDS)], capture_output=True, text=True, check=False
        )
        what = f"fsync of {latency_s:g} s, 640×512, 30 frames/s, {SECONDS:.0f} s"
        if done.returncode:
            yield Trial(what, False, done.stderr)
            continue
        told = json.loads(done.stdout)
        at_risk_s = told["at_risk_s"] or 0.0
        survived = (
            told["dropped"] == 0
            and told["recorded"] == told["captured"] == round(30 * SECONDS)
            and at_risk_s <= max(1.0, 2 * latency_s)
            and told["ending_s"] <= ENDED_S
            and run("verify", place / "a.h5")[0] == 0
        )
        figures = {"at risk (s)": at_risk_s, "ending (s)": told["ending_s"]}
        figures["dropped"] = told["dropped"]
        yield Trial(what, survived, done.stdout, {n: round(v, 2) for n, v in figures.items()})


def try_full_disks(folder: Path, quick: bool) -> Iterator[Trial]:
    """Record onto a disk of 64 MB until it is full, and recover onto one."""
    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("unshare"):
        return
    for stop_bytes, what in ((0, "to its last byte"), (20_000_000, "with a reserve")):
        for repeat in range(1 if quick else 3):
            small, elsewhere = (
                folder / f"{stop_bytes}-{repeat}",
                folder / f"to-{stop_bytes}-{repeat}",
            )
            small.mkdir()
            elsewhere.mkdir()
            program = [sys.executable, str(RECORDING / "full_disk.py"), str(small)]
            done = _on_small_disk(small, [*program, str(stop_bytes), str(elsewhere)])
            if done.returncode:
                yield Trial(f"recording, {what}", False, done.stderr)
                continue
            told = json.loads(done.stdout)
            lost = told["recorded"] - told["readable"]
            survived = told["wrong"] == 0 and lost <= 0 and "full" in told["failed"]
            figures = {"lost frames": max(lost, 0), "wrong": told["wrong"]}
            yield Trial(f"recording, {what}", survived, told["failed"], figures)
    yield from _recover_onto_full_disk(folder)


def _recover_onto_full_disk(folder: Path) -> Iterator[Trial]:
    """One sentence, nothing left, and no crash."""
    source, target = folder / "large.h5", folder / "small"
    target.mkdir()
    program = [sys.executable, str(RECORDING / "slow_disk.py"), str(source), "0", "15"]
    subprocess.run(program, capture_output=True, check=True)
    if source.stat().st_size < LARGE_BYTES:
        raise RuntimeError("the recording to be recovered is too small to fill the disk")
    listing = f"ls -A '{target}'"
    command = f"'{sys.executable}' -m thermoseg recover '{source}' --out '{target}'; echo code $?; "
    done = _on_small_disk(target, ["sh", "-c", command + listing])
    survived = (
        done.stdout.splitlines() == ["code 1"]
        and len(done.stderr.strip().splitlines()) == 1
        and "cannot be written" in done.stderr
    )
    yield Trial("recovering onto one", survived, done.stdout + done.stderr)


def _on_small_disk(place: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command that sees a disk of 64 MB at `place`."""
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", MOUNT, "sh", str(place), *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
