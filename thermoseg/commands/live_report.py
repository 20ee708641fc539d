"""What commands that record show: a bar and events while they do, then the counts."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from thermoseg.exit_codes import FAILED, INTERRUPTED, OK
from thermoseg.terminal import complain, print_facts, printable, progress_bar

if TYPE_CHECKING:
    from thermoseg.events import SessionEvent
    from thermoseg.headless import RecordingReport
    from thermoseg.inference.segmenter import Segmenter
    from thermoseg.recording_plan import RecordingPlan


def record_watched(
    address: str, plan: "RecordingPlan", duration_s: float, segmenter: "Segmenter | None"
) -> "RecordingReport":
    """Record `plan` for `duration_s` seconds while a bar and events are shown; see `record`."""
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


def exit_code(report: "RecordingReport") -> int:
    """Say what went wrong, if anything did, and return the code for it."""
    if report.problem:
        complain(report.problem)
        return FAILED
    return INTERRUPTED if report.interrupted else OK


def report_as_dict(report: "RecordingReport") -> dict[str, object]:
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


def print_report(report: "RecordingReport") -> None:
    """Print the counts, what segmented and what the camera told of itself."""
    from thermoseg.telemetry import describe_telemetry

    print_facts(
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
        print_facts({"camera": ", ".join(describe_telemetry(report.telemetry))})
