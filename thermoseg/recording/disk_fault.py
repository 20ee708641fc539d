"""What went wrong with a disk, in words: h5py tells it in three lines, or in none."""

import os


def fault_number(error: BaseException) -> int | None:
    """Return the number that the operating system gave a failed write; None if it gave none.

    h5py raises some of them as a `RuntimeError`, with the number in the text only.
    """
    number = error.errno if isinstance(error, OSError) else None
    told = str(error).partition("errno = ")[2].partition(",")[0]
    return number or (int(told) if told.isdigit() else None)


def say_fault(error: BaseException) -> str:
    """Say what went wrong, a clause of one line."""
    number = fault_number(error)
    return os.strerror(number) if number else str(error).partition("\n")[0]
