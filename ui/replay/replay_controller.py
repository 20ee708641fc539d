"""The recording that is replayed: opened, played, stepped and read; knows no widget."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

from thermoseg.errors import ThermoSegError
from thermoseg.frame_decoder import DecodedFrame, FrameDecoder
from thermoseg.frames import CameraInfo
from thermoseg.playback_clock import PlaybackClock
from thermoseg.recorded_frames import FramesByNumber
from thermoseg.recording.reader import Recording
from ui.replay.opening import open_recording
from ui.replay.replay_state import ReplayState
from ui.replay.session_tables import SessionTables, read_tables
from ui.replay.time_axis import frame_at, frame_from
from ui.shell.jobs import Jobs

TICK_MS: Final = 16
"""Looks while something moves: as many as a screen shows."""
STEP_S: Final = 1.0
"""Length of a long step."""


class ReplayController(QObject):
    """Owns the file that is replayed, and where in it one is.

    Frames are decoded in a thread, the newest request first; `moved` says that another is there.
    """

    state_changed = pyqtSignal()
    """Another file, or another phase of it."""
    moved = pyqtSignal()
    """`shown` is another frame."""
    playing_changed = pyqtSignal()
    """It began or ceased to play, or its speed or selection is another."""
    tables_read = pyqtSignal(object)
    """`SessionTables` of the session that is open."""
    failed = pyqtSignal(object)
    """An exception that the user must hear of; `state` tells whether anything is left to see."""
    exchanged = pyqtSignal()
    """Masks and samples are from now on those that `exchange` was asked for."""

    def __init__(
        self, parent: QObject | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(parent)
        self._now_s = clock
        self._jobs = Jobs("replay", self)
        self._closing = Jobs("replay-end", self)
        self._state = ReplayState.EMPTY
        self._path: Path | None = None
        self._decoder: FrameDecoder | None = None
        self._next: FrameDecoder | None = None
        self._clock: PlaybackClock | None = None
        self._asked = -1
        self._selection: list[int | None] = [None, None]
        self._was_playing = False
        self._reading = False
        self.shown: DecodedFrame | None = None
        """The frame to be seen; None before the first."""
        self.tables: SessionTables | None = None
        """Traces, gaps and markers, once they are read; None for files that are no sessions."""
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._on_timeout)

    # What is open.

    @property
    def state(self) -> ReplayState:
        """Phase of the recording."""
        return self._state

    @property
    def path(self) -> Path | None:
        """The file that is, or is being, opened."""
        return self._path

    @property
    def session(self) -> Recording | None:
        """The session that is open; None if the file is none of ours."""
        frames = self._frames()
        return None if frames is None else frames.session

    @property
    def info(self) -> CameraInfo | None:
        """Camera of the recording; None before it is open."""
        frames = self._frames()
        return None if frames is None else frames.info

    @property
    def times_s(self) -> NDArray[np.float64]:
        """When each frame was taken, (n,), seconds; empty before it is open."""
        frames = self._frames()
        return np.empty(0) if frames is None else frames.times_s

    @property
    def last(self) -> int:
        """Number of the last frame; −1 before it is open."""
        return len(self.times_s) - 1

    @property
    def index(self) -> int:
        """Number of the frame that is due, from 0."""
        return 0 if self._clock is None else self._clock.due(self._now_s())

    @property
    def length_s(self) -> float:
        """Time from the first frame to the last, seconds; 0 before it is open."""
        times_s = self.times_s
        return float(times_s[-1] - times_s[0]) if len(times_s) else 0.0

    def time_of(self, index: int) -> float:
        """Return when frame `index` was taken, since the first one, seconds."""
        times_s = self.times_s
        return float(times_s[index] - times_s[0])

    def frame_at(self, time_s: float) -> int:
        """Return the frame that was seen `time_s` after the first one."""
        return frame_at(self.times_s, time_s)

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return self._clock is not None and self._clock.playing(self._now_s())

    @property
    def speed(self) -> float:
        """Multiple of real time."""
        return 1.0 if self._clock is None else self._clock.speed

    @property
    def selection(self) -> tuple[int, int] | None:
        """First and last frame of what is selected; None if nothing is."""
        first, last = self._selection
        if (first is None and last is None) or self.last < 0:
            return None
        ends = first or 0, self.last if last is None else last
        return min(ends), max(ends)

    @property
    def looping(self) -> bool:
        """Whether the selection is played round and round."""
        return self._clock is not None and self._clock.loop is not None

    @property
    def settled(self) -> bool:
        """Whether all that was asked for is shown, or never will be."""
        if self._state is not ReplayState.OPEN:
            return self._state is not ReplayState.OPENING
        if self._next is not None or self._reading:
            return False
        decoder = self._decoder
        return decoder is None or (decoder.settled and self.shown is decoder.peek() is not None)

    def open(self, path: Path, open_frames: Callable[[], FramesByNumber] | None = None) -> None:
        """Open a file or folder in place of the one before.

        Parameters
        ----------
        open_frames
            What opens it, if not `open_recording`.
        """
        self.leave()
        self._path = path
        self._decoder = FrameDecoder(open_frames or (lambda: open_recording(path)))
        self._set_state(ReplayState.OPENING)
        self._timer.start()

    def exchange(self, open_frames: Callable[[], FramesByNumber]) -> None:
        """Show the same frames with other masks and samples, and stay where one is.

        What was asked before and is not open yet is forgotten.
        """
        if self._state is not ReplayState.OPEN:
            return
        self._close(self._next)
        self._next = FrameDecoder(open_frames)
        self._timer.start()

    def leave(self) -> None:
        """Close the file."""
        self._jobs.forget()
        self._close(self._decoder)
        self._close(self._next)
        self._decoder = self._next = None
        self._timer.stop()
        self._path = self._clock = self.shown = self.tables = None
        self._selection = [None, None]
        self._asked = -1
        self._was_playing = self._reading = False
        self._set_state(ReplayState.EMPTY)

    def rest(self) -> None:
        """Stand still and look no more, as nobody sees it."""
        self.pause()
        self._timer.stop()

    def wake(self) -> None:
        """Look again."""
        if self._decoder is not None:
            self._timer.start()

    def close(self) -> None:
        """Close the file and wait for what is at work; the controller cannot be used again."""
        self.leave()
        self._jobs.close()
        self._closing.close()

    # Where one is.

    def toggle(self) -> None:
        """Play, or stand still."""
        if self.playing:
            self.pause()
        else:
            self.play()

    def play(self) -> None:
        """Go on from the frame that is seen."""
        if self._clock is not None:
            self._clock.play(self._now_s())
            self._timer.start()
            self._tell_playing()

    def pause(self) -> None:
        """Stand still at the frame that is seen."""
        if self._clock is not None:
            self._clock.pause(self._now_s())
            self._on_moved()

    def seek(self, index: int) -> None:
        """Go to frame `index`, or the nearest that there is."""
        if self._clock is not None:
            self._clock.seek(index, self._now_s())
            self._on_moved()

    def seek_time(self, time_s: float) -> None:
        """Go to the frame that was seen `time_s` after the first one."""
        if len(self.times_s):
            self.seek(self.frame_at(time_s))

    def step(self, frames: int) -> None:
        """Stand still exactly so many frames further, backwards if negative."""
        if self._clock is not None:
            self._clock.step(frames, self._now_s())
            self._on_moved()

    def step_seconds(self, seconds: float) -> None:
        """Go so many seconds on, backwards if negative."""
        if self._clock is not None:
            self._clock.step_seconds(seconds, self._now_s())
            self._on_moved()

    def set_speed(self, speed: float) -> None:
        """Play at another multiple of real time, 0.1 to 10."""
        if self._clock is not None:
            self._clock.set_speed(speed, self._now_s())
            self.playing_changed.emit()

    def mark_in(self) -> None:
        """Let the selection begin at the frame that is seen."""
        self._select(self.index, self._selection[1])

    def mark_out(self) -> None:
        """Let the selection end with the frame that is seen."""
        self._select(self._selection[0], self.index)

    def select(self, selection: tuple[int, int] | None) -> None:
        """Select frames, the last one included; None selects nothing."""
        self._select(*(selection or (None, None)))

    def set_looping(self, looping: bool) -> None:
        """Play the selection, or all, round and round."""
        if self._clock is not None:
            stretch = self.selection or (0, self.last)
            self._clock.set_loop(stretch if looping else None, self._now_s())
            self._ask()
            self.playing_changed.emit()

    def go_to_marker(self, way: int) -> None:
        """Go to the next marker, or to the one before if `way` is negative."""
        tables = self.tables
        if tables is None:
            return
        frames = sorted({frame_from(self.times_s, marker.begin_s) for marker in tables.markers})
        ahead = [frame for frame in frames if frame > self.index]
        behind = [frame for frame in frames if frame < self.index]
        if way > 0 and ahead:
            self.seek(ahead[0])
        elif way < 0 and behind:
            self.seek(behind[-1])

    # Inside.

    def _close(self, decoder: FrameDecoder | None) -> None:
        if decoder is not None:
            self._closing.run(decoder.close)

    def _look_at_next(self) -> None:
        """Take the other masks and samples, once they are open."""
        following = self._next
        if following is None:
            return
        if following.failure is not None:
            self._next = None
            self.failed.emit(following.failure)
        elif following.frames is not None:
            self._close(self._decoder)
            self._decoder, self._next = following, None
            self._asked = -1
            self.exchanged.emit()

    def _frames(self) -> FramesByNumber | None:
        return None if self._decoder is None else self._decoder.frames

    def _select(self, first: int | None, last: int | None) -> None:
        self._selection = [first, last]
        if self._clock is not None and self._clock.loop is not None:
            self.set_looping(True)
        self.playing_changed.emit()

    def _ask(self) -> None:
        """Ask for the frame that is due, if it has not been asked for."""
        if self._decoder is not None and (index := self.index) != self._asked:
            self._asked = index
            self._decoder.request(self._asked)
            self._timer.start()

    def _on_moved(self) -> None:
        self._ask()
        self._tell_playing()

    def _tell_playing(self) -> None:
        playing = self.playing
        if playing != self._was_playing:
            self._was_playing = playing
            self.playing_changed.emit()

    def _on_timeout(self) -> None:
        decoder = self._decoder
        if decoder is None:
            self._timer.stop()
            return
        if decoder.failure is not None:
            self._on_failure(decoder.failure)
            return
        if self._state is ReplayState.OPENING:
            if decoder.frames is None:
                return
            self._on_open(decoder.frames)
        self._look_at_next()
        self._ask()
        decoded = decoder.peek()
        if decoded is not None and decoded is not self.shown:
            self.shown = decoded
            self.moved.emit()
        self._tell_playing()
        still = not self.playing and self._next is None
        if still and self.settled and decoder is self._decoder and decoded is self.shown:
            self._timer.stop()

    def _on_open(self, frames: FramesByNumber) -> None:
        if not len(frames):
            self._on_failure(ThermoSegError(f"{self._path} holds no frame; nothing can be shown"))
            return
        self._clock = PlaybackClock(frames.times_s)
        self._set_state(ReplayState.OPEN)
        session = frames.session
        if session is not None:
            self._reading = True
            self._jobs.run(lambda: read_tables(session), self._on_tables, self._on_unreadable)

    def _on_unreadable(self, error: BaseException) -> None:
        self._reading = False
        self.failed.emit(error)

    def _on_tables(self, tables: SessionTables) -> None:
        self._reading = False
        self.tables = tables
        self.tables_read.emit(tables)

    def _on_failure(self, error: Exception) -> None:
        self._timer.stop()
        self._set_state(ReplayState.FAILED)
        self.failed.emit(error)

    def _set_state(self, state: ReplayState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit()
