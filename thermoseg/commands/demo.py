"""`thermoseg demo`: a short session, and what it leaves behind."""

import argparse
import time
from pathlib import Path
from typing import Final

from thermoseg.arguments import add_model_option, choose_model, positive_seconds
from thermoseg.commands.live_report import exit_code, print_report, record_watched

DEMO_SECONDS: Final = 15.0
"""Long enough for three breaths."""

DEMO_MASKS: Final = 5


def add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `demo` to the parser."""
    parser = commands.add_parser(
        "demo",
        help="record the simulated camera and save its traces and masks",
        description="Run a short session without a window and show what it leaves behind.",
    )
    parser.add_argument("--camera", metavar="ADDRESS", help="default: simulated:")
    parser.add_argument(
        "--out", type=Path, default=Path("out/demo"), metavar="DIR", help="default: out/demo"
    )
    parser.add_argument(
        "--duration",
        type=positive_seconds,
        default=DEMO_SECONDS,
        metavar="S",
        help=f"seconds, default {DEMO_SECONDS:.0f}",
    )
    add_model_option(parser)
    parser.set_defaults(run=_run, unfinished_in=_folders_of)


def _folders_of(arguments: argparse.Namespace) -> list[Path]:
    """Return the folders in which recordings of this command may lie: each has one of its own."""
    return [folder for folder in arguments.out.glob("*") if folder.is_dir()]


def _run(arguments: argparse.Namespace) -> int:
    from thermoseg.config import load_settings
    from thermoseg.recording.reader import Recording
    from thermoseg.recording_plan import RecordingPlan
    from thermoseg.session_pictures import plot_traces, save_masks

    folder = arguments.out / time.strftime("%Y%m%d-%H%M%S")
    address = arguments.camera or load_settings().camera
    plan = RecordingPlan.to_file(folder / "session.h5")
    report = record_watched(address, plan, arguments.duration, choose_model(arguments.model))
    print_report(report)
    with Recording(report.path) as recording:
        plot_traces(recording, folder / "traces.png")
        masks = save_masks(recording, folder / "masks", DEMO_MASKS)
    print()
    print(f"recording   {report.path}")
    print(f"traces      {folder / 'traces.png'}")
    print(f"masks       {folder / 'masks'} ({len(masks)}, each with its overlay)")
    return exit_code(report)
