"""What came of a recording, and what one does with it next."""

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QFile, QUrl
from PyQt6.QtGui import QDesktopServices

from thermoseg.recording.status import RecordingSummary
from ui.shell.defects import capitalised
from ui.shell.notices import Notices, Remedy, Severity
from ui.texts import shell as texts


def tell_saved(
    notices: Notices, summary: RecordingSummary, open_file: Callable[[str], object]
) -> None:
    """Tell the recorder's own numbers of a recording that ended, and offer what may follow.

    Parameters
    ----------
    open_file
        Opens the recording for replay.
    """
    text = texts.saved(
        summary.path, summary.seconds, summary.recorded, summary.missed, summary.dropped
    )
    remedies = [
        Remedy(texts.REPLAY, lambda: open_file(str(summary.path))),
        Remedy(texts.SHOW_IN_FOLDER, lambda: show_folder_of(summary.path)),
    ]
    why = capitalised(summary.failed)
    if not summary.there:
        notices.tell(texts.sentence(why or texts.not_there(summary.path)), Severity.ERROR)
        return
    if why:
        notices.tell(f"{why}. {text}", Severity.ERROR, remedies if summary.recorded else ())
        return
    remedies.append(Remedy(texts.TO_TRASH, lambda: to_trash(notices, summary.path)))
    notices.tell(text, Severity.INFO, remedies, lasting=True)


def show_folder_of(path: Path) -> None:
    """Open the file manager of the desktop where a file is."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))


def to_trash(notices: Notices, path: Path) -> None:
    """Move a recording, and what lies beside it under its name, to the trash of the desktop."""
    if not path.exists():
        notices.tell(texts.sentence(texts.not_there(path)), Severity.WARNING)
        return
    for part in (path, path.with_suffix(".json")):
        if part.exists():
            moved = QFile.moveToTrash(str(part))
            if not (moved[0] if isinstance(moved, tuple) else moved):
                notices.tell(texts.no_trash(part), Severity.WARNING)
                return
    notices.tell(texts.in_trash(path))
