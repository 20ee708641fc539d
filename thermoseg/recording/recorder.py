"""The near end of a recording: takes frames from any thread and hands them to a writer process."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from math import ceil
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
import psutil

from thermoseg.errors import RecordingError
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.radiometry import radiometry_to_dict
from thermoseg.recording.layout import (
    FORMAT,
    FORMAT_MINOR,
    FORMAT_VERSION,
    MAX_SIDE_PX,
    REASON_BYTES,
    REGIONS,
    SAMPLE_FIELDS,
    STUDY_BYTES,
    SUFFIX,
    TEXT_BYTES,
    SessionNames,
    encode_text,
)
from thermoseg.recording.marker import is_being_recorded
from thermoseg.recording.ring import (
    MESSAGE,
    Kind,
    RingGeometry,
    SharedMemory,
    WriterState,
)
from thermoseg.recording.writer import WriterJob

if TYPE_CHECKING:
    from thermoseg.rois import RoiSample
    from thermoseg.sinks import Result

log = logging.getLogger(__name__)

RING_S: Final = 4.0
"""Of frames that wait for a slow disk."""
RING_BYTES: Final = 256 * 2**20
MIN_SLOTS: Final = 16
MAX_SLOTS: Final = 512
"""Each slot given is three bytes in a pipe; the smallest pipe, that of Windows, holds 4096."""
DRAIN_S: Final = 30.0
"""`stop` kills a writer that has made no progress for this long."""
DRAIN_CHECK_S: Final = 0.2
KILL_S: Final = 5.0
"""A process that a dead disk holds in the kernel cannot be killed; it is left to its fate."""
FILE_WAIT_S: Final = 1.5
"""For a source that is no live camera, `offer` waits this long for the writer."""

NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "ceph", "webdav", "davfs"}
    | {"fuse.sshfs", "fuse.smbnetfs", "fuse.glusterfs", "fuse.rclone", "fuse.davfs", "afpfs"}
)
"""HDF5 gives no guarantee for a file that is written there."""


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """When a disk counts as too full, free bytes unless said otherwise."""

    refuse_bytes: int = 500 * 10**6
    """Below this no recording starts."""
    stop_bytes: int = 200 * 10**6
    """Below this a recording ends."""
    warn_bytes: int = 5 * 10**9
    warn_s: float = 600.0
    """Warn as well if the disk will be full in less time, seconds."""


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How a recording is getting on."""

    recorded: int
    """Frames in the file."""
    dropped: int
    """Frames offered that will never be in the file."""
    seconds: float
    """From the first frame offered to the last."""
    bytes_on_disk: int
    free_bytes: int
    failed: str
    """One sentence if the recording ended by itself, else empty."""
    warning: str = ""
    """One sentence about the disk, else empty."""


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """What came of a recording; recorded + dropped = captured."""

    path: Path
    captured: int
    """Frames offered."""
    recorded: int
    dropped: int
    missed: int
    """Frames that never reached us, by the camera's own numbers."""
    seconds: float
    bytes_on_disk: int
    failed: str
    """Why the recording ended by itself, one sentence, else empty."""


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
    ) -> None:
        """Prepare to record; nothing is touched before `start`.

        Parameters
        ----------
        path
            New file, ending in `.h5`.
        address
            Of the camera, as given by the user.
        limits
            For tests and small disks.
        study
            Study and participant fields, by name.
        regions
            Whose samples are recorded; the names stand in the file.

        Raises
        ------
        RecordingError
            If the study fields take too much room.
        """
        self._names = SessionNames(path.absolute())
        self._info = info
        self._regions = tuple(regions)
        self._attributes = _attributes(info, address, model)
        self._attributes |= {"regions": json.dumps(self._regions), "study": _study_text(study)}
        self._limits = limits or DiskLimits()
        self._lock = threading.Lock()
        self._stop_lock = threading.Lock()
        self._final: tuple[RecorderStatus, RecordingSummary] | None = None
        self._memory: SharedMemory | None = None
        self._process: subprocess.Popen[bytes] | None = None
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
        """Of the session file, absolute."""
        return self._names.session

    def start(self) -> None:
        """Start the writer process; frames may be offered at once, the file appears a little later.

        Raises
        ------
        RecordingError
            If the file exists, its disk is full or a network share, or no process can be started.
        """
        if self._process is not None:
            raise RecordingError(f"{self.path} is being recorded already; make a new recorder")
        self._check_place()
        geometry = _geometry(self._info, len(self._regions))
        memory = SharedMemory.create(geometry)
        descriptors = (memory.token,) if isinstance(memory.token, int) else ()
        try:
            self._claim_name()
            job = WriterJob(
                path=str(self.path),
                attributes=self._attributes,
                geometry=geometry,
                regions=self._regions,
                token=memory.token,
                parent=os.getpid(),
                stop_bytes=self._limits.stop_bytes,
            )
            self._process = _start_writer(job, descriptors)
            self._names.marker.write_text(
                json.dumps({"pid": self._process.pid, "started": time.time()})
            )
        except OSError as error:
            self._names.marker.unlink(missing_ok=True)
            raise self._unrecordable(error) from error
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        self._memory = memory

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
            memory = self._started()
            self._count(frame, refused, memory)
            if frame.counts.shape != (self._info.height, self._info.width):
                self._end_because(
                    f"the camera changed its picture from {self._info.width}×{self._info.height} "
                    f"to {frame.counts.shape[1]}×{frame.counts.shape[0]} pixels; "
                    "start a new recording"
                )
            slot = None if self._has_failed() else memory.frames.claim()
            if slot is None:
                self._drop(memory)
                self._gap |= frame.flags & FrameFlag.GAP_BEFORE
                return
            target = memory.frames.slots[slot]
            target["counts"] = frame.counts
            target["index"], target["flags"] = frame.index, int(frame.flags | self._gap)
            self._gap = FrameFlag.NONE
            target["time_s"], target["wall_time"] = frame.time_s, frame.wall_time
            target["monotonic_s"] = time.monotonic()
            target["dropped"], target["missed"] = self._dropped, self._missed
            target["refused"] = self._refused
            memory.frames.give(slot)
            self._tell(Kind.FRAME, slot)

    def offer_result(self, result: "Result") -> None:
        """Record the labels and samples of a frame, unless the writer is behind or gone.

        Raises
        ------
        RecordingError
            If recording was not started.
        """
        with self._lock:
            if self._stopping or self._has_failed():
                return
            memory = self._started()
            labels = result.segmentation.labels
            slot = memory.results.claim()
            if slot is None or labels.shape != (self._info.height, self._info.width):
                self._warn("results", "some labels of %s are not recorded", self.path)
                return
            target = memory.results.slots[slot]
            target["labels"] = labels
            target["frame_index"] = result.segmentation.frame_index
            target["time_s"] = result.frame.time_s
            known = [sample for sample in result.samples if sample.region in self._regions]
            if len(known) < len(result.samples):
                self._warn(
                    "regions", "some regions are not recorded: they have no table in %s", self.path
                )
            target["sample_count"] = len(known)
            for row, sample in zip(target["samples"], known, strict=False):
                row["region"] = self._regions.index(sample.region)
                _fill_sample(row, sample)
            memory.results.give(slot)
            self._tell(Kind.RESULT, slot)

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
            memory = None if ended else self._started()
            slot = None if memory is None else memory.events.claim()
            if memory is None or slot is None:
                reason = self._failed or ("recording has stopped" if ended else "disk too slow")
                raise RecordingError(
                    f"the event “{text[:40]}” was not recorded ({reason}); write it down"
                )
            target = memory.events.slots[slot]
            target["time_s"], target["wall_time"] = time_s, time.time()
            target["text"] = encode_text(text, TEXT_BYTES)
            memory.events.give(slot)
            self._tell(Kind.EVENT, slot)

    def status(self) -> RecorderStatus:
        """Return how the recording is getting on; cheap, from any thread."""
        with self._lock:
            if self._final is not None:
                return self._final[0]
            if self._memory is None:
                return RecorderStatus(0, 0, 0.0, 0, 0, "")
            failed = self._has_failed()
            control = self._memory.control
            recorded = int(control["flushed" if failed else "written"])
            size, free = int(control["file_bytes"]), int(control["free_bytes"])
            seconds = self._last_s - self._first_s
            return RecorderStatus(
                recorded=recorded,
                dropped=self._offered - recorded if failed or self._stopping else self._dropped,
                seconds=seconds,
                bytes_on_disk=size,
                free_bytes=free,
                failed=self._failed,
                warning=self._disk_warning(size, free, seconds),
            )

    def stop(self) -> RecordingSummary:
        """Drain what was offered, close the file and end the writer; may be called twice.

        Raises
        ------
        RecordingError
            If recording was not started.
        """
        with self._stop_lock:
            if self._final is None:
                with self._lock:
                    missed = self._started().control["missed"]
                    self._stopping = True
                self._end_writer()
                status = self.status()
                summary = RecordingSummary(
                    path=self.path,
                    captured=self._offered,
                    recorded=status.recorded,
                    dropped=self._offered - status.recorded,
                    missed=int(missed),
                    seconds=status.seconds,
                    bytes_on_disk=status.bytes_on_disk,
                    failed=status.failed,
                )
                with self._lock:
                    self._final = status, summary
                    self._memory = None
            return self._final[1]

    def _end_writer(self) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        self._tell(Kind.STOP)
        process.stdin.close()
        progress, deadline = -1, 0.0
        while process.poll() is None:
            control = self._started().control
            if progress != (progress := int(control["written"] + control["flushed"])):
                deadline = time.monotonic() + DRAIN_S
            if time.monotonic() > deadline:
                process.kill()
                self._end_because(
                    f"the disk has taken nothing of {self.path} for {DRAIN_S:.0f} s; "
                    "recover the session"
                )
            if time.monotonic() > deadline + KILL_S:
                return
            with suppress(subprocess.TimeoutExpired):
                process.wait(DRAIN_CHECK_S)

    def _check_place(self) -> None:
        path = self.path
        if path.suffix != SUFFIX:
            raise RecordingError(f"{path} does not end in {SUFFIX}; session files must")
        if not max(self._info.width, self._info.height) <= MAX_SIDE_PX:
            raise RecordingError(
                f"pictures of {self._info.width}×{self._info.height} pixels cannot be recorded; "
                f"no side may exceed {MAX_SIDE_PX}"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordingError(
                f"the folder {path.parent} cannot be made ({error.strerror}); choose another"
            ) from error
        kind = file_system_of(path.parent)
        if kind in NETWORK_FILE_SYSTEMS:
            raise RecordingError(
                f"{path.parent} is on a network share ({kind}), where a crash can destroy a "
                "recording; record to a local disk and copy the file afterwards"
            )
        free = psutil.disk_usage(str(path.parent)).free
        if free < self._limits.refuse_bytes:
            raise RecordingError(
                f"the disk that holds {path.parent} has only {free / 1e6:.0f} MB left; "
                f"make room for at least {self._limits.refuse_bytes / 1e6:.0f} MB"
            )

    def _claim_name(self) -> None:
        """Make the marker, which also keeps two recorders from the same file."""
        for name in (self.path, self._names.events):
            if name.exists():
                raise RecordingError(
                    f"{name} exists already and is not overwritten; choose another name"
                )
        try:
            if self._names.marker.exists() and not is_being_recorded(self.path):
                self._names.marker.unlink()
            with self._names.marker.open("x") as marker:
                json.dump({"pid": os.getpid(), "started": time.time()}, marker)
        except FileExistsError as error:
            raise RecordingError(
                f"{self.path} is being recorded already; choose another name"
            ) from error
        except OSError as error:
            raise self._unrecordable(error) from error

    def _unrecordable(self, error: OSError) -> RecordingError:
        return RecordingError(
            f"{self.path} cannot be recorded ({error.strerror}); choose another place"
        )

    def _started(self) -> SharedMemory:
        if self._memory is None:
            raise RecordingError(f"{self.path} is not being recorded; call start first")
        return self._memory

    def _count(self, frame: Frame, refused: int, memory: SharedMemory) -> None:
        if self._offered == 0:
            self._first_s = frame.time_s
        self._last_s = frame.time_s
        self._offered += 1
        if self._last_index is not None:
            self._missed += max(frame.index - self._last_index - 1 - refused, 0)
            self._refused += refused
        self._last_index = frame.index
        memory.control["offered"], memory.control["missed"] = self._offered, self._missed

    def _wait_for_slot(self) -> None:
        """Let a file be read no faster than it can be written; a camera would lose frames."""
        memory = self._memory
        if memory is None:
            return
        ring = memory.frames
        deadline = time.monotonic() + FILE_WAIT_S
        while ring.claim() is None and not self._failed and time.monotonic() < deadline:
            time.sleep(0.001)

    def _drop(self, memory: SharedMemory) -> None:
        self._dropped += 1
        memory.control["dropped"] = self._dropped
        if not self._failed:
            self._warn("dropped", "the disk is too slow: frames of %s are dropped", self.path)

    def _tell(self, kind: Kind, slot: int = 0) -> None:
        """Send a message; it cannot block, since a pipe has room for one of every slot."""
        pipe = None if self._process is None else self._process.stdin
        if pipe is not None and not pipe.closed:
            with suppress(BrokenPipeError):
                pipe.write(MESSAGE.pack(kind, slot))

    def _has_failed(self) -> bool:
        """Look whether the writer has given up or died, without waiting."""
        if self._failed or self._memory is None or self._process is None:
            return bool(self._failed)
        ended = self._process.poll()
        control = self._memory.control
        if int(control["state"]) == WriterState.FAILED:
            self._end_because(control["sentence"].item().decode())
        elif ended is not None and int(control["state"]) != WriterState.DONE:
            self._end_because(
                f"the process that writes {self.path} ended unexpectedly (exit code {ended}); "
                "recover the session and record again"
            )
        elif ended is not None and not self._stopping:
            self._end_because(
                f"the process that writes {self.path} was told to end by someone else; "
                "the file is whole, record again into another"
            )
        return bool(self._failed)

    def _end_because(self, sentence: str) -> None:
        """Fail for good; what is in the ring is still written, what comes is dropped."""
        if not self._failed:
            log.error("%s", sentence)
            self._failed = sentence
            self._tell(Kind.STOP)

    def _warn(self, once: str, message: str, *arguments: object) -> None:
        if once not in self._warned:
            self._warned.add(once)
            log.warning(message, *arguments)

    def _disk_warning(self, size: int, free: int, seconds: float) -> str:
        if not free:
            return ""
        left_s = free / (size / seconds) if size and seconds > 1 else float("inf")
        if free >= self._limits.warn_bytes and left_s >= self._limits.warn_s:
            return ""
        left = f", enough for {left_s / 60:.0f} min" if left_s < float("inf") else ""
        warning = f"the disk that holds {self.path} has {free / 1e9:.1f} GB left{left}; make space"
        self._warn("disk", "%s", warning)
        return warning


def _start_writer(job: WriterJob, descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    # A session of its own, so that Ctrl-C in a terminal does not reach the writer.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "thermoseg.recording.writer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        bufsize=0,
        pass_fds=descriptors,
        env=environment,
        start_new_session=True,
    )
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.write(job.to_json())
    return process


def _study_text(study: Mapping[str, str | float]) -> str:
    text = json.dumps(dict(study), ensure_ascii=False)
    if len(text.encode()) > STUDY_BYTES:
        raise RecordingError(
            f"the study fields take {len(text.encode())} bytes and a session file has room for "
            f"{STUDY_BYTES}; shorten them, or keep long notes in a file of their own"
        )
    return text


def _attributes(
    info: CameraInfo, address: str, model: ModelIdentity | None
) -> dict[str, str | int | float]:
    identity = asdict(model or ModelIdentity("", "", ""))
    try:
        program = f"thermoseg {version('thermoseg')}"
    except PackageNotFoundError:
        program = "thermoseg"
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "format_minor": FORMAT_MINOR,
        "session_id": str(uuid.uuid4()),
        "program": program,
        "created": datetime.now().astimezone().isoformat(),
        "created_epoch_s": time.time(),
        "created_monotonic_s": time.monotonic(),
        "address": address,
        "camera_model": info.model,
        "camera_serial": info.serial,
        "width": info.width,
        "height": info.height,
        "rate_hz": float(info.rate_hz),
        "live": int(info.live),
        "radiometry": json.dumps(radiometry_to_dict(info.radiometry)),
        **{f"model_{name}": value for name, value in identity.items()},
    }


