"""Standard input and output, closed or not, and text that comes from files for a terminal."""

import io
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress

_STANDARD_ERROR: Final = 2


def printable(text: object) -> str:
    r"""Escape what a terminal would obey instead of showing it: control characters, half letters.

    Whoever made a file chooses its name and its attributes, and so could move the cursor, recolour
    or rename the window of whoever looks at it.

    Examples
    --------
    >>> printable("a\x1b[2Jb é")
    'a\\x1b[2Jb é'
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in str(text))


def escape_what_cannot_be_encoded() -> None:
    """Let standard output show what its encoding lacks escaped, as standard error does anyway."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def open_closed_streams() -> None:
    """Point standard input, output and error to nowhere where the program was given none.

    The next files opened would take their numbers otherwise: a session gets what a library prints,
    and a process that is started gets another file than it is told.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def complain(sentence: str) -> None:
    """Write a sentence to standard error, as every complaint of the command line looks."""
    print(printable(f"thermoseg: {sentence}"), file=sys.stderr)  # noqa: T201


def complain_above(progress: "Progress", sentence: str) -> None:
    """Complain while a bar of progress is shown."""
    text = printable(f"thermoseg: {sentence}")
    progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values, a line each."""
    for name, value in facts.items():
        print(printable(f"{name:<18} {value}"))  # noqa: T201


def count(number: int, noun: str) -> str:
    """Say how many there are.

    Examples
    --------
    >>> count(1, "frame"), count(2, "frame")
    ('1 frame', '2 frames')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def progress_bar() -> "Progress":
    """A bar on stderr, gone when done; nothing at all where stderr is not a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
