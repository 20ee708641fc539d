"""Writes manifests of finished recordings without anybody waiting for their checksums."""

import logging
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from thermoseg.recording.layout import SessionNames
from thermoseg.recording.manifest import write_manifest
from thermoseg.recording.own_process import command_of, environment
from thermoseg.recording.recorder import Recorder
from thermoseg.recording.status import RecordingSummary
from thermoseg.sinks import join_until

log = logging.getLogger(__name__)

MANIFEST_THREAD: Final = "thermoseg manifest"
LONGEST_CLOSE_S: Final = 2.0
"""A checksum that takes longer when the session ends is calculated by a process of its own."""


class ManifestThreads:
    """One thread for each recording that has ended, until its manifest is written."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Write nothing yet.

        Parameters
        ----------
        tell
            Told, in such a thread, which manifest cannot be written and why.
        """
        self._tell = tell
        self._threads: list[threading.Thread] = []
        self._cancelled = threading.Event()
        self._added: set[Path] = set()
        """Several may wait for the end of one recording."""

    def add(self, recorder: Recorder, summary: RecordingSummary) -> None:
        """Write the manifest of a recording soon, unless a crash has left it unfinished."""
        path = summary.path
        unfinished = SessionNames(path).marker.exists() or not path.is_file()
        if unfinished or path in self._added:
            return
        self._added.add(path)
        thread = threading.Thread(
            target=self._write, args=(recorder, summary), name=MANIFEST_THREAD, daemon=True
        )
        self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()

    def close(self) -> None:
        """Write what is left; checksums that take long are left to other processes."""
        deadline_s = time.monotonic() + LONGEST_CLOSE_S
        late = [thread for thread in self._threads if not join_until(thread, deadline_s)]
        self._cancelled.set()
        for thread in late:
            thread.join()

    def _write(self, recorder: Recorder, summary: RecordingSummary) -> None:
        try:
            manifest = recorder.describe(summary)
            if not write_manifest(manifest, summary.path, self._cancelled.is_set):
                _leave_to_a_process(summary.path)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            self._tell(f"{summary.path} has no manifest ({why}); the recording is whole")


def _leave_to_a_process(session: Path) -> None:
    """Let the checksum be calculated after this program has ended."""
    subprocess.Popen(  # noqa: S603  # this program
        command_of("thermoseg.recording.manifest", str(SessionNames(session).manifest)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        start_new_session=True,
    )
    log.info("the checksum of %s is calculated in the background", session)
