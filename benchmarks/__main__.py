"""`python -m benchmarks`: every benchmark, one after the other, each in a process of its own."""

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run all and return how many failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="such as live or network; all if none is named")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the live benchmark")
    arguments = parser.parse_args()
    folder = Path(__file__).parent
    known = {path.stem.removeprefix("bench_"): path for path in sorted(folder.glob("bench_*.py"))}
    unknown = set(arguments.names) - set(known)
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; known: {', '.join(known)}")
    failed = 0
    for name in arguments.names or known:
        command = [sys.executable, "-m", f"benchmarks.{known[name].stem}"]
        if name == "live":
            command += ["--seconds", str(arguments.seconds)]
        failed += subprocess.run(command, check=False, cwd=folder.parent).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
