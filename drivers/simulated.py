"""The phantom as a camera: `simulated:?width=640&height=512&rate_hz=30`.

It keeps its own clock like a real camera: frames that nobody fetches in time are lost, beyond the
few that its driver buffers.  And it fails on demand: `simulated:?fault=unplug@5s+2s,stall@12s`.

Drawing 640×512 at 30/s takes a third of a core; `simulated:?loop_s=10` draws its pictures before
the first frame and then plays them round, which costs no more than a real camera.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray

from drivers.fault_plan import Fault, FaultKind, FaultPlan
from drivers.picture_loop import DrawnPicture, LoopPlan, PictureLoop
from drivers.simulated_options import SimulatedOptions
from thermoseg.cameras import FLAT_FIELD, CameraListing, CameraOptions
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraPreparingError,
    CameraTimeoutError,
    FrameRefusedError,
    StreamEndedError,
)
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.phantom.head import Phantom, Sitter, Truth
from thermoseg.phantom.people import Climate
from thermoseg.phantom.physiology import Physiology
from thermoseg.phantom.render import Pose
from thermoseg.phantom.sensor import Sensor, ThermalCamera
from thermoseg.timeline import AFTER_SHUTTER_S

_BUFFERED_FRAMES: Final = 8
"""Frames kept for a late reader; GigE drivers keep about ten."""
_FINEST_WIDTH: Final = 160
"""Cameras with fewer columns are drawn this wide and averaged down, as their pixels would."""
_TELEMETRY_ROWS: Final = 2
"""Lines too many of a frame of the wrong size."""
_DRAWN_ON_OPENING_S: Final = 1.0
"""Time that opening may spend on a loop; `read` draws the rest, as opening must not take long."""
_SHARE_OF_MEMORY: Final = 0.5
"""Largest part of the free memory that a loop takes."""


class SimulatedCamera:
    """A head that breathes, moves and blinks before a camera with noise and a shutter."""

    Options: ClassVar[type[CameraOptions]] = SimulatedOptions

    def __init__(self, target: str, options: SimulatedOptions) -> None:
        if target:
            raise CameraError(
                f"“simulated:{target}” names a target but there is only one simulated camera; "
                "write simulated: and put options behind ?"
            )
        self._options = options
        self._phantom: Phantom | None = None
        self._camera: ThermalCamera | None = None
        self.truth: Truth | None = None
        """Ground truth of the newest frame."""
        self._sensor = Sensor.noiseless()
        self._next = 0
        self._start = 0.0
        self._start_wall = 0.0
        self._plan = FaultPlan.parse(options.fault)
        self._done: set[Fault] = set()
        self._first_start: float | None = None
        self._shown: NDArray[np.uint16] | None = None
        self._loop: PictureLoop | None = None
        self._drawing = False
        """Whether the loop is not whole yet, so that no frame can be shown."""

    def open(self) -> CameraInfo:
        """Prepare the phantom; takes a fraction of a second, and one more for a loop.

        Raises
        ------
        CameraLostError
            While a fault keeps it unplugged.
        CameraError
            If there is not enough memory for the loop.
        """
        self._check_plugged()
        o = self._options
        plan = LoopPlan.fit(o.loop_s, o.rate_hz, o.breaths_per_minute)
        pose = Pose(o.yaw_deg, o.pitch_deg, o.roll_deg, 0.0, 0.02, o.face_height)
        body = Physiology(
            *(o.breaths_per_minute, o.breath_depth_k),
            motion=o.motion,
            seed=o.seed,
            repeats_s=plan.seconds,
        )
        sitter = Sitter(o.seed, pose, Climate(room_c=o.room_c), body, glasses=o.glasses)
        self._sensor = sensor = self._choose_sensor()
        self._phantom = Phantom(sitter)
        self._camera = ThermalCamera(sensor, o.height, o.width)
        self._phantom.picture(0.0, *self._drawn_size())
        if o.loop_s:
            self._begin_loop(plan)
        self._next = 0
        self._start_clock()
        self._shown = None
        return CameraInfo(
            model="Simulated phantom",
            serial=f"seed-{o.seed}",
            width=o.width,
            height=o.height,
            rate_hz=o.rate_hz,
            radiometry=sensor.radiometry,
            live=o.realtime,
            frame_count=o.frames or None,
        )

    def read(self, timeout_s: float) -> Frame:
        """Return the next frame when it is due.

        Raises
        ------
        CameraTimeoutError
            If it is not due in time, or a fault makes the camera stall.
        CameraPreparingError
            If the loop is still being drawn.
        FrameRefusedError
            If a fault cuts it off.
        CameraLostError
            If a fault unplugs the camera.
        StreamEndedError
            After the last of `frames`.
        CameraError
            If it is not open.
        """
        if self._phantom is None or self._camera is None:
            raise CameraError("the simulated camera is not open; open it first")
        o = self._options
        self._check_end()
        began_s = time.monotonic()
        if self._drawing and self._loop is not None:
            self._draw_on(self._loop, began_s + timeout_s)
        if o.realtime:
            self._wait(timeout_s)
            self._check_end()
        self._fail(timeout_s - (time.monotonic() - began_s))
        index = self._next
        self._next += 1
        time_s = index / o.rate_hz
        drawn = self._draw(time_s) if self._loop is None else self._replay(self._loop, index)
        self.truth = drawn.truth
        counts, fault_flags = self._spoil(drawn.counts, index)
        self._shown = drawn.counts if counts.shape != drawn.counts.shape else counts
        return Frame.from_counts(
            counts,
            self._sensor.radiometry,
            index,
            time_s + self._clock_error_s(time_s),
            self._start_wall + time_s,
            drawn.flags | fault_flags,
        )

    def close(self) -> None:
        """Forget the phantom, but for a loop that is drawn: opened again it shows the same."""
        self._phantom = self._camera = None

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """Actions that it offers while it is open."""
        return {FLAT_FIELD: self.run_ffc}

    def run_ffc(self) -> None:
        """Close the shutter for a second, which takes the drift away.

        Raises
        ------
        CameraError
            If it is not open, or still draws its loop.
        """
        self._ready().shutter.close(self._next / self._options.rate_hz)

    def set_automatic_correction(self, on: bool) -> None:
        """Let its shutter close when it is asked to only, or every `shutter_every_s` again.

        Raises
        ------
        CameraError
            If it is not open, still draws its loop, or its loop holds closings.
        """
        camera, o = self._ready(), self._options
        if self._loop is not None and 0 < o.shutter_every_s <= self._loop.plan.seconds:
            raise CameraError(
                "the closings of its shutter are part of its loop; choose a longer shutter_every_s"
            )
        camera.shutter.set_automatic(self._next / o.rate_hz, on=on)

    @classmethod
    def discover(cls) -> Sequence[CameraListing]:
        """Offer the one that is always there."""
        return [
            CameraListing(
                "simulated:",
                "Simulated phantom, 640×512 at 30 frames/s",
                model="Simulated phantom",
                width=640,
                height=512,
                rate_hz=30.0,
            )
        ]

    def _choose_sensor(self) -> Sensor:
        o = self._options
        if o.perfect:
            return Sensor.noiseless()
        sensor = Sensor(netd_k=o.netd_k, shutter_every_s=o.shutter_every_s, seed=o.seed)
        # A drift would fall back at the end of each round.
        return replace(sensor, drift_k_per_s=0.0) if o.loop_s else sensor

    def _start_clock(self) -> None:
        self._start, self._start_wall = time.monotonic(), time.time()
        if self._first_start is None or self._drawing:
            self._first_start = self._start

    def _begin_loop(self, plan: LoopPlan) -> None:
        """Draw the first pictures of the loop; that of the last opening is kept."""
        o = self._options
        needed, free = plan.bytes_of(o.width, o.height), psutil.virtual_memory().available
        if self._loop is None and needed > _SHARE_OF_MEMORY * free:
            raise CameraError(
                f"a loop of {plan.seconds:g} s takes {needed / 1e6:.0f} MB and only "
                f"{free / 1e6:.0f} MB of memory are free; choose a shorter loop_s"
            )
        self._loop = self._loop or PictureLoop(plan)
        self._drawing = not self._draw_until(self._loop, time.monotonic() + _DRAWN_ON_OPENING_S)

    def _draw_until(self, loop: PictureLoop, deadline_s: float) -> bool:
        """Draw what is missing until `deadline_s`; return whether the loop is whole."""
        while not loop.whole and time.monotonic() < deadline_s:
            loop.draw_next(self._draw)
        return loop.whole

    def _draw_on(self, loop: PictureLoop, deadline_s: float) -> None:
        """Draw until the first frame can be shown; the camera's clock starts with it.

        Raises
        ------
        CameraPreparingError
            While there is something left to draw.
        """
        if not self._draw_until(loop, deadline_s):
            raise CameraPreparingError("the simulated camera still draws its pictures; read again")
        self._start_clock()
        self._drawing = False

    def _ready(self) -> ThermalCamera:
        """Return the sensor of a camera that shows frames."""
        if self._camera is None or self._drawing:
            raise CameraError("the simulated camera shows no frames yet; open it and read first")
        return self._camera

    def _replay(self, loop: PictureLoop, index: int) -> DrawnPicture:
        """Return a picture of the loop, or the last one again behind a shutter that was closed."""
        drawn = loop.picture(index)
        state = self._ready().shutter.asked_at(index / self._options.rate_hz)
        if not state.closed or self._shown is None:
            return drawn
        return DrawnPicture(self._shown, FrameFlag.SHUTTER, drawn.truth)

    def _draw(self, time_s: float) -> DrawnPicture:
        if self._phantom is None or self._camera is None:
            raise CameraError("the simulated camera is not open; open it first")
        o = self._options
        picture = self._phantom.picture(time_s, *self._drawn_size())
        celsius = picture.celsius
        if celsius.shape != (o.height, o.width):
            celsius = np.asarray(
                cv2.resize(celsius, (o.width, o.height), interpolation=cv2.INTER_AREA), np.float32
            )
        exposure = self._camera.expose(celsius, time_s)
        flags = FrameFlag.NONE
        if exposure.shutter:
            flags |= FrameFlag.SHUTTER
        elif exposure.after_shutter_s < AFTER_SHUTTER_S:
            flags |= FrameFlag.AFTER_SHUTTER
        return DrawnPicture(exposure.counts, flags, picture.truth)

    def _drawn_size(self) -> tuple[int, int]:
        o = self._options
        finer = max(1, -(-_FINEST_WIDTH // o.width))
        return o.height * finer, o.width * finer

    @property
    def _opened_s(self) -> float:
        """When it was opened last, seconds since it was opened for the first time."""
        return 0.0 if self._first_start is None else self._start - self._first_start

    def _check_plugged(self) -> None:
        """Refuse to open while a fault keeps the camera unplugged."""
        if self._first_start is None or not self._options.realtime:
            return
        now_s = time.monotonic() - self._first_start
        if any(f.at_s <= now_s < f.at_s + f.length_s for f in self._plan.of(FaultKind.UNPLUG)):
            raise CameraLostError("the simulated camera is unplugged; plug it in again")

    def _fail(self, left_s: float) -> None:
        """Do what the plan says of the whole camera at the time of the next frame."""
        now_s = self._opened_s + self._next / self._options.rate_hz
        for fault in self._plan.of(FaultKind.UNPLUG):
            if self._opened_s <= fault.at_s <= now_s:
                raise CameraLostError("the simulated camera was unplugged; plug it in again")
        for fault in self._plan.of(FaultKind.STALL):
            if self._opened_s <= fault.at_s <= now_s < fault.at_s + fault.length_s:
                time.sleep(max(left_s, 0.0))
                if self._options.realtime:
                    passed_s = time.monotonic() - self._start
                    self._next = max(self._next, int(passed_s * self._options.rate_hz))
                raise CameraTimeoutError("no frame of the simulated camera in time; read again")

    def _spoil(
        self, counts: NDArray[np.uint16], index: int
    ) -> tuple[NDArray[np.uint16], FrameFlag]:
        """Do what the plan says of one frame; its checks are those of a driver."""
        now_s = self._opened_s + index / self._options.rate_hz
        if self._strikes(FaultKind.TRUNCATED, now_s):
            whole = counts.nbytes
            raise FrameRefusedError(
                f"a frame of the simulated camera came with {whole // 2} of its {whole} bytes; "
                "check its cable"
            )
        if self._strikes(FaultKind.SIZE, now_s):
            return np.pad(counts, ((0, _TELEMETRY_ROWS), (0, 0))), FrameFlag.NONE
        if self._strikes(FaultKind.CORRUPT, now_s):
            spoilt = counts.copy()
            rng = np.random.default_rng(index)
            spoilt[len(spoilt) // 2] = rng.integers(0, 65536, counts.shape[1], np.uint16)
            return spoilt, FrameFlag.DAMAGED
        shown = counts if self._shown is None else self._shown
        if self._strikes(FaultKind.FFC, now_s):
            return shown, FrameFlag.SHUTTER
        if self._strikes(FaultKind.DUPLICATE, now_s):
            return shown, FrameFlag.NONE
        return counts, FrameFlag.NONE

    def _strikes(self, kind: FaultKind, now_s: float) -> bool:
        """Whether a fault of this kind hits the frame of `now_s`."""
        struck = False
        for fault in self._plan.of(kind):
            if fault.at_s <= now_s < fault.at_s + fault.length_s or (
                not fault.length_s and fault.at_s <= now_s and fault not in self._done
            ):
                self._done.add(fault)
                struck = True
        return struck

    def _clock_error_s(self, time_s: float) -> float:
        """Return by how much the camera's clock has jumped since it was opened."""
        now_s = self._opened_s + time_s
        jumps = self._plan.of(FaultKind.CLOCK)
        return sum(jump.length_s for jump in jumps if self._opened_s <= jump.at_s <= now_s)

    def _check_end(self) -> None:
        frames = self._options.frames
        if frames and self._next >= frames:
            raise StreamEndedError(f"the simulated camera has shown its {frames} frames")

    def _wait(self, timeout_s: float) -> None:
        # A camera has a few buffers: who reads too late finds those and has lost what came before,
        # so numbers jump forward by the clock instead of waiting for the reader.
        period = 1 / self._options.rate_hz
        now = time.monotonic() - self._start
        if now - self._next * period > _BUFFERED_FRAMES * period:
            self._next = int(now / period)
        patience = self._next * period - now
        if patience > timeout_s:
            time.sleep(timeout_s)
            raise CameraTimeoutError(
                f"no frame of the simulated camera within {timeout_s:g} s; read again"
            )
        if patience > 0:
            time.sleep(patience)
