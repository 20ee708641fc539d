"""The near end of a recording: takes frames from any thread and hands them to a writer process."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.drawn_rois import DrawnRoi
from thermoseg.errors import RecordingError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.marks import Mark
from thermoseg.recording.disk_warning import RISK_S, warn_of_disk
from thermoseg.recording.handover import KEPT_WAIT_S, Handover
from thermoseg.recording.header import describe_session
from thermoseg.recording.intake import Intake
from thermoseg.recording.layout import MAX_SIDE_PX, NOTES_BYTES, REGIONS, TEXT_BYTES, encode_text
from thermoseg.recording.manifest import Manifest, describe_recording
from thermoseg.recording.name import RecordingName
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.progress import read_progress, summarize
from thermoseg.recording.ring import Kind
from thermoseg.recording.slots import FrameFacts, fill_event, fill_mark
from thermoseg.recording.status import NOTHING_YET, RecorderStatus, RecordingSummary
from thermoseg.recording.writer_process import WriterProcess

if TYPE_CHECKING:
    from thermoseg.result import Result
    from thermoseg.rois import RoiSample

log = logging.getLogger(__name__)

ON_DISK_S: Final = 30.0
"""The longest wait for a new file to be on its disk."""
GLANCE_S: Final = 0.005
"""Interval of looking whether the new file is on its disk."""


class Recorder:
    """A sink that writes everything offered to it into one session file.

    `offer` and `offer_result` may be called from different threads; neither waits for the disk.
    Whatever happens to the disk or the writer shows in `status` and is counted, and never raises
    in the thread of the camera.
    """

    def __init__(
        self,
        path: Path,
        info: CameraInfo,
        address: str,
        model: ModelIdentity | None,
        limits: DiskLimits | None = None,
        *,
        study: Mapping[str, str | float] = MappingProxyType({}),
        regions: Sequence[str] = REGIONS,
        pictures: bool = True,
        notes: str = "",
        new_name: bool = False,
        rois: Sequence[DrawnRoi] = (),
    ) -> None:
        """Prepare to record; nothing is touched before `start`.

        Parameters
        ----------
        path
            New file, ending in `.h5`.
        address
            Address of the camera, as given by the user.
        limits
            For tests and small disks.
        study
            Study and participant fields, by name.
        regions
            Whose samples are recorded; the names stand in the file.
        pictures
            Whether pictures and labels are stored; without them numbers, times and samples are.
        notes
            Written at once, and again at the end; see `set_notes`.
        new_name
            Whether to refuse the name of a recording that has left nothing but its marker, too.
        rois
            Drawn ROIs, whose samples are recorded as well; their outlines stand in the file.

        Raises
        ------
        RecordingError
            If the study fields take too much room.
        """
        self._name = RecordingName(path.absolute())
        self._info = info
        self._regions = (*regions, *(roi.name for roi in rois))
        self._new_name = new_name
        self._notes = encode_text(notes, NOTES_BYTES)
        self._attributes = describe_session(
            info, address, model, self._regions, study, rois=rois, pictures=pictures
        )
        self._limits = limits or DiskLimits()
        self._stop_lock = threading.Lock()
        self._final: tuple[RecorderStatus, RecordingSummary] | None = None
        self._link = Handover(self.path)
        self._intake = Intake(self._link, self.path, info, self._regions, pictures=pictures)
        self._begun_s = 0.0

    @property
    def path(self) -> Path:
        """Absolute path at which the session file will be in the end."""
        return self._name.wanted

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions that have a table of samples in the file."""
        return self._regions

    @property
    def remark(self) -> str:
        """Notice of the place where the file is written meanwhile; empty if that is `path`."""
        return self._name.remark

    def start(self) -> None:
        """Start the writer process; frames may be offered at once.

        The file appears a little later: `wait_on_disk` waits for it.  If anything goes wrong,
        nothing is left of the attempt.

        Raises
        ------
        NameTakenError
            If there is a recording of this name, or somebody makes one.
        RecordingError
            If its disk is full, or no process can be started.
        """
        if self._link.writer is not None or self._final is not None:
            raise RecordingError(f"{self.path} is being recorded already; make a new recorder")
        if not max(self._info.width, self._info.height) <= MAX_SIDE_PX:
            raise RecordingError(
                f"pictures of {self._info.width}×{self._info.height} pixels cannot be recorded; "
                f"no side may exceed {MAX_SIDE_PX}"
            )
        self._begun_s = time.monotonic()
        self._name.claim(self._limits, replace_stale=not self._new_name)
        try:
            self._link.writer = WriterProcess(
                self._name.place,
                self._attributes,
                self._info,
                self._regions,
                self._limits.stop_bytes,
                self._notes,
            )
        except BaseException as error:
            self._name.release()
            if isinstance(error, OSError | MemoryError | ValueError):
                raise self._name.unrecordable(error) from error
            raise

    def wait_on_disk(self, timeout_s: float = ON_DISK_S) -> None:
        """Wait until the file is on the disk under its name; only then is it being recorded.

        Raises
        ------
        RecordingError
            If it cannot be made, or is not there within `timeout_s` seconds.
        """
        deadline_s = time.monotonic() + timeout_s
        while not (status := self.status()).on_disk:
            if status.failed:
                raise RecordingError(status.failed)
            if self._final is not None:
                raise RecordingError(f"{self.path} was stopped before it was on the disk")
            if time.monotonic() > deadline_s:
                raise RecordingError(
                    f"the disk of {self._name.place} has not taken the new file within "
                    f"{timeout_s:.0f} s; record to another disk"
                )
            time.sleep(GLANCE_S)

    def offer(self, frame: Frame, refused: int = 0) -> None:
        """Record `frame`, or count it as dropped if the writer is behind or gone.

        Parameters
        ----------
        refused
            Broken frames thrown away since the frame before; they are no missed ones.

        Raises
        ------
        RecordingError
            If recording was not started.
        """
        self._intake.take(frame, frame.counts, refused)

    def offer_kept(
        self, frame: FrameFacts, counts: NDArray[np.uint16] | None, refused: int, arrived_s: float
    ) -> None:
        """Record a frame that came earlier; wait for the writer, as nobody waits for this.

        Parameters
        ----------
        counts
            (height, width); None if there was no memory to keep them, so that the frame is dropped.
        refused
            As that of `offer`.
        arrived_s
            Monotonic clock.
        """
        self._intake.take_kept(frame, counts, refused, arrived_s)

    def offer_result(self, result: "Result") -> None:
        """Record the labels and samples of a frame, unless the writer is behind or gone.

        Raises
        ------
        RecordingError
            If recording was not started.
        """
        found, time_s = result.segmentation, result.frame.time_s
        self._intake.take_result((found.frame_index, time_s), found.labels, result.samples)

    def offer_samples(self, frame: Frame, samples: Sequence["RoiSample"]) -> None:
        """Record the samples of a frame that nobody segmented; otherwise as `offer_result`.

        Raises
        ------
        RecordingError
            If recording was not started.
        """
        self._intake.take_result((frame.index, frame.time_s), None, samples)

    def offer_kept_result(
        self,
        frame: tuple[int, float],
        labels: NDArray[np.uint8] | None,
        samples: Sequence["RoiSample"],
    ) -> None:
        """Record what came of a frame that was kept; wait for the writer.

        Parameters
        ----------
        frame
            Its number and its time, seconds.
        labels
            (height, width); None if it has none.
        """
        self._intake.take_result(frame, labels, samples, kept=True)

    def note_event(self, text: str, time_s: float) -> None:
        """Record that something happened; it is on disk within a tenth of a second.

        Parameters
        ----------
        text
            Cut after 512 bytes of UTF-8.
        time_s
            On the clock of the frames.

        Raises
        ------
        RecordingError
            If nothing is being recorded, or too many events wait for the disk.
        """
        with self._link.lock:
            fill = partial(fill_event, text=text, time_s=time_s)
            self._link.note(Kind.EVENT, fill, f"the event “{text[:40]}”")

    def note_mark(self, mark: Mark) -> None:
        """Record a mark: a line beside the file at once, a row in it once it cannot be taken back.

        Raises
        ------
        RecordingError
            As `note_event`.
        """
        with self._link.lock:
            self._link.note(
                Kind.MARK, partial(fill_mark, mark=mark), f"the mark “{mark.label[:40]}”"
            )

    def take_back(self, mark: Mark, text: str, time_s: float) -> bool:
        """Take a mark back, so that it becomes no row; an event says so.

        Parameters
        ----------
        text, time_s
            The event, at a time on the clock of the frames.

        Returns
        -------
        Whether it was in time.

        Raises
        ------
        RecordingError
            As `note_event`; then the mark stays.
        """
        # Under the lock, as frames are: the writer makes the mark a row after a frame that was
        # offered later than this.
        with self._link.lock:
            if mark.fixed:
                return False
            fill = partial(fill_event, text=text, time_s=time_s, number=mark.number)
            self._link.note(
                Kind.TAKE_BACK, fill, f"that the mark “{mark.label[:40]}” is taken back"
            )
            return True

    def describe(self, summary: RecordingSummary) -> Manifest:
        """Return the manifest of the recording, finished as `summary` says.

        Raises
        ------
        OSError
            If its file is gone.
        """
        return describe_recording(self._attributes, summary, self._notes.decode())

    def set_notes(self, text: str) -> None:
        """Let `text` be the closing notes, of at most `NOTES_BYTES` as UTF-8."""
        self._notes = notes = encode_text(text, NOTES_BYTES)
        if len(notes) < len(text.encode("utf-8", "replace")):
            log.warning("the notes of %s are cut after %d bytes", self.path, NOTES_BYTES)
        with self._link.lock:
            if self._link.writer is not None:
                self._link.writer.control["notes"] = notes

    def status(self) -> RecorderStatus:
        """Return how the recording is getting on; cheap, from any thread."""
        with self._link.lock:
            if self._final is not None:
                return self._final[0]
            if self._link.writer is None:
                return NOTHING_YET
            status = read_progress(self._link, self._intake.totals)
            return status if status.failed else replace(status, warning=self._warning(status))

    def end(self, reason: str, remedy: str) -> None:
        """Let the recording end by itself: what was offered is written, and the file is whole.

        Parameters
        ----------
        reason
            Written into the file as what ended it, one clause.
        remedy
            Advice for the user; both together are the status' `failed`.
        """
        with self._link.lock:
            link = self._link
            if link.writer is not None and not link.stopping and not link.has_failed():
                link.writer.control["closing"] = encode_text(reason, TEXT_BYTES)
                link.end_because(f"{reason}; recording ended cleanly, {remedy}")

    def stop(self, *, lost: bool = False) -> RecordingSummary:
        """Drain what was offered, close the file and end the writer; may be called twice.

        A recording for a network share is moved there, and compared, before this returns.

        Parameters
        ----------
        lost
            Whether the camera is gone, so that the file ends with a gap.

        Raises
        ------
        RecordingError
            If recording was not started.
        """
        with self._stop_lock:
            if self._final is None:
                with self._link.lock:
                    writer = self._link.running()
                    self._link.stopping = True
                writer.control["lost"] = lost
                writer.end(self._link.end_because)
                status = self.status()
                path, failed = self._name.deliver(status.failed)
                summary = summarize(path, status, self._intake.totals, failed)
                with self._link.lock:
                    over = replace(status, failed=failed, waiting=0, slots=0)
                    self._final = over, summary
                    self._link.writer = None
            return self._final[1]

    def _warning(self, status: RecorderStatus) -> str:
        """Say what is wrong with the disk, in one sentence; empty if nothing is."""
        # What came before the recording is not on its disk at once, even if that is fast.
        began, writer = time.monotonic() - self._begun_s < KEPT_WAIT_S, self._link.writer
        if began and writer is not None and writer.control["safe"] < self._intake.kept:
            status = replace(status, at_risk_s=0.0)
        warning = warn_of_disk(self._name.place, status, self._limits)
        if warning:
            self._link.warn("slow" if status.at_risk_s > RISK_S else "disk", "%s", warning)
        return warning
