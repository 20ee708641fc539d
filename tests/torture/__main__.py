"""`python -m tests.torture [KIND …] [--quick]`: tried and survived, for each kind of misfortune.

Exit code 1 if anything was not survived; what it was stands under the table.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.torture import damage, disks, kills
from tests.torture.trial import Trial

KINDS: Final[dict[str, Callable[[Path, bool], Iterator[Trial]]]] = {
    "slow disk": disks.try_slow_disks,
    "full disk": disks.try_full_disks,
    "kill": kills.try_kills,
    "kill at once": kills.try_early_kills,
    "signal": kills.try_signals,
    "cut": damage.try_cuts,
    "flipped bit": damage.try_flips,
    "impossible content": damage.try_impossible_content,
    "planted file": damage.try_planted_files,
}


def main() -> int:
    """Try the kinds that are named, or all, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--quick", action="store_true", help="a few of each")
    arguments = parser.parse_args()
    unknown = set(arguments.kinds) - set(KINDS)
    if unknown:
        parser.error(f"no kind is called {', '.join(sorted(unknown))}")
    failures, lines = (
        [],
        ["| kind | what is tried | tried | survived | figures |", "|---|---|---|---|---|"],
    )
    for name in arguments.kinds or KINDS:
        began_s = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="thermoseg-torture-") as folder:
            trials = list(KINDS[name](Path(folder), arguments.quick))
        failures += [(name, trial) for trial in trials if not trial.survived]
        lines += _rows(name, trials)
        print(f"{name}: {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
    print("\n".join(lines))
    for name, trial in failures:
        print(f"\nnot survived: {name}, {trial.what}: {trial.told}")
    return 1 if failures else 0


def _rows(name: str, trials: list[Trial]) -> Iterator[str]:
    """One line for each thing that was tried, with the worst of its figures."""
    for what in dict.fromkeys(trial.what for trial in trials):
        same = [trial for trial in trials if trial.what == what]
        survived = sum(trial.survived for trial in same)
        figures = sorted({figure for trial in same for figure in trial.figures})
        worst = ", ".join(
            f"{figure} ≤ {max(t.figures[figure] for t in same if figure in t.figures):g}"
            for figure in figures
        )
        yield f"| {name} | {what} | {len(same)} | {survived} | {worst} |"


if __name__ == "__main__":
    sys.exit(main())
