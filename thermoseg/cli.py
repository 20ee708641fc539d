"""The command line, `thermoseg …`: its parser, and what any command's failure becomes.

What a command does stands in `thermoseg.commands`.  Heavy libraries are imported by the command
that needs them, so that `thermoseg -h` answers at once.
"""

import argparse
import logging
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from thermoseg.commands.analyze import add_analyze
from thermoseg.commands.cameras import add_cameras
from thermoseg.commands.demo import add_demo
from thermoseg.commands.info import add_info
from thermoseg.commands.machine import (
    add_doctor,
    add_install_desktop,
    add_install_udev,
    add_models,
)
from thermoseg.commands.record import add_record
from thermoseg.commands.recover import add_recover
from thermoseg.commands.segment import add_segment
from thermoseg.commands.verify import add_verify
from thermoseg.errors import ThermoSegError
from thermoseg.exit_codes import FAILED, INTERRUPTED
from thermoseg.export.cli import add_export
from thermoseg.recording.unfinished import say_unfinished
from thermoseg.terminal import complain, escape_what_cannot_be_encoded, open_closed_streams


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code.

    0: done; 1: failed, one sentence on stderr says why; 2: wrong usage; 3: part of a session is
    damaged or lost, a sentence each on stderr; 130: interrupted.
    """
    sys.excepthook = _report_defect
    open_closed_streams()
    escape_what_cannot_be_encoded()
    arguments = build_parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO if arguments.verbose else logging.ERROR,
        format="%(levelname)s %(name)s: %(message)s",
    )
    with ExitStack() as stack:
        if arguments.log_file:
            from thermoseg.log_file import keeping_log

            stack.enter_context(keeping_log("thermoseg", complain))
        return _perform(arguments)


def _perform(arguments: argparse.Namespace) -> int:
    """Run the command; what was to be expected is told in a sentence."""
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        for sentence in say_unfinished(unfinished_folders(arguments)):
            complain(sentence)
        return run(arguments)
    except ThermoSegError as error:
        complain(str(error))
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        complain(
            f"“{error.filename}”: {error.strerror or error}; check that place, its rights and its "
            "free space"
            if error.filename
            else f"the system refused ({error.strerror or error}); check free space and memory, "
            "and where output goes"
        )
    except KeyboardInterrupt:
        return INTERRUPTED
    return FAILED


def unfinished_folders(arguments: argparse.Namespace) -> list[Path]:
    """Return where a crash may have left what this command is told of; see `find_unfinished`.

    A command names folders of its own with `unfinished_in`, or is at it already.
    """
    if getattr(arguments, "finds_unfinished", False):
        return []
    folders: Callable[[argparse.Namespace], list[Path]] | None
    folders = getattr(arguments, "unfinished_in", None)
    return [Path(), *([] if folders is None else folders(arguments))]


def build_parser() -> argparse.ArgumentParser:
    """Build the parser; `run` of what it returns is the command's function."""
    parser = argparse.ArgumentParser(
        prog="thermoseg",
        description="Segment thermal faces, live or from files, and follow their temperatures.",
        epilog="Exit codes: 0 done, 1 failed (one sentence says why), 2 wrong usage, 3 part of a "
        "session is damaged or lost (a sentence each says what), 130 Ctrl-C.",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="tell what is going on")
    parser.add_argument(
        "--log-file", action="store_true", help="write down what is going on, and say where"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_segment(commands)
    add_record(commands)
    add_demo(commands)
    add_analyze(commands)
    add_info(commands)
    add_recover(commands)
    add_verify(commands)
    add_export(commands)
    add_cameras(commands)
    add_install_udev(commands)
    add_install_desktop(commands)
    add_models(commands)
    add_doctor(commands)
    return parser


def _report_defect(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Write the traceback of a defect to a file and say so in one sentence."""
    import platformdirs

    folder = platformdirs.user_log_path("thermoseg", ensure_exists=True)
    path = folder / f"defect-{time.strftime('%Y%m%d-%H%M%S')}.txt"
    path.write_text("".join(traceback.format_exception(kind, error, trace)), encoding="utf-8")
    complain(f"this is a defect of ThermoSeg ({kind.__name__}); please report it with “{path}”")
