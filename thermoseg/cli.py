"""The command line, `thermoseg …`: reads arguments, calls the core, prints.

Heavy libraries are imported by the command that needs them, so that `thermoseg -h` answers at
once.
"""

import argparse
import json
import logging
import math
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from thermoseg.arguments import (
    NO_MODEL,
    add_model_option,
    name_and_value,
    port_number,
    positive_seconds,
)
from thermoseg.errors import AnalysisCancelledError, ThermoSegError
from thermoseg.exit_codes import DAMAGED, FAILED, INTERRUPTED, OK
from thermoseg.export.cli import add_export
from thermoseg.recording.unfinished import say_unfinished
from thermoseg.terminal import (
    complain,
    complain_above,
    escape_what_cannot_be_encoded,
    open_closed_streams,
    printable,
    progress_bar,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from thermoseg.cameras import CameraListing
    from thermoseg.events import SessionEvent
    from thermoseg.frames import CameraInfo
    from thermoseg.headless import RecordingReport
    from thermoseg.inference.face_segmenter import Mode
    from thermoseg.inference.segmenter import Segmenter
    from thermoseg.recording.reader import Gap, Recording
    from thermoseg.recording_plan import RecordingPlan


DEMO_SECONDS: Final = 15.0
"""Long enough for three breaths."""

DEMO_MASKS: Final = 5

WATCH_S: Final = 0.25
"""One wait for a camera to come or go; the end of the program is looked for between two."""


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
        for sentence in say_unfinished(_folders_of(arguments)):
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


def _folders_of(arguments: argparse.Namespace) -> list[Path]:
    """Return where a crash may have left what this command is told of; see `find_unfinished`."""
    out: Path | None = getattr(arguments, "out", None)
    if arguments.run in (_run_recover, _run_verify):
        return []  # they are at it already
    if arguments.run is _run_record and arguments.study is not None:
        return [Path(), *arguments.study.glob("sourcedata/sub-*/ses-*")]
    if arguments.run is _run_record and out is not None:
        return [Path(), out.parent]
    if arguments.run is _run_demo and out is not None:
        # Each demonstration has a folder of its own.
        return [Path(), *(folder for folder in out.glob("*") if folder.is_dir())]
    return [Path()]


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
    _add_segment(commands)
    _add_record(commands)
    _add_demo(commands)
    _add_analyze(commands)
    _add_info(commands)
    _add_recover(commands)
    _add_verify(commands)
    add_export(commands)
    _add_cameras(commands)
    _add_install_udev(commands)
    _add_install_desktop(commands)
    models = commands.add_parser("models", help="list the models that are installed")
    models.set_defaults(run=_run_models)
    _add_doctor(commands)
    return parser


def _add_segment(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "segment",
        help="segment recordings and pictures",
        description="Segment files of any kind that ThermoSeg reads: FLIR FFF, SEQ, CSQ and "
        "radiometric JPEG, TIFF, .bin, .npy in °C, PureThermal .raw.y16.gz, 8-bit pictures, "
        "and ThermoSeg's own sessions.",
        epilog="Writes STEM.png (labels 0-5; STEM_000000.png and on for sequences), "
        "vis/STEM.jpg (overlay) and regions.csv (temperatures of every region).",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder of the results"
    )
    add_model_option(parser)
    parser.add_argument(
        "--fast", action="store_true", help="segment as the live view does: faster, coarser"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=name_and_value,
        metavar="NAME=VALUE",
        help="how files are read, such as scale_k=0.04 (kelvin per count), emissivity=0.98, "
        "width=640; may be repeated",
    )
    parser.set_defaults(run=_run_segment)


def _add_analyze(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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
    parser.set_defaults(run=_run_analyze)


def _add_record(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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
    parser.set_defaults(run=_run_record, refuse=parser.error)


def _add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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
    parser.set_defaults(run=_run_demo)


def _add_info(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("info", help="tell what a session or any readable file holds")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.set_defaults(run=_run_info)


def _add_recover(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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
    parser.set_defaults(run=_run_recover)


def _add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "verify",
        help="read everything of sessions and tell whether they are sound",
        description="Read every picture and table of session files, which verifies their "
        "checksums, and look whether what they hold can be.  The files are not touched.",
        epilog="Exit codes: 0 all are sound, 3 some are damaged or unfinished, 1 some cannot be "
        "read.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one object in JSON per file")
    parser.set_defaults(run=_run_verify)


def _add_cameras(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "cameras",
        help="list the cameras that can be opened now",
        description="List every camera that is there by the address that opens it, and every kind "
        "of camera that cannot be used with what it lacks.",
    )
    parser.add_argument("--json", action="store_true", help="a list in JSON, one line each time")
    parser.add_argument(
        "--watch",
        action="store_true",
        help="go on and tell what is plugged in (+) or out (-), until Ctrl-C",
    )
    parser.set_defaults(run=_run_cameras)


def _add_doctor(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "doctor",
        help="tell what works on this machine and what it lacks",
        description="Look at permissions, libraries, GPU, disk, display, cameras and models; each "
        "line is ok, a warning, or missing, with the remedy.",
        epilog="Exit code 1 if something is missing without which ThermoSeg cannot work.",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where you record; default: your documents"
    )
    parser.add_argument("--json", action="store_true", help="the same as a list in JSON")
    parser.set_defaults(run=_run_doctor)


def _add_install_udev(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "install-udev",
        help="give yourself leave to use USB cameras (Linux, once, as root)",
        description="Write the udev rules of all USB cameras and have udev read them.  Needs root; "
        "without it, says the command to type.",
    )
    parser.add_argument("--print", action="store_true", help="show the rules, install nothing")
    parser.set_defaults(run=_run_install_udev)


def _add_install_desktop(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "install-desktop",
        help="put the window into the menu of your desktop (Linux)",
        description="Write an entry that starts thermoseg-ui, and its icon, where your desktop "
        "looks for them (~/.local/share).  Run it again after ThermoSeg was moved.",
    )
    parser.set_defaults(run=_run_install_desktop)


def _run_segment(arguments: argparse.Namespace) -> int:
    from thermoseg.region_table import RegionTable
    from thermoseg.segment_files import (
        TABLE_NAME,
        plan_jobs,
        prepare_folder,
        say_losses,
        segment_file,
    )

    jobs = plan_jobs(arguments.paths, arguments.out, dict(arguments.option))
    segmenter = _choose(arguments.model, mode="live" if arguments.fast else "best")
    prepare_folder(arguments.out)
    failed = frames = 0
    losses: list[str] = []
    with progress_bar() as progress, RegionTable(arguments.out / TABLE_NAME) as table:

        def tell(loss: str) -> None:
            losses.append(loss)
            complain_above(progress, loss)

        note = partial(complain_above, progress)
        files_task = progress.add_task("files", total=len(jobs))
        for job in jobs:
            task = progress.add_task(job.path.name, total=None)
            try:
                for done, total in segment_file(job, arguments.out, segmenter, table, tell, note):
                    progress.update(task, completed=done, total=total)
                    frames += 1
                for loss in say_losses(job.path):
                    tell(loss)
            except ThermoSegError as error:
                failed += 1
                complain_above(progress, str(error))
            progress.remove_task(task)
            progress.advance(files_task)
    files = _count(len(jobs), "file")
    print(
        f"{_count(frames, 'frame')} of {f'{len(jobs) - failed} of {files}' if failed else files} "
        f"segmented with "
        f"{segmenter.model_name} ({segmenter.backend}) into {arguments.out}"
    )
    if failed:
        return FAILED
    return DAMAGED if losses else OK


def _run_analyze(arguments: argparse.Namespace) -> int:
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
            segmenter = _choose(arguments.model, mode=settings.mode)
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
                print(printable(f"{report.path} ({_count(report.frames, 'frame')})"), flush=True)
                for sentence in (*report.losses, *report.notes):
                    complain_above(progress, sentence)
            progress.remove_task(task)
    return FAILED if failed else DAMAGED if lost else OK


def _tell_progress(progress: "Progress", task: "TaskID", done: int, total: int) -> None:
    progress.update(task, completed=done, total=total)


def _run_record(arguments: argparse.Namespace) -> int:
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
    segmenter = None if model == NO_MODEL else _choose(model or None)
    if arguments.control is None:
        address, duration_s = order.settle(arguments.address, arguments.duration)
        report = _record(address, order.plan, duration_s, segmenter)
    else:
        address, duration_s = order.settle(arguments.address, arguments.duration or math.inf)
        report = _record_on_command(address, order.plan, duration_s, segmenter, arguments.control)
    _print_report(report)
    if arguments.json:
        print(json.dumps(_report_as_dict(report), ensure_ascii=False))
    return _exit_code(report)


def _run_demo(arguments: argparse.Namespace) -> int:
    from thermoseg.config import load_settings
    from thermoseg.recording.reader import Recording
    from thermoseg.recording_plan import RecordingPlan
    from thermoseg.session_pictures import plot_traces, save_masks

    folder = arguments.out / time.strftime("%Y%m%d-%H%M%S")
    address = arguments.camera or load_settings().camera
    plan = RecordingPlan.to_file(folder / "session.h5")
    report = _record(address, plan, arguments.duration, _choose(arguments.model))
    _print_report(report)
    with Recording(report.path) as recording:
        plot_traces(recording, folder / "traces.png")
        masks = save_masks(recording, folder / "masks", DEMO_MASKS)
    print()
    print(f"recording   {report.path}")
    print(f"traces      {folder / 'traces.png'}")
    print(f"masks       {folder / 'masks'} ({len(masks)}, each with its overlay)")
    return _exit_code(report)


def _run_info(arguments: argparse.Namespace) -> int:
    from thermoseg.recording.opening import is_session

    if is_session(arguments.file):
        _print_session(arguments.file)
    else:
        _print_file(arguments.file)
    return OK


def _run_recover(arguments: argparse.Namespace) -> int:
    from thermoseg.recording.recovery import recover

    report = recover(arguments.file, arguments.out)
    print(report.path)
    for sentence in (*report.notes, *report.losses):
        complain(sentence)
    return DAMAGED if report.losses else OK


def _run_verify(arguments: argparse.Namespace) -> int:
    from thermoseg.recording.verification import State, verify

    states = set()
    for path in arguments.files:
        verdict = verify(path)
        states.add(verdict.state)
        if arguments.json:
            print(json.dumps(asdict(verdict) | {"path": str(path)}, ensure_ascii=False))
        else:
            looked_at = _say_looked_at(verdict.rows)
            doing = " so far, and is being recorded" if verdict.being_recorded else ""
            print(printable(f"{path}: {verdict.state}{doing} ({looked_at})"))
        for problem in verdict.problems:
            complain(problem if str(path) in problem else f"{path}: {problem}")
        sys.stdout.flush()
    if State.UNREADABLE in states:
        return FAILED
    return OK if states <= {State.SOUND} else DAMAGED


def _say_looked_at(rows: Mapping[str, int]) -> str:
    names = ("frames/counts", "labels/labels", "frames/index")
    pictures, labels, frames = (rows.get(name, 0) for name in names)
    if frames and not pictures:
        return f"{_count(frames, 'frame')} without pictures"
    return f"{_count(pictures, 'frame')}, {_count(labels, 'picture')} of labels"


def _run_cameras(arguments: argparse.Namespace) -> int:
    from thermoseg.discovery import list_cameras

    if arguments.watch:
        return _watch_cameras(arguments.json)
    listings = list_cameras()
    if arguments.json:
        print(json.dumps([asdict(listing) for listing in listings], ensure_ascii=False))
        return OK
    for listing in listings:
        print(_camera_line(listing))
    return OK


def _watch_cameras(as_json: bool) -> int:
    """Print what is there, then what changes, until interrupted."""
    from thermoseg.hotplug import CameraWatch, came_and_went
    from thermoseg.interruption import noting_interruption

    known: list[CameraListing] = []
    with noting_interruption() as interrupted, CameraWatch() as watch:
        while not interrupted.is_set():
            found = watch.next_change(WATCH_S)
            if found is None:
                continue
            if as_json:
                print(json.dumps([asdict(listing) for listing in found], ensure_ascii=False))
            else:
                for sign, listing in came_and_went(known, found):
                    print(f"{sign} {_camera_line(listing)}")
            sys.stdout.flush()
            known = found
    return INTERRUPTED


def _camera_line(listing: "CameraListing") -> str:
    return printable(f"{listing.address:<32} {listing.problem or listing.title}")


def _run_doctor(arguments: argparse.Namespace) -> int:
    from thermoseg.doctor import Verdict, examine

    findings = []
    topic = ""
    for finding in examine(arguments.folder):
        findings.append(finding)
        if arguments.json:
            continue
        if finding.topic != topic:
            topic = finding.topic
            print(f"{topic}")
        line = f"  {finding.verdict.value:<8} {finding.name:<26} {finding.detail}"
        print(printable(line.rstrip()))
        if finding.remedy:
            print(printable(f"{'':<11}{finding.remedy}"))
        sys.stdout.flush()
    if arguments.json:
        print(json.dumps([asdict(f) | {"verdict": f.verdict.value} for f in findings]))
    broken = any(f.essential and f.verdict is Verdict.MISSING for f in findings)
    return FAILED if broken else OK


def _run_install_udev(arguments: argparse.Namespace) -> int:
    from thermoseg import udev
    from thermoseg.discovery import usb_cameras

    cameras = usb_cameras()
    for reason in cameras.left_out:
        complain(reason)
    if arguments.print:
        print(udev.rules_text(cameras), end="")
    else:
        print(udev.install_rules(cameras))
    return OK


def _run_install_desktop(_arguments: argparse.Namespace) -> int:
    from thermoseg.desktop_entry import install_entry

    print(install_entry())
    return OK


def _run_models(_arguments: argparse.Namespace) -> int:
    from thermoseg.models import list_models

    models = list_models()
    if not models:
        print("no model is installed; name a model file with --model PATH")
    for model in models:
        header = model.header
        _print_facts(
            {
                "name": header.name,
                "network": f"{header.network}, width {header.width}, "
                f"{header.input_width} × {header.input_height} pixels",
                "trained on": header.data or "not said",
                "notes": header.notes or "none",
                "licence": header.licence or "not said",
                "sha256": model.sha256,
                "file": model.path,
            }
        )
        print()
    return OK


def _choose(model: str | None, mode: "Mode" = "live") -> "Segmenter":
    from thermoseg.config import load_settings
    from thermoseg.inference.choose import choose_segmenter

    settings = load_settings()
    return choose_segmenter(model or settings.model, backend=settings.backend, mode=mode)


def _record(
    address: str, plan: "RecordingPlan", duration_s: float, segmenter: "Segmenter | None"
) -> "RecordingReport":
    from thermoseg.headless import record
    from thermoseg.thread_switching import switch_threads_often

    switch_threads_often()
    with progress_bar() as progress:
        name = plan.planned_path().name
        task = progress.add_task(f"recording {name}", total=round(duration_s, 1))

        def report_event(event: "SessionEvent") -> None:
            line = printable(f"{event.time_s:8.1f} s  {event.text}")
            progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

        return record(
            address,
            plan,
            duration_s,
            segmenter,
            lambda seconds, _counts: progress.update(task, completed=round(seconds, 1)),
            report_event,
        )


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


def _exit_code(report: "RecordingReport") -> int:
    """Say what went wrong, if anything did, and return the code for it."""
    if report.problem:
        complain(report.problem)
        return FAILED
    return INTERRUPTED if report.interrupted else OK


def _report_as_dict(report: "RecordingReport") -> dict[str, object]:
    """Counts and what segmented, flat, with null for what is not a number."""
    return _numbers(report) | {
        "model": report.model,
        "backend": report.backend,
        "file": str(report.path),
        "files": [str(path) for path in report.paths],
        "interrupted": report.interrupted,
        "temperatures": report.temperatures,
        "telemetry": dict(report.telemetry),
        "problem": report.problem,
    }


def _numbers(report: "RecordingReport") -> dict[str, object]:
    return {
        name: None if math.isnan(value) else value for name, value in asdict(report.counts).items()
    }


def _print_report(report: "RecordingReport") -> None:
    from thermoseg.telemetry import describe_telemetry

    _print_facts(
        {
            name.replace("_", " "): f"{value:.1f}" if isinstance(value, float) else value
            for name, value in _numbers(report).items()
            if value is not None
        }
        | {
            "temperatures": report.temperatures or "unknown",
            "model": f"{report.model} on {report.backend}" if report.model else "none",
        }
    )
    if report.telemetry:
        _print_facts({"camera": ", ".join(describe_telemetry(report.telemetry))})


def _print_session(path: Path) -> None:
    from thermoseg.recording.reader import Recording

    with Recording(path) as recording:
        times_s, model = recording.times_s, recording.model
        _print_camera(recording.info)
        _print_facts(
            {
                "address": recording.address,
                "format": recording.format_version,
                "written by": recording.program,
                "began": recording.created,
                "seconds": f"{times_s[-1] - times_s[0]:.2f}" if len(recording) else "0",
                "model": f"{model.name} ({model.sha256[:12]}) on {model.backend}"
                if model
                else "none",
            }
            | asdict(recording.counts)
            | {
                "gaps": _count_by_cause(recording.gaps),
                "events": len(recording.events),
                "markers": len(recording.markers),
                "pictures": "yes" if recording.has_pictures else "none, traces only",
                "drawn ROIs": ", ".join(roi.name for roi in recording.drawn_rois) or "none",
                "scene changes": "; ".join(f"{s:.2f} s: {scene}" for s, scene in recording.scenes)
                or "none",
                "study": ", ".join(f"{name} {value}" for name, value in recording.study.items())
                or "none",
                "notes": recording.notes or "none",
                "ended": _ended(recording),
                "problems": len(recording.problems),
            }
        )
        for problem in recording.problems:
            complain(f"{path}: {problem}")


def _ended(recording: "Recording") -> str:
    """Say why a recording ended, or that it has not."""
    if recording.complete:
        return recording.ended
    if recording.being_recorded:
        return "not yet; it is being recorded"
    return f"never; try: thermoseg recover {recording.path}"


def _count_by_cause(gaps: "Sequence[Gap]") -> str:
    causes = Counter(gap.cause for gap in gaps)
    each = ", ".join(f"{number} {cause}" for cause, number in causes.most_common())
    return f"{len(gaps)} ({each})" if gaps else "0"


def _print_file(path: Path) -> None:
    from thermoseg.files import open_frames
    from thermoseg.frames import Frame

    with open_frames(path) as (info, frames):
        first = next((frame for frame in frames if isinstance(frame, Frame)), None)
    _print_camera(info)
    if first is not None:
        unit = "°C" if info.radiometric else "counts"
        low, mean, high = first.celsius.min(), first.celsius.mean(), first.celsius.max()
        _print_facts({"first frame": f"{low:.3f} least, {mean:.3f} mean, {high:.3f} most, {unit}"})


def _print_camera(info: "CameraInfo") -> None:
    facts = {
        "camera": f"{info.model} {info.serial}".strip(),
        "size": f"{info.width} × {info.height} pixels",
        "rate": f"{info.rate_hz:.2f} Hz" if info.rate_hz else "no clock",
        "temperatures": info.temperatures,
    }
    if info.frame_count is not None:
        facts["frames"] = str(info.frame_count)
    _print_facts(facts)


def _print_facts(facts: Mapping[str, object]) -> None:
    for name, value in facts.items():
        print(printable(f"{name:<18} {value}"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _report_defect(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Write the traceback of a defect to a file and say so in one sentence."""
    import platformdirs

    folder = platformdirs.user_log_path("thermoseg", ensure_exists=True)
    path = folder / f"defect-{time.strftime('%Y%m%d-%H%M%S')}.txt"
    path.write_text("".join(traceback.format_exception(kind, error, trace)), encoding="utf-8")
    complain(f"this is a defect of ThermoSeg ({kind.__name__}); please report it with “{path}”")
