"""`python -m tests.fuzz [TARGET …] --seconds 60`: with atheris where it is installed, else without.

atheris (`pip install -e .[fuzz]`) follows which code an input reaches and looks for inputs that
reach more; without it sound inputs are broken at random.
"""

import argparse
import importlib.util
import logging
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from tests.fuzz.mutate import mutate
from tests.fuzz.targets import MAX_BYTES, MAX_SECONDS, TARGETS, Target
from thermoseg.whole_file import write_whole


def main() -> int:
    """Feed the targets named, or all, and return 1 if one gave way."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.splitlines()[0]
    )
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--seed", type=int, default=0, help="of the random breaking")
    parser.add_argument("--plain", action="store_true", help="without atheris")
    arguments = parser.parse_args()
    names = arguments.targets or list(TARGETS)
    logging.disable(logging.ERROR)  # a parser warns of what it leaves out, here of thousands
    guided = not arguments.plain and importlib.util.find_spec("atheris") is not None
    print("with atheris" if guided else "at random, atheris is not used", flush=True)
    failed = 0
    for name in names:
        if guided:
            failed += _guided(name, arguments.seconds)
        else:
            _at_random(name, TARGETS[name], arguments.seconds, arguments.seed)
    return 1 if failed else 0


def _at_random(name: str, target: Target, seconds: float, seed: int) -> None:
    """Break sound inputs at random; what gives way is kept in a file and raised."""
    seeds, rng = target.seeds(), np.random.default_rng(seed)
    for sound in seeds:
        target.feed(sound)
    limit_memory()
    began_s, count = time.monotonic(), 0
    while time.monotonic() - began_s < seconds:
        data = mutate(seeds[int(rng.integers(0, len(seeds)))], rng)
        fed_s = time.monotonic()
        try:
            target.feed(data)
            if time.monotonic() - fed_s > MAX_SECONDS:
                raise TimeoutError(f"{name} took {time.monotonic() - fed_s:.1f} s")
        except BaseException:
            path = Path(tempfile.gettempdir()) / f"fuzz-{name}-{count}.bin"
            write_whole(path, data)
            print(f"{name} gave way to {path}", flush=True)
            raise
        count += 1
    print(f"{name}: {count} inputs, only errors of our own", flush=True)


def limit_memory() -> None:
    """Let this process take `MAX_BYTES` more than it has now, and then fail to get any."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    now = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (now + MAX_BYTES, hard))


def _guided(name: str, seconds: float) -> int:
    """Let atheris feed one target, in a process of its own: libFuzzer ends the one it runs in."""
    seeds = TARGETS[name].seeds()
    with tempfile.TemporaryDirectory() as corpus:
        for number, sound in enumerate(seeds):
            (Path(corpus) / f"{number}").write_bytes(sound)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.guided", name, corpus),
                f"-max_total_time={seconds:.0f}",
                f"-timeout={MAX_SECONDS:.0f}",
                f"-rss_limit_mb={(MAX_BYTES >> 20) + 512}",
                # A sound input that is cut off is none.
                f"-max_len={max(65536, 2 * max(map(len, seeds)))}",
                f"-artifact_prefix={tempfile.gettempdir()}/fuzz-{name}-",
                "-print_final_stats=1",
                "-verbosity=0",
            ],
            check=False,
        )
    print(f"{name}: {'gave way, see above' if done.returncode else 'only errors of our own'}")
    return int(done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
