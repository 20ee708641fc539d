"""One camera as a stream that goes on: opened, read, watched, lost, opened again.

Used by the capture thread of a session.  Other threads may ask for an action (`orders.ask`) or a
scene (`scene.ask`), and read what is published: `lost`, `telemetry`, `visible_jpeg`, `now_s`.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from thermoseg.camera_orders import CameraOrders
from thermoseg.cameras import Camera, PhotographingCamera, TellingCamera
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraPreparingError,
    CameraTimeoutError,
    FormatError,
    FrameRefusedError,
)
from thermoseg.frames import CameraInfo, Frame
from thermoseg.scene_setting import SceneSetting
from thermoseg.tally import Tally
from thermoseg.telemetry import Telemetry
from thermoseg.timeline import TimeLine

log = logging.getLogger(__name__)

READ_TIMEOUT_S: Final = 0.25
"""Longest single wait for a frame, and so for the capture thread to notice a stop."""
COMPLAINT_S: Final = 60.0
"""How often a broken frame is told of while they come; `refused` counts all."""
LONGEST_READ_S: Final = 0.5
"""A driver that keeps the capture thread for longer breaks its contract, which is told once."""
IDLE_S: Final = 0.001
"""Pause after a read without a frame, so that a driver that fails at once keeps no core busy."""
SILENCE_LIMIT_S: Final = 5.0
"""Without a frame for this long a camera counts as lost."""
SILENT_FRAMES: Final = 3
"""Slower sources are allowed this many of their own frame intervals."""
BACK_OFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Pauses between attempts to open a lost camera again; the last one is repeated."""
TELEMETRY_S: Final = 1.0
"""Interval at which a camera is asked for its telemetry."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """One frame as it came, placed in the session's line of numbers and times."""

    frame: Frame
    arrived_s: float
    """Monotonic clock."""
    refused_before: int
    """Broken frames thrown away between the last one and this one."""


