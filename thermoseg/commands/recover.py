"""`thermoseg recover`: a readable copy of what a crash has left."""

import argparse
from pathlib import Path

from thermoseg.exit_codes import DAMAGED, OK
from thermoseg.terminal import complain


def add_recover(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `recover` to the parser."""
    parser = commands.add_parser(
        "recover",
        help="make a session readable after a crash",
        description="Copy everything of a session that is sound into NAME.recovered.h5; the "
        "session itself is not touched.",
        epilog="Exit code 3 if something of the session is not in the copy; each loss is told and "
        "is an event of the copy.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the copy; default: beside the session"
    )
    parser.set_defaults(run=_run, finds_unfinished=True)


def _run(arguments: argparse.Namespace) -> int:
    from thermoseg.recording.recovery import recover

    report = recover(arguments.file, arguments.out)
    print(report.path)
    for sentence in (*report.notes, *report.losses):
        complain(sentence)
    return DAMAGED if report.losses else OK
