"""How a process of this program's own is started: `python -m` one of its modules."""

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn


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


def end_with_input(unfinished: Path) -> None:
    """End this process when its standard input does, and leave no `unfinished` file behind.

    For a thread of a process that must not outlive who asked for its work.
    """
    sys.stdin.buffer.read()
    end_unheard(unfinished)


def end_unheard(unfinished: Path) -> NoReturn:
    """End this process, which nobody waits for any more, and leave no `unfinished` file behind."""
    with contextlib.suppress(OSError):  # whoever asked may have removed it already
        unfinished.unlink(missing_ok=True)
    os._exit(1)


def report(told: Mapping[str, Any], unfinished: Path) -> None:
    """Write a line of JSON to whoever asked for the work of this process.

    If nobody reads it any more, the process ends, and leaves no `unfinished` file behind: its
    report may fail before `end_with_input` sees that its input has ended.
    """
    try:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    except OSError:
        end_unheard(unfinished)
