"""`thermoseg info`: what a session, an analysis or any readable file holds."""

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from thermoseg.exit_codes import OK
from thermoseg.terminal import complain, print_facts

if TYPE_CHECKING:
    from thermoseg.frames import CameraInfo
    from thermoseg.recording.contents import Gap
    from thermoseg.recording.reader import Recording


def add_info(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `info` to the parser."""
    parser = commands.add_parser(
        "info", help="tell what a session, an analysis or any readable file holds"
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from thermoseg.recording.analysis_file import is_analysis
    from thermoseg.recording.opening import is_session

    if is_analysis(arguments.file):
        _print_analysis(arguments.file)
    elif is_session(arguments.file):
        _print_session(arguments.file)
    else:
        _print_file(arguments.file)
    return OK


def _print_session(path: Path) -> None:
    from thermoseg.recording.reader import Recording

    with Recording(path) as recording:
        times_s, model = recording.times_s, recording.model
        _print_camera(recording.info)
        print_facts(
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


def _print_analysis(path: Path) -> None:
    from thermoseg.recording.analysis_file import AnalysisFile

    with closing(AnalysisFile(path)) as analysis:
        header = analysis.header
        model, settings = header.model, header.settings
        beside = path.with_name(Path(header.session_name).name).is_file()
        print_facts(
            {
                "kind": "analysis of a session",
                "session": f"{header.session_name}{'' if beside else ' (not in this folder)'}",
                "session id": header.session_id,
                "session sha256": header.session_sha256,
                "written by": analysis.program,
                "began": analysis.created,
                "model": f"{model.name} ({model.sha256[:12]}) on {model.backend}",
                "mode": settings.mode,
                "emissivity": _given(settings.emissivity),
                "reflected °C": _given(settings.reflected_c),
                "size": f"{header.width} × {header.height} pixels",
                "frames": f"{len(analysis)} of {analysis.session_frames} analysed",
                "regions": ", ".join(analysis.regions) or "none",
            }
        )


def _given(value: float | None) -> str:
    return "the session's" if value is None else f"{value:g}"


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
        print_facts({"first frame": f"{low:.3f} least, {mean:.3f} mean, {high:.3f} most, {unit}"})


def _print_camera(info: "CameraInfo") -> None:
    facts = {
        "camera": f"{info.model} {info.serial}".strip(),
        "size": f"{info.width} × {info.height} pixels",
        "rate": f"{info.rate_hz:.2f} Hz" if info.rate_hz else "no clock",
        "temperatures": info.temperatures,
    }
    if info.frame_count is not None:
        facts["frames"] = str(info.frame_count)
    print_facts(facts)
