"""`thermoseg analyze`: sessions segmented and measured anew."""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from thermoseg.arguments import add_model_option, choose_model
from thermoseg.errors import AnalysisCancelledError, ThermoSegError
from thermoseg.exit_codes import DAMAGED, FAILED, INTERRUPTED, OK
from thermoseg.terminal import complain_above, count, printable, progress_bar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def add_analyze(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `analyze` to the parser."""
    parser = commands.add_parser(
        "analyze",
        help="segment and measure sessions anew",
        description="Segment and measure every frame of finished sessions anew, with another model "
        "or emissivity, into NAME.analysis-N.h5 beside each.  Sessions are not changed.",
        epilog="Exit codes: 0 all are analysed, 3 parts of them could not be read, 1 some could "
        "not be analysed, 130 Ctrl-C, which leaves no half file.",
    )
    parser.add_argument("sessions", nargs="+", type=Path, metavar="SESSION", help="file, .h5")
    add_model_option(parser)
    parser.add_argument(
        "--emissivity", metavar="E", help="of the skin, above 0 to 1; default: the session's"
    )
    parser.add_argument(
        "--reflected", metavar="C", help="what the skin mirrors, °C; default: the session's"
    )
    parser.add_argument(
        "--mode",
        choices=("live", "best"),
        default="live",
        help="live (default): as the live view does; best: every frame searched, 10 to 60 times "
        "slower",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the analyses; default: beside each"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from thermoseg.analysis import analyze
    from thermoseg.analysis_settings import read_settings
    from thermoseg.interruption import noting_interruption

    settings = read_settings(
        {
            "emissivity": arguments.emissivity,
            "reflected_c": arguments.reflected,
            "mode": arguments.mode,
        }
    )
    failed = lost = False
    with noting_interruption() as interrupted, progress_bar() as progress:
        for session in arguments.sessions:
            # A new one for each: faces are followed from frame to frame.
            segmenter = choose_model(arguments.model, mode=settings.mode)
            task = progress.add_task(session.name, total=None)
            tell = partial(_tell_progress, progress, task)
            try:
                report = analyze(
                    session, segmenter, settings, arguments.out, tell, interrupted.is_set
                )
            except AnalysisCancelledError as error:
                complain_above(progress, str(error))
                return INTERRUPTED
            except ThermoSegError as error:
                failed = True
                complain_above(progress, str(error))
            else:
                lost |= bool(report.losses)
                print(printable(f"{report.path} ({count(report.frames, 'frame')})"), flush=True)
                for sentence in (*report.losses, *report.notes):
                    complain_above(progress, sentence)
            progress.remove_task(task)
    return FAILED if failed else DAMAGED if lost else OK


def _tell_progress(progress: "Progress", task: "TaskID", done: int, total: int) -> None:
    progress.update(task, completed=done, total=total)
