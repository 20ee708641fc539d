"""Reads how a recording gets on from what recorder and writer share."""

from pathlib import Path

from thermoseg.recording.handover import Handover
from thermoseg.recording.slots import FrameTotals
from thermoseg.recording.status import RecorderStatus, RecordingSummary


def read_progress(link: Handover, totals: FrameTotals) -> RecorderStatus:
    """Return the status of a recording that was started, under the lock of `link`.

    Raises
    ------
    RecordingError
        If it was not started.
    """
    writer, failed = link.running(), link.has_failed()
    control = writer.control
    recorded = int(control["flushed" if failed else "written"])
    begun_s = float(control["safe_s"]) if control["safe"] else totals.first_s
    # Once it has failed, what is lost is told instead.
    at_risk = not failed and int(control["safe"]) < totals.offered
    return RecorderStatus(
        recorded=recorded,
        # While it is being finished, what waits is still on its way into the file.
        dropped=totals.offered - recorded if failed or writer.ended else totals.dropped,
        seconds=totals.last_s - totals.first_s,
        bytes_on_disk=int(control["file_bytes"]),
        free_bytes=int(control["free_bytes"]),
        failed=link.failed,
        on_disk=bool(control["on_disk"]),
        at_risk_s=totals.last_s - begun_s if at_risk else 0.0,
        missed=totals.missed,
        waiting=0 if failed else writer.memory.frames.waiting,
        slots=0 if failed else len(writer.memory.frames.slots),
    )


def summarize(
    path: Path, status: RecorderStatus, totals: FrameTotals, failed: str
) -> RecordingSummary:
    """Return what came of a recording that has ended.

    Parameters
    ----------
    path
        Where the file is, unless somebody took it away; that is looked at.
    status
        The last one.
    failed
        Why it ended by itself, or is not where it should be; empty otherwise.
    """
    return RecordingSummary(
        path=path,
        captured=totals.offered,
        recorded=status.recorded,
        dropped=totals.offered - status.recorded,
        missed=totals.missed,
        seconds=status.seconds,
        bytes_on_disk=status.bytes_on_disk,
        failed=failed,
        there=path.exists() and (status.on_disk or not failed),
    )
