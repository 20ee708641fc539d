"""`thermoseg record`: a camera, or a sitting of a study, without a window."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from thermoseg.arguments import (
    NO_MODEL,
    add_model_option,
    choose_model,
    name_and_value,
    port_number,
    positive_seconds,
)
from thermoseg.commands.live_report import exit_code, print_report, record_watched, report_as_dict
from thermoseg.terminal import printable

if TYPE_CHECKING:
    from thermoseg.events import SessionEvent
    from thermoseg.headless import RecordingReport
    from thermoseg.inference.segmenter import Segmenter
    from thermoseg.recording_plan import RecordingPlan


def add_record(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `record` to the parser."""
    parser = commands.add_parser(
        "record",
        help="record a camera without a window",
        description="Record a camera into a session file while segmenting it.  Ctrl-C ends the "
        "recording early and leaves a whole file.",
        epilog="examples: thermoseg record 'simulated:?rate_hz=30' --out session.h5 --duration 60; "
        "thermoseg record --study rest-study --participant 07 --session 01 --task rest.  "
        "With --control another program starts, marks and stops recordings (docs/control.md).",
    )
    parser.add_argument(
        "address",
        nargs="?",
        metavar="ADDRESS",
        help="camera, as `thermoseg cameras` lists; default: that of the study",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="FILE", help="new session file, .h5")
    where.add_argument(
        "--study",
        type=Path,
        metavar="FOLDER",
        help="folder with study.toml: it names camera, model and fields, and the file is named "
        "after the sitting and counted up",
    )
    for name in ("participant", "session", "task"):
        parser.add_argument(f"--{name}", default="", help=f"{name} of the sitting, with --study")
    parser.add_argument(
        "--field",
        action="append",
        default=[],
        type=name_and_value,
        metavar="NAME=VALUE",
        help="value of a field of the study; may be repeated",
    )
    parser.add_argument(
        "--duration",
        type=positive_seconds,
        metavar="S",
        help="seconds; default: the conditions of the study, with --control until Ctrl-C",
    )
    parser.add_argument(
        "--control",
        type=port_number,
        metavar="PORT",
        help="record when another program on this computer says so through this port; 0 for any",
    )
    parser.add_argument(
        "--traces-only", action="store_true", help="store neither pictures nor masks"
    )
    add_model_option(parser, extra=f"; “{NO_MODEL}” records without segmenting")
    parser.add_argument(
        "--json", action="store_true", help="end with the counts as one line of JSON"
    )
    parser.set_defaults(run=_run, refuse=parser.error, unfinished_in=_folders_of)


def _folders_of(arguments: argparse.Namespace) -> list[Path]:
    """Return the folders in which recordings of this command may lie."""
    if arguments.study is not None:
        return list(arguments.study.glob("sourcedata/sub-*/ses-*"))
    return [arguments.out.parent]


def _run(arguments: argparse.Namespace) -> int:
    from thermoseg.headless import plan_file, plan_sitting

    if arguments.study is None:
        controlled = arguments.control is not None
        if arguments.address is None or (arguments.duration is None and not controlled):
            arguments.refuse("with --out, ADDRESS and --duration or --control are required")
        order = plan_file(arguments.out, pictures=not arguments.traces_only)
    else:
        named = (arguments.participant, arguments.session, arguments.task)
        values = dict(arguments.field)
        order = plan_sitting(arguments.study, *named, values, traces_only=arguments.traces_only)
    model = arguments.model or order.model
    segmenter = None if model == NO_MODEL else choose_model(model or None)
    if arguments.control is None:
        address, duration_s = order.settle(arguments.address, arguments.duration)
        report = record_watched(address, order.plan, duration_s, segmenter)
    else:
        address, duration_s = order.settle(arguments.address, arguments.duration or math.inf)
        report = _record_on_command(address, order.plan, duration_s, segmenter, arguments.control)
    print_report(report)
    if arguments.json:
        print(json.dumps(report_as_dict(report), ensure_ascii=False))
    return exit_code(report)


def _record_on_command(
    address: str,
    plan: "RecordingPlan",
    duration_s: float,
    segmenter: "Segmenter | None",
    port: int,
) -> "RecordingReport":
    from thermoseg.headless import record_on_command
    from thermoseg.thread_switching import switch_threads_often

    def tell_ready(port: int) -> None:
        print(f"control     127.0.0.1:{port}", flush=True)

    def report_event(event: "SessionEvent") -> None:
        print(printable(f"{event.time_s:8.1f} s  {event.text}"), file=sys.stderr)

    switch_threads_often()
    report = record_on_command(address, plan, segmenter, port, duration_s, tell_ready, report_event)
    for path in report.paths:
        print(printable(f"recording   {path}"))
    return report
