"""Where on this computer recordings for network shares are made before they are moved."""

from pathlib import Path


def staging_folder() -> Path:
    """Return the folder; it need not exist."""
    import platformdirs

    return platformdirs.user_data_path("thermoseg") / "recordings"
