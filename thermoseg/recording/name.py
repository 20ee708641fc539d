"""The name of a recording: claimed before there is a file, and given to the file at the end."""

from pathlib import Path

from thermoseg.errors import NameTakenError, RecordingError
from thermoseg.recording.marker import claim_marker, remove_marker
from thermoseg.recording.place import DiskLimits, choose_place, move_compared, refuse_taken


class RecordingName:
    """Where a session file is wanted, and where it is written meanwhile."""

    def __init__(self, wanted: Path) -> None:
        """Claim nothing yet; `wanted` is absolute."""
        self.wanted = wanted
        self.place = wanted
        """Where the file is written: `wanted`, or here if that is on a network share."""

    @property
    def remark(self) -> str:
        """Notice of the place where the file is written meanwhile; empty if it is as wanted."""
        if self.place == self.wanted:
            return ""
        return (
            f"{self.wanted.parent} is on a network share, so the recording is made in "
            f"{self.place} and moved when it ends"
        )

    def claim(self, limits: DiskLimits, *, replace_stale: bool) -> None:
        """Take the name, on the share as well if it is for one; or none of it.

        A session file appears under a claim only.  So whoever has claimed a name and then finds no
        file there has it for himself.

        Parameters
        ----------
        replace_stale
            As that of `claim_marker`.

        Raises
        ------
        NameTakenError
            If there is a recording of this name, or somebody makes one.
        RecordingError
            If its disk is too full or cannot be written.
        """
        self.place = choose_place(self.wanted, limits)
        try:
            claim_marker(self.wanted, replace_stale=replace_stale)
        except FileExistsError as error:
            raise NameTakenError(
                f"{self.wanted} is being recorded already; choose another name"
            ) from error
        except OSError as error:
            raise self.unrecordable(error) from error
        try:
            refuse_taken(self.wanted)
            if self.place != self.wanted:
                claim_marker(self.place)
        except BaseException as error:
            self.release()
            if isinstance(error, OSError):
                raise self.unrecordable(error) from error
            raise

    def release(self) -> None:
        """Give the name up; nothing has been written."""
        remove_marker(self.wanted)
        remove_marker(self.place)

    def deliver(self, failed: str) -> tuple[Path, str]:
        """Move the file to its share, if it is for one.

        Parameters
        ----------
        failed
            Why the recording ended by itself, one sentence; empty if it did not.

        Returns
        -------
        Where the file is, and what went wrong.
        """
        if self.place == self.wanted:
            return self.wanted, failed
        try:
            if failed:
                return self.place, f"{failed}; what there is of it is in {self.place}"
            move_compared(self.place, self.wanted)
        except RecordingError as error:
            return self.place, str(error)
        finally:
            remove_marker(self.wanted)
        return self.wanted, ""

    def unrecordable(self, error: Exception) -> RecordingError:
        """Say why nothing can be recorded here."""
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return RecordingError(f"{self.place} cannot be recorded ({reason}); choose another place")
