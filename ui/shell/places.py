"""Where recordings are, as the page that records remembers it and others may read it."""

from pathlib import Path
from typing import Final

import platformdirs

from ui.shell.preferences import PathText, Preference, Preferences

STUDY: Final = Preference[str]("live/study", PathText, "")
"""Folder of the study at hand; empty without one."""
RECORDINGS: Final = Preference[str]("live/recordings", PathText, "")
"""Folder of recordings without a study; empty for `default_folder`."""


def default_folder() -> Path:
    """Return where recordings go if nobody has said where."""
    return platformdirs.user_documents_path() / "ThermoSeg"


def recordings_folder(preferences: Preferences) -> Path:
    """Return where recordings go now: into the study, or where the user said."""
    chosen = preferences.get(STUDY) or preferences.get(RECORDINGS)
    return Path(chosen) if chosen else default_folder()
