"""`thermoseg export KIND SESSION… --out DIR`: one session after another."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from thermoseg.errors import ExportCancelledError, ThermoSegError
from thermoseg.exit_codes import DAMAGED, FAILED, INTERRUPTED, OK
from thermoseg.export.formats import FORMATS, Export, ExportFormat
from thermoseg.export.job import Watch, plan_stems
from thermoseg.terminal import complain_above, printable, progress_bar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_EPILOG: Final = (
    "Nothing is overwritten.  Exit codes: 0 all is exported, 3 part of a session was damaged and "
    "is left out (a sentence each says what), 1 a session could not be exported, 130 Ctrl-C, which "
    "leaves no half file."
)


def add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its kinds to the parser."""
    parser = commands.add_parser(
        "export", help="make tables, videos, pictures or cuts of sessions", epilog=_EPILOG
    )
    kinds = parser.add_subparsers(title="kinds", metavar="KIND", required=True)
    for kind in FORMATS:
        _add_kind(kinds, kind)


def _add_kind(
    kinds: "argparse._SubParsersAction[argparse.ArgumentParser]", kind: ExportFormat
) -> None:
    parser = kinds.add_parser(kind.name, help=kind.title, epilog=_EPILOG)
    parser.add_argument("sessions", nargs="+", type=Path, metavar="SESSION", help="session file")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder of the results"
    )
    kind.add_options(parser)
    parser.set_defaults(run=_run, kind=kind)


def _run(arguments: argparse.Namespace) -> int:
    from thermoseg.interruption import noting_interruption

    export: Export = arguments.kind.choose(arguments)
    code = OK
    with noting_interruption() as interrupted, progress_bar() as progress:
        for session, stem in plan_stems(arguments.sessions).items():
            task = progress.add_task(session.name, total=None)
            watch = Watch(_bar(progress, task), interrupted.is_set)
            try:
                exported = export(session, arguments.out, stem=stem, watch=watch)
            except ExportCancelledError:
                return INTERRUPTED
            except ThermoSegError as error:
                complain_above(progress, str(error))
                code = FAILED
                continue
            finally:
                progress.remove_task(task)
            for note in exported.notes:
                complain_above(progress, note)
            for path in exported.paths:
                sys.stdout.write(f"{printable(path)}\n")
            sys.stdout.flush()
            if exported.notes and code == OK:
                code = DAMAGED
    return code


def _bar(progress: "Progress", task: "TaskID") -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)

    return show
