"""The near end of a recording: takes frames from any thread and hands them to a writer process."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.drawn_rois import DrawnRoi
from thermoseg.errors import RecordingError
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.recording.header import describe_session
from thermoseg.recording.layout import (
    MAX_SIDE_PX,
    REASON_BYTES,
    REGIONS,
    SAMPLE_FIELDS,
    TEXT_BYTES,
    encode_text,
)
from thermoseg.recording.marker import claim_marker, remove_marker
from thermoseg.recording.place import DiskLimits, choose_place, move_compared
from thermoseg.recording.ring import Kind
from thermoseg.recording.status import NOTHING_YET, RecorderStatus, RecordingSummary
from thermoseg.recording.writer_process import WriterProcess
from thermoseg.scene import scene_of

if TYPE_CHECKING:
    from thermoseg.result import Result
    from thermoseg.rois import RoiSample

log = logging.getLogger(__name__)

FILE_WAIT_S: Final = 1.5
"""Longest wait of `offer` for the writer, for a source that is no live camera."""
ON_DISK_S: Final = 30.0
"""The longest wait for a new file to be on its disk."""
GLANCE_S: Final = 0.005
"""Interval of looking whether the new file is on its disk."""
RISK_S: Final = 1.0
"""A disk that leaves more than this at risk is said to be slow."""


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
        rois
            Drawn ROIs, whose samples are recorded as well; their outlines stand in the file.

        Raises
        ------
        RecordingError
            If the study fields take too much room.
        """
        self._wanted = path.absolute()
        self._place = self._wanted
        self._info = info
        self._regions = (*regions, *(roi.name for roi in rois))
        self._attributes = describe_session(info, address, model, self._regions, study, rois)
        self._scene = scene_of(info.radiometry)
        """Scene of the last frame, as the file tells it."""
        self._limits = limits or DiskLimits()
        self._lock = threading.Lock()
        self._stop_lock = threading.Lock()
        self._final: tuple[RecorderStatus, RecordingSummary] | None = None
        self._writer: WriterProcess | None = None
        self._stopping = False
        self._failed = ""
        self._warned: set[str] = set()
        self._offered = 0
        self._dropped = 0
        self._missed = 0
        self._refused = 0
        self._gap = FrameFlag.NONE
        """`GAP_BEFORE` while a frame that carried it was dropped."""
        self._last_index: int | None = None
        self._first_s = 0.0
        self._last_s = 0.0

    @property
    def path(self) -> Path:
        """Absolute path at which the session file will be in the end."""
        return self._wanted

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions that have a table of samples in the file."""
        return self._regions

    @property
    def remark(self) -> str:
        """Notice of the place where the file is written meanwhile; empty if that is `path`."""
        if self._place == self._wanted:
            return ""
        return (
            f"{self._wanted.parent} is on a network share, so the recording is made in "
            f"{self._place} and moved when it ends"
        )

    def start(self) -> None:
        """Start the writer process; frames may be offered at once.

        The file appears a little later: `wait_on_disk` waits for it.  If anything goes wrong,
        nothing is left of the attempt.

        Raises
        ------
        RecordingError
            If the file exists, its disk is full, or no process can be started.
        """
        if self._writer is not None or self._final is not None:
            raise RecordingError(f"{self.path} is being recorded already; make a new recorder")
        if not max(self._info.width, self._info.height) <= MAX_SIDE_PX:
            raise RecordingError(
                f"pictures of {self._info.width}×{self._info.height} pixels cannot be recorded; "
                f"no side may exceed {MAX_SIDE_PX}"
            )
        self._place = choose_place(self._wanted, self._limits)
        try:
            claim_marker(self._place)
        except FileExistsError as error:
            raise RecordingError(
                f"{self.path} is being recorded already; choose another name"
            ) from error
        except OSError as error:
            raise self._unrecordable(error) from error
        try:
            self._writer = WriterProcess(
                self._place,
                self._attributes,
                self._info,
                self._regions,
                self._limits.stop_bytes,
            )
        except BaseException as error:
            remove_marker(self._place)
            if isinstance(error, OSError | MemoryError | ValueError):
                raise self._unrecordable(error) from error
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
                    f"the disk of {self._place} has not taken the new file within "
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
        if not self._info.live:
            self._wait_for_slot()
        with self._lock:
            if self._stopping:
                return
            writer = self._started()
            self._count(frame, refused, writer)
            if frame.counts.shape != (self._info.height, self._info.width):
                self._end_because(
                    f"the camera changed its picture from {self._info.width}×{self._info.height} "
                    f"to {frame.counts.shape[1]}×{frame.counts.shape[0]} pixels; "
                    "start a new recording"
                )
            # A slot, once given, belongs to the writer.  Without a free one the frame is dropped,
            # and its GAP_BEFORE goes on to the next frame that is written, with the totals: a gap
            # must not vanish because the frame that told of it did.
            ring = writer.memory.frames
            slot = None if self._has_failed() else ring.claim()
            if slot is None:
                self._drop(writer)
                self._gap |= frame.flags & FrameFlag.GAP_BEFORE
                return
            target = ring.slots[slot]
            target["counts"] = frame.counts
            target["index"], target["flags"] = frame.index, int(frame.flags | self._gap)
            self._gap = FrameFlag.NONE
            target["time_s"], target["wall_time"] = frame.time_s, frame.wall_time
            target["monotonic_s"] = time.monotonic()
            target["dropped"], target["missed"] = self._dropped, self._missed
            target["refused"] = self._refused
            target["emissivity"], target["reflected_c"] = self._scene_change(frame)
            ring.give(slot)
            writer.tell(Kind.FRAME, slot)

    def offer_result(self, result: "Result") -> None:
        """Record the labels and samples of a frame, unless the writer is behind or gone.

        Raises
        ------
        RecordingError
            If recording was not started.
        """
        segmentation = result.segmentation
        index = segmentation.frame_index
        self._offer_samples(index, result.frame.time_s, result.samples, segmentation.labels)

    def offer_samples(self, frame: Frame, samples: "Sequence[RoiSample]") -> None:
        """Record the samples of a frame that nobody segmented; otherwise as `offer_result`.

        Raises
        ------
        RecordingError
            If recording was not started.
        """
        self._offer_samples(frame.index, frame.time_s, samples, None)

    def _offer_samples(
        self,
        index: int,
        time_s: float,
        samples: "Sequence[RoiSample]",
        labels: NDArray[np.uint8] | None,
    ) -> None:
        with self._lock:
            if self._stopping or self._has_failed():
                return
            writer = self._started()
            ring = writer.memory.results
            slot, size = ring.claim(), (self._info.height, self._info.width)
            if slot is None or (labels is not None and labels.shape != size):
                self._warn("results", "some labels of %s are not recorded", self.path)
                return
            target = ring.slots[slot]
            target["labelled"] = labels is not None
            if labels is not None:
                target["labels"] = labels
            target["frame_index"], target["time_s"] = index, time_s
            known = [sample for sample in samples if sample.region in self._regions]
            if len(known) < len(samples):
                self._warn("regions", "%s has no table for some regions: not recorded", self.path)
            target["sample_count"] = len(known)
            for row, sample in zip(target["samples"], known, strict=False):
                row["region"] = self._regions.index(sample.region)
                _fill_sample(row, sample)
            ring.give(slot)
            writer.tell(Kind.RESULT, slot)

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
        with self._lock:
            ended = self._stopping or self._has_failed()
            writer = None if ended else self._started()
            slot = None if writer is None else writer.memory.events.claim()
            if writer is None or slot is None:
                reason = self._failed or ("recording has stopped" if ended else "disk too slow")
                raise RecordingError(
                    f"the event “{text[:40]}” was not recorded ({reason}); write it down"
                )
            target = writer.memory.events.slots[slot]
            target["time_s"], target["wall_time"] = time_s, time.time()
            target["text"] = encode_text(text, TEXT_BYTES)
            writer.memory.events.give(slot)
            writer.tell(Kind.EVENT, slot)

    def status(self) -> RecorderStatus:
        """Return how the recording is getting on; cheap, from any thread."""
        with self._lock:
            if self._final is not None:
                return self._final[0]
            if self._writer is None:
                return NOTHING_YET
            failed = self._has_failed()
            control = self._writer.control
            recorded = int(control["flushed" if failed else "written"])
            status = RecorderStatus(
                recorded=recorded,
                # While it is being finished, what waits is still on its way into the file.
                dropped=self._offered - recorded if failed or self._writer.ended else self._dropped,
                seconds=self._last_s - self._first_s,
                bytes_on_disk=int(control["file_bytes"]),
                free_bytes=int(control["free_bytes"]),
                failed=self._failed,
                on_disk=bool(control["on_disk"]),
                at_risk_s=self._at_risk_s(control),
            )
            return status if failed else replace(status, warning=self._warning(status))

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
                with self._lock:
                    writer = self._started()
                    self._stopping = True
                writer.control["lost"] = lost
                writer.end(self._end_because)
                status = self.status()
                path, failed = self._deliver(status.failed)
                summary = RecordingSummary(
                    path=path,
                    captured=self._offered,
                    recorded=status.recorded,
                    dropped=self._offered - status.recorded,
                    missed=self._missed,
                    seconds=status.seconds,
                    bytes_on_disk=status.bytes_on_disk,
                    failed=failed,
                )
                with self._lock:
                    self._final = replace(status, failed=failed), summary
                    self._writer = None
            return self._final[1]

    def _deliver(self, failed: str) -> tuple[Path, str]:
        """Return where the file is, moved to its share if that was wanted, and what went wrong."""
        if self._place == self._wanted:
            return self._wanted, failed
        if failed:
            return self._place, f"{failed}; what there is of it is in {self._place}"
        try:
            move_compared(self._place, self._wanted)
        except RecordingError as error:
            return self._place, str(error)
        return self._wanted, ""

    def _unrecordable(self, error: Exception) -> RecordingError:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return RecordingError(f"{self._place} cannot be recorded ({reason}); choose another place")

    def _started(self) -> WriterProcess:
        if self._writer is None:
            raise RecordingError(f"{self.path} is not being recorded; call start first")
        return self._writer

    def _count(self, frame: Frame, refused: int, writer: WriterProcess) -> None:
        if self._offered == 0:
            self._first_s = frame.time_s
        self._last_s = frame.time_s
        self._offered += 1
        if self._last_index is not None:
            self._missed += max(frame.index - self._last_index - 1 - refused, 0)
            self._refused += refused
        self._last_index = frame.index
        writer.control["offered"], writer.control["missed"] = self._offered, self._missed

    def _scene_change(self, frame: Frame) -> tuple[float, float]:
        """Return emissivity and reflected temperature if they are new with this frame, else NaN."""
        scene = frame.scene
        if scene is None or scene == self._scene:
            return nan, nan
        self._scene = scene
        return scene.emissivity, scene.reflected_c

    def _wait_for_slot(self) -> None:
        """Let a file be read no faster than it can be written; a camera would lose frames."""
        if self._writer is None:
            return
        ring = self._writer.memory.frames
        deadline = time.monotonic() + FILE_WAIT_S
        while ring.claim() is None and not self._failed and time.monotonic() < deadline:
            time.sleep(0.001)

    def _drop(self, writer: WriterProcess) -> None:
        self._dropped += 1
        writer.control["dropped"] = self._dropped
        if not self._failed:
            self._warn("dropped", "the disk is too slow: frames of %s are dropped", self.path)

    def _has_failed(self) -> bool:
        """Look whether the writer has given up or died, without waiting."""
        if not self._failed and self._writer is not None:
            fault = self._writer.fault(stopping=self._stopping)
            if fault:
                self._end_because(fault)
        return bool(self._failed)

    def _end_because(self, sentence: str) -> None:
        """Fail for good; what is in the ring is still written, what comes is dropped."""
        if not self._failed:
            log.warning("%s", sentence)  # whoever records tells the user
            self._failed = sentence
            if self._writer is not None:
                self._writer.tell(Kind.STOP)

    def _warn(self, once: str, message: str, *arguments: object) -> None:
        if once not in self._warned:
            self._warned.add(once)
            log.warning(message, *arguments)

    def _at_risk_s(self, control: Any) -> float:  # noqa: ANN401  # a NumPy structure of no dimension
        if self._failed or int(control["safe"]) >= self._offered:
            return 0.0  # once it has failed, that says what is lost
        return self._last_s - (float(control["safe_s"]) if control["safe"] else self._first_s)

    def _warning(self, status: RecorderStatus) -> str:
        """Say what is wrong with the disk, in one sentence; empty if nothing is."""
        if status.at_risk_s > RISK_S:
            self._warn("slow", "the disk of %s is slow to take what is written", self._place)
            return (
                f"the disk of {self._place} is slow: a power cut now would cost the last "
                f"{status.at_risk_s:.1f} s; record to a faster one"
            )
        size, free, seconds = status.bytes_on_disk, status.free_bytes, status.seconds
        if not free:
            return ""
        left_s = free / (size / seconds) if size and seconds > 1 else float("inf")
        if free >= self._limits.warn_bytes and left_s >= self._limits.warn_s:
            return ""
        left = f", enough for {left_s / 60:.0f} min" if left_s < float("inf") else ""
        warning = (
            f"the disk that holds {self._place} has {free / 1e9:.1f} GB left{left}; make space"
        )
        self._warn("disk", "%s", warning)
        return warning


def _fill_sample(row: Any, sample: "RoiSample") -> None:  # noqa: ANN401  # one row of the ring
    for field in SAMPLE_FIELDS:
        row[field.name] = getattr(sample, field.name)
    row["reason"] = encode_text(sample.reason, REASON_BYTES)
