"""What a page is to the window, and what the window gives to a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QWidget

from thermoseg.inference.face_segmenter import Mode
from thermoseg.inference.segmenter import Segmenter
from ui.shell.keys import TAKES_KEYS
from ui.shell.notices import Notices
from ui.shell.preferences import Preferences
from ui.shell.theme import DARK, Theme


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What pages share; none of it knows any of them."""

    preferences: Preferences
    notices: Notices
    before_ending: Callable[[str, Callable[[], object]], None]
    """Does the second at once, or asks first if it would end a recording; the first says what."""
    open_file: Callable[[str], None]
    """Opens a file where it belongs."""
    choose_file: Callable[[], None]
    """Lets the user choose a file, and opens it where it belongs."""
    open_address: Callable[[str], None]
    """Opens a camera, or a file as one, on the live page."""
    model_name: Callable[[], str]
    """Returns the name or path of the model that is chosen."""
    make_segmenter: Callable[[], Segmenter | None]
    """Loads that model for another stream than the camera's, None if none is chosen; takes seconds,
    so it is called in a thread, and raises `ModelError`."""
    load_segmenter: Callable[[str, Mode], Segmenter]
    """Loads the model of this name or path for an analysis; as `make_segmenter`."""


@runtime_checkable
class RecordsHere(Protocol):
    """The page that has the fields of a recording, its markers and its checklist."""

    def record(self) -> None:
        """Begin a recording, after what has to be asked."""

    def record_at_once(self) -> None:
        """Begin a recording without a question.

        Raises
        ------
        ConfigError
            If a field of the sitting is missing or unfit.
        """

    def mark(self) -> None:
        """Mark this moment."""


class Page(QWidget):
    """One page of the window: built when it is first opened; drawn and fed only while in sight."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__()
        self.surroundings = surroundings
        self.theme, self.scale = DARK, 1.0
        self.setProperty(TAKES_KEYS, True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)

    @property
    def settled(self) -> bool:
        """Whether the page shows what was opened, or that there is nothing."""
        return True

    @property
    def failure(self) -> str:
        """Why what was opened is not shown, one sentence; empty if nothing failed."""
        return ""

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self.theme, self.scale = theme, scale

    def recording_ended(self) -> None:
        """Take notice that a recording of this window has ended."""

    def remember(self) -> None:
        """Keep what the user set on this page, as the window closes."""

    def add_key(
        self,
        text: str,
        keys: str | Sequence[str],
        act: Callable[[], object],
        *,
        repeats: bool = False,
    ) -> QAction:
        """Make an action of this page with keys that count only here.

        Parameters
        ----------
        keys
            As `QKeySequence` reads them; several do the same.
        repeats
            Whether a key that is held does it again.
        """
        action = QAction(text, self)
        names = [keys] if isinstance(keys, str) else keys
        action.setShortcuts([QKeySequence(name) for name in names])
        # Wherever the focus is: Qt leaves out the actions of widgets that are not in sight.
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setAutoRepeat(repeats)
        action.triggered.connect(lambda _=False: act())
        self.addAction(action)
        return action