def _geometry(info: CameraInfo, regions: int) -> RingGeometry:
    """Size the rings for `RING_S` of frames and half of it of results, within `RING_BYTES`."""
    one = RingGeometry(info.height, info.width, 1, 1, regions)
    bytes_each = one.frame_dtype.itemsize + one.result_dtype.itemsize / 2
    affordable = max(int(RING_BYTES / bytes_each), 2)
    wanted = min(max(ceil(info.rate_hz * RING_S), MIN_SLOTS), MAX_SLOTS)
    frames = min(wanted, affordable)
    return RingGeometry(info.height, info.width, frames, max(frames // 2, 2), regions)


def _fill_sample(row: "np.void", sample: "RoiSample") -> None:
    for field in SAMPLE_FIELDS:
        row[field.name] = getattr(sample, field.name)
    row["reason"] = encode_text(sample.reason, REASON_BYTES)


def file_system_of(folder: Path) -> str:
    """Name the kind of file system that holds `folder`, in lower case; empty if unknown."""
    found = ""
    longest = -1
    for partition in psutil.disk_partitions(all=True):
        mount = Path(partition.mountpoint)
        if folder.resolve().is_relative_to(mount) and len(mount.parts) > longest:
            found, longest = partition.fstype.lower(), len(mount.parts)
    return found
