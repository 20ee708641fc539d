"""`thermoseg verify`: whether files are sound."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from thermoseg.exit_codes import DAMAGED, FAILED, OK
from thermoseg.terminal import complain, count, printable

if TYPE_CHECKING:
    from thermoseg.recording.verification import Verdict


def add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `verify` to the parser."""
    parser = commands.add_parser(
        "verify",
        help="read everything of sessions and tell whether they are sound",
        description="Read every picture and table of sessions, or of analyses of them, which "
        "verifies their checksums, and look whether what they hold can be.  The files are not "
        "touched.",
        epilog="Exit codes: 0 all are sound, 3 some are damaged or unfinished, 1 some cannot be "
        "read.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one object in JSON per file")
    parser.set_defaults(run=_run, finds_unfinished=True)


def _run(arguments: argparse.Namespace) -> int:
    from thermoseg.recording.verification import State, verify

    states = set()
    for path in arguments.files:
        verdict = verify(path)
        states.add(verdict.state)
        if arguments.json:
            print(json.dumps(asdict(verdict) | {"path": str(path)}, ensure_ascii=False))
        else:
            looked_at = _say_looked_at(verdict)
            doing = " so far, and is being recorded" if verdict.being_recorded else ""
            print(printable(f"{path}: {verdict.state}{doing} ({looked_at})"))
        for problem in verdict.problems:
            complain(problem if str(path) in problem else f"{path}: {problem}")
        sys.stdout.flush()
    if State.UNREADABLE in states:
        return FAILED
    return OK if states <= {State.SOUND} else DAMAGED


def _say_looked_at(verdict: "Verdict") -> str:
    names = ("frames/counts", "labels/labels", "frames/index")
    pictures, labels, frames = (verdict.rows.get(name, 0) for name in names)
    if verdict.analysis_of:
        return f"analysis of {verdict.analysis_of}, {count(labels, 'picture')} of labels"
    if frames and not pictures:
        return f"{count(frames, 'frame')} without pictures"
    return f"{count(pictures, 'frame')}, {count(labels, 'picture')} of labels"