class CameraFeed:
    """Reads one camera, and opens it again whenever it is lost; the same one or none."""

    def __init__(
        self,
        camera: Camera,
        tally: Tally,
        note: Callable[[str], None],
        stopping: threading.Event,
        address: str = "",
    ) -> None:
        """Prepare to open; the camera is not touched yet.

        Parameters
        ----------
        tally
            Gets the account of what came and what did not.
        note
            Called in the capture thread with what rarely happens: losses, gaps, actions done.
        stopping
            Set by whoever wants no more frames; then no pause is waited for.
        address
            Address of the camera, as the user gave it.
        """
        self.orders = CameraOrders(camera, note)
        """Actions of the camera, and its corrections."""
        self.lost = ""
        """Why the camera is gone, or why it did not open again; empty once pictures come."""
        self.telemetry: Telemetry = {}
        """Telemetry of the camera, at most a second old; empty if it has none."""
        self.visible_jpeg: bytes | None = None
        """The visible picture that came beside the thermal ones, if the camera takes any."""
        self._camera = camera
        self._tally = tally
        self._note = note
        self._stopping = stopping
        self._address = address
        self._line = TimeLine()
        self.scene = SceneSetting(note)
        """Emissivity and reflected temperature in place of the camera's, if they are set."""
        self._info: CameraInfo | None = None
        self._heard_s: float | None = None
        """When the last frame came, or the first one was asked for, monotonic clock."""
        self._told_s = -math.inf
        self._failures: set[str] = set()
        self._attempts = 0
        self._complaint = ""
        self._complained_s = -COMPLAINT_S
        self._slow = False

    def open(self) -> CameraInfo:
        """Open the camera.

        Raises
        ------
        CameraError, FormatError
            If it cannot be opened.
        """
        info = self._camera.open()
        self._info = info
        self.scene.open(info)
        self._begin(info)
        return info

    def next(self) -> Arrival | None:
        """Do what was asked of the camera, then wait for its next frame.

        Returns
        -------
        None if no frame came in time, one came broken, or the camera was lost and is open again;
        asking again is right.

        Raises
        ------
        StreamEndedError
            If a finite source is at its end.
        CameraLostError
            If a file sends nothing, or the camera came back as one that does not fit.
        CameraError, FormatError
            If the camera is not open, or a file is damaged.
        """
        self.orders.obey()
        self._ask_telemetry(time.monotonic())
        try:
            frame = self._read()
        except CameraLostError as error:
            if not self._opened.live:
                raise
            self._reopen(error)
            return None
        if frame is None:
            self._stopping.wait(IDLE_S)
            return None
        return self._place(frame)

    def close(self) -> None:
        """Close the camera; may be called at any time, and a failure is only logged."""
        try:
            self._camera.close()
        except CameraError as error:
            log.warning("%s could not be closed: %s", self._address or "the camera", error)

    def now_s(self) -> float:
        """Return the present moment on the clock of the frames, 0 before the camera is open."""
        return 0.0 if self._info is None else self._line.now_s(time.monotonic())

    @property
    def _opened(self) -> CameraInfo:
        if self._info is None:
            raise CameraError("the camera is not open yet; open it first")
        return self._info

    @property
    def live(self) -> bool:
        """Whether the open source is a camera, not a file."""
        return self._opened.live

    @property
    def name(self) -> str:
        """Model and serial number of the open camera, as sentences name it."""
        info = self._opened
        return " ".join(filter(None, (info.model, info.serial))) or "the camera"

    def _begin(self, info: CameraInfo) -> None:
        """Expect the first frame of a camera that was just opened."""
        self.orders.begin()
        self._line.open(time.monotonic(), live=info.live, rate_hz=info.rate_hz)

    def _ask_telemetry(self, now_s: float) -> None:
        if now_s - self._told_s < TELEMETRY_S:
            return
        self._told_s = now_s
        if isinstance(self._camera, TellingCamera):
            self.telemetry = dict(self._camera.telemetry())
        if isinstance(self._camera, PhotographingCamera):
            self.visible_jpeg = self._camera.visible_jpeg()

    def _read(self) -> Frame | None:
        """Return the next frame, or None if none came in time or it is not to be used.

        Raises
        ------
        CameraLostError
            If the camera says so, or none has come for too long.
        """
        info = self._opened
        began_s = time.monotonic()
        self._check_silence(info, began_s)
        try:
            frame = self._camera.read(READ_TIMEOUT_S)
        except CameraTimeoutError as error:
            self._tally.timeouts += 1
            if isinstance(error, CameraPreparingError):
                self._heard_s = time.monotonic()
            return None
        except FrameRefusedError as error:
            self._refuse(str(error))
            return None
        except FormatError as error:
            if not info.live:
                raise
            self._refuse(str(error))
            return None
        finally:
            self._check_pace(time.monotonic() - began_s)
        height, width = frame.counts.shape
        if (width, height) != (info.width, info.height):
            self._refuse(
                f"a frame came with {width}×{height} instead of {info.width}×{info.height} pixels"
            )
            return None
        return frame

    def _refuse(self, complaint: str) -> None:
        """Count a broken frame; one is told now and then, as the text of each may differ."""
        self._tally.refused += 1
        self._line.refused += 1
        self._complaint, now_s = complaint, time.monotonic()
        if now_s - self._complained_s >= COMPLAINT_S:
            self._complained_s = now_s
            self._note(f"{self.name}: {complaint}")

    def _check_silence(self, info: CameraInfo, now_s: float) -> None:
        """Take the camera for lost if no usable frame has come for too long.

        The patience begins with the first read, not with `open`: between them a session may make
        the file ready that is to hold the very first frame, which takes a slow disk seconds.
        """
        if self._heard_s is None:
            self._heard_s = now_s
        slowest_s = SILENT_FRAMES / info.rate_hz if info.rate_hz > 0 else 0.0
        silent_s = now_s - max(self._heard_s, self._line.opened_s)
        if silent_s <= max(SILENCE_LIMIT_S, slowest_s):
            return
        told = (
            f": {self._complaint}"
            if self._line.refused
            else "; check its cable, or unplug it and plug it in again"
        )
        raise CameraLostError(f"{self.name} has sent no usable picture for {silent_s:.0f} s{told}")

    def _check_pace(self, seconds: float) -> None:
        if seconds > LONGEST_READ_S and self._opened.live and not self._slow:
            self._slow = True
            self._note(f"the driver of {self.name} kept a read waiting for {seconds:.1f} s")
            log.warning(
                "a read of %s took %.1f s instead of its %g s", self.name, seconds, READ_TIMEOUT_S
            )

    def _place(self, frame: Frame) -> Arrival:
        """Let `frame` follow the last one, and note what it ends or what is strange about it."""
        self._heard_s = arrived_s = time.monotonic()
        line = self._line
        placed = line.place(frame, arrived_s)
        self._attempts = 0
        if self.lost:  # open again, but only a picture proves that it is back
            self.lost = ""
            self._failures.clear()
        gap_s = self._tally.note_frame(placed, arrived_s, line.missed)
        if gap_s:
            self._note(f"gap of {gap_s:.1f} s: {self.name} was lost")
        self.orders.look(placed)
        if line.remark:
            log.warning("%s: %s", self.name, line.remark)
            self._note(f"{self.name}: {line.remark}")
        return Arrival(self.scene.apply(placed), arrived_s, line.refused_before)

    def _reopen(self, reason: CameraLostError) -> None:
        """Try to open the same camera again until it is there or the session is stopped."""
        # As text: who keeps log records would keep the traceback, and with it pictures.
        log.warning("%s; trying to open it again", str(reason))
        if self._tally.note_loss(self._line.arrived_s):
            self._note(f"lost: {reason}")
        self.lost = str(reason)
        self.telemetry, self.visible_jpeg = {}, None
        before = self._opened
        # The pauses go on growing for a camera that can be opened but sends nothing.
        while not self._stopping.wait(BACK_OFF_S[min(self._attempts, len(BACK_OFF_S) - 1)]):
            self._attempts += 1
            self.close()
            try:
                info = self._camera.open()
            except (CameraError, FormatError) as error:
                self._note_failure(str(error))
                continue
            if info.serial != before.serial:
                there = f"{info.model} {info.serial}".strip()
                self._note_failure(f"{there} is there instead of {self.name}")
                continue
            self._check_unchanged(before, info)
            log.info("%s is open again after %d attempts", self.name, self._attempts)
            self._begin(info)
            self._tally.reopened += 1
            return

    def _note_failure(self, why: str) -> None:
        """Tell why the camera could not be opened again; each reason once in a loss."""
        log.debug("attempt %d to open %s: %s", self._attempts, self.name, why)
        self.lost = why
        if why not in self._failures:
            self._failures.add(why)
            self._note(f"not open again: {why}")

    def _check_unchanged(self, before: CameraInfo, info: CameraInfo) -> None:
        """Refuse a camera whose counts would mean something else than those before.

        Raises
        ------
        CameraLostError
            If size or radiometry differ.
        """
        if (info.width, info.height) != (before.width, before.height):
            raise CameraLostError(
                f"{self.name} came back with {info.width}×{info.height} instead of "
                f"{before.width}×{before.height} pixels; start a new session"
            )
        radiometric = info.radiometric or before.radiometric
        if radiometric and info.radiometry != before.radiometry:
            raise CameraLostError(
                f"{self.name} came back with another scale of temperatures, set differently or "
                "another camera; start a new session"
            )
