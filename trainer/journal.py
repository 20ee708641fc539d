"""The journal of a run: `metrics.jsonl`, and the same for TensorBoard.

The format is described in docs/training-runs.md; whoever follows a run reads nothing else.
"""

import json
import logging
import math
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from thermoseg.errors import TrainingError
from trainer.run_folder import EVENTS, METRICS

log = logging.getLogger(__name__)

SILENCE_S: Final = 1.1
"""Silence after which the last heartbeat is repeated; a little more than the usual interval."""


class Journal:
    """Writes the lines and curves of one run; every line is whole on the disk's cache at once."""

    def __init__(self, folder: Path, *, tensorboard: bool) -> None:
        """Open the journal of the run in `folder`, which exists.

        Parameters
        ----------
        tensorboard
            Whether TensorBoard's event files are written as well.
        """
        self._folder = folder
        self._wants_events = tensorboard
        self._lines: IO[str] | None = None
        self._events: IO[bytes] | None = None
        self._lock = threading.Lock()
        """Guards the lines and all below, which `Heartbeat` uses from a thread of its own."""
        self._iteration = 0
        self._heartbeat: dict[str, Any] | None = None
        self._heartbeat_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def note(self, iteration: int, line: dict[str, Any]) -> None:
        """Append one line; numbers that are not finite become null.

        Raises
        ------
        TrainingError
            If it cannot be written.
        """
        with self._lock:
            self._write_line(iteration, line)

    def add_heartbeat(self, iteration: int, line: dict[str, Any]) -> None:
        """Append a heartbeat, which is said again while nothing newer comes.

        Raises
        ------
        TrainingError
            If it cannot be written.
        """
        with self._lock:
            self._heartbeat, self._heartbeat_s = dict(line), time.monotonic()
            self._write_line(iteration, line)

    def amend(self, **changes: Any) -> None:  # noqa: ANN401 - JSON
        """Change what is said again, without saying it now."""
        with self._lock:
            if self._heartbeat is not None:
                self._heartbeat |= changes

    def repeat_heartbeat(self, silence_s: float) -> float:
        """Append the last heartbeat once more if it was so long ago; return when to ask again, s.

        Raises
        ------
        TrainingError
            If it cannot be written.
        """
        with self._lock:
            left_s = (
                silence_s
                if self._heartbeat is None
                else self._heartbeat_s + silence_s - time.monotonic()
            )
            if self._heartbeat is None or left_s > 0:
                return left_s
            self._heartbeat_s = time.monotonic()
            self._write_line(self._iteration, self._heartbeat)
            return silence_s

    def _write_line(self, iteration: int, line: dict[str, Any]) -> None:
        self._iteration = iteration
        whole = {"wall_time": time.time(), "iteration": iteration, **line}
        try:
            if self._lines is None:
                self._lines = _open_after_whole_line(self._folder / METRICS)
            self._lines.write(json.dumps(_finite(whole), allow_nan=False) + "\n")
            self._lines.flush()
        except OSError as error:
            raise self._unwritable(METRICS, error) from error

    def draw(self, iteration: int, values: dict[str, float]) -> None:
        """Add a point to each of TensorBoard's curves, by name.

        Raises
        ------
        TrainingError
            If it cannot be written.
        """
        if not self._wants_events:
            return
        points = [
            Summary.Value(tag=tag, simple_value=value)
            for tag, value in values.items()
            if math.isfinite(value)
        ]
        try:
            if self._events is None:
                self._begin_events(iteration)
            self._write_event(step=iteration, summary=Summary(value=points))
        except OSError as error:
            raise self._unwritable(EVENTS, error) from error

    def close(self) -> None:
        """Close the files; the next line opens them again."""
        with self._lock:
            for file in (self._lines, self._events):
                # Every write was flushed: what cannot be written now has been complained of before.
                with suppress(OSError):
                    if file is not None:
                        file.close()
            self._lines = self._events = None

    def _begin_events(self, iteration: int) -> None:
        folder = self._folder / EVENTS
        folder.mkdir(exist_ok=True)
        # TensorBoard knows its files by these words and orders them by their names.
        name = f"events.out.tfevents.{time.time_ns() // 1000:020d}.{os.getpid()}"
        self._events = (folder / name).open("ab")
        self._write_event(file_version="brain.Event:2")
        # What a killed run wrote beyond its checkpoint is taken back.
        self._write_event(step=iteration, session_log=SessionLog(status=SessionLog.START))

    def _write_event(self, **content: Any) -> None:  # noqa: ANN401 - fields of a protocol buffer
        if self._events is not None:
            event = Event(wall_time=time.time(), **content)
            RecordWriter(self._events).write(event.SerializeToString())
            self._events.flush()

    def _unwritable(self, what: str, error: OSError) -> TrainingError:
        return TrainingError(
            f"{self._folder / what}: cannot be written ({error.strerror}); free disk space or "
            f"rights, then go on with --resume {self._folder}"
        )


class Heartbeat:
    """Lets a journal say its last heartbeat again while an iteration or a batch takes long."""

    def __init__(self, journal: Journal, silence_s: float = SILENCE_S) -> None:
        """Prepare; a thread runs between entering and leaving.

        Parameters
        ----------
        silence_s
            After the last heartbeat.
        """
        self._journal = journal
        self._silence_s = silence_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        pause_s = self._silence_s
        try:
            while not self._ended.wait(pause_s):
                pause_s = self._journal.repeat_heartbeat(self._silence_s)
        except TrainingError as error:  # as the next line of the run itself will say
            log.warning("%s", error)


def _open_after_whole_line(path: Path) -> IO[str]:
    """Open for appending; a line that a kill has cut off is ended, so that the next is whole."""
    file = path.open("ab+")
    if file.tell() > 0:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
    file.close()
    return path.open("a", encoding="utf-8")


def _finite(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return value
