"""What a user types, drops or chooses, as the address of a camera."""

from pathlib import Path
from urllib.parse import quote

from thermoseg.file_kinds import ALL_SUFFIXES


def address_of(text: str) -> str:
    """Turn what the user typed, dropped or chose into an address.

    An existing path is a file, and so is what can be nothing else: it is told that it is missing.
    """
    try:
        path = Path(text).expanduser()
        is_file = bool(text) and (path.exists() or _is_path(text))
    except (OSError, RuntimeError):  # a name longer than the system takes, a user that is nobody
        return text
    return f"file:{quote(str(path.absolute()), safe='/:')}" if is_file else text


def _is_path(text: str) -> bool:
    """Tell whether `text` names a file, there or not, and no camera."""
    path = Path(text)
    return ":" not in text and (len(path.parts) > 1 or path.suffix.lower() in ALL_SUFFIXES)
