"""How a process of this program's own is started: `python -m` one of its modules.

One that makes a copy for another process leaves a whole copy under its name, or nothing: as it
waits until the copy has its name, it can tidy up whenever the other one dies.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NoReturn, Self

from thermoseg.interruption import holding_interruption

ASKED_EVERY_S: Final = 0.1
"""How often it is asked whether an answer is still wanted."""


def command_of(module: str, *arguments: str) -> list[str]:
    """Return the command that runs `module` with this interpreter.

    The folder that happens to be the current one is not searched for modules.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return the environment in which it finds this program, installed or not."""
    root = Path(__file__).parents[2]
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


@dataclass(frozen=True, slots=True)
class Copying:
    """A process that makes a copy for this one; seen from here."""

    process: "subprocess.Popen[str]"
    complaints: IO[bytes]
    """What it writes on its standard error."""

    @classmethod
    def start(cls, ending: ExitStack, module: str, *arguments: str) -> Self:
        """Start `module`, which ends with `ending`; that must outlive the naming of the copy."""
        complaints = ending.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # it is one
        # A process that nobody knows of yet would not be killed.
        with holding_interruption():
            # A session of its own: Ctrl-C in a terminal reaches only us, who then end the copying.
            process = subprocess.Popen(  # noqa: S603  # this program, and what it is told
                command_of(module, *arguments),
                stdin=subprocess.PIPE,  # stays open as long as somebody waits for it
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=environment(),
                start_new_session=True,
                text=True,
                encoding="utf-8",
            )
            ending.enter_context(process)
            ending.callback(process.kill)
        return cls(process, complaints)

    def reports(self) -> Iterator[dict[str, Any]]:
        """Give what it reports, until it has nothing more to say."""
        if self.process.stdout is None:
            raise RuntimeError("a process that was started with pipes has none")
        for line in self.process.stdout:
            if line.endswith("\n"):  # otherwise it died in the middle of it
                yield json.loads(line)

    def answer(self, cancelled: Callable[[], bool]) -> dict[str, Any] | None:
        """Return what it reports first, None if it ended without a report.

        Parameters
        ----------
        cancelled
            Asked ten times a second, in the thread that calls; the process is killed if it says so.
        """
        with ThreadPoolExecutor(1, "copying") as waiting:
            told = waiting.submit(next, self.reports(), None)
            try:
                while not told.done():
                    if cancelled():
                        self.process.kill()
                    wait([told], ASKED_EVERY_S)
            except BaseException:
                self.process.kill()  # or the thread would wait for it
                raise
            return told.result()

    def end(self) -> tuple[int, str]:
        """Wait until it has ended by itself, and return its exit code and its complaint."""
        code = self.process.wait()
        self.complaints.seek(0)
        return code, self.complaints.read().decode("utf-8", "replace")


class Maker:
    """The same process, seen from inside.

    It ends when its standard input does, so that it never outlives who asked for its work, and
    then removes what has no name of its own yet.
    """

    def __init__(self, unfinished: Path) -> None:
        self._unfinished = unfinished
        self._watch = threading.Thread(target=self._end_with_input, daemon=True)
        self._watch.start()

    def report(self, told: Mapping[str, Any]) -> None:
        """Write a line of JSON to whoever asked; end if nobody reads it any more.

        A report may fail before it is seen that the input has ended.
        """
        try:
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
        except OSError:
            self.give_up()

    def finish(self, told: Mapping[str, Any]) -> NoReturn:
        """Report that the copy is whole, and end when it has its name, or nobody wants it."""
        self.report(told)
        self._watch.join()
        self.give_up()

    def give_up(self, told: Mapping[str, Any] | None = None, code: int = 1) -> NoReturn:
        """End at once and leave nothing unfinished, having said why if anybody is told."""
        with contextlib.suppress(OSError):  # whoever asked may have removed or named it already
            self._unfinished.unlink(missing_ok=True)
        if told is not None:
            self.report(told)
        os._exit(code)

    def _end_with_input(self) -> None:
        sys.stdin.buffer.read()
        self.give_up()
