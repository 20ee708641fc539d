"""Says what the session has to say of itself: nothing fails silently."""

import re
from typing import Final

from thermoseg.events import SessionEvent, events_after
from thermoseg.session_view import SessionView
from ui.live.session_controller import SessionController
from ui.shell.defects import capitalised
from ui.shell.notices import Notices, Severity
from ui.texts import shell as texts

DISK: Final = "session/disk"
RATE: Final = "session/rate"
NUMBER: Final = re.compile(r"\d+(\.\d+)?")
TOLD: Final = (
    "another face is measured",
    "no face",
    "is shown but not recorded",
    "the sink ",
    "is on a network share",
)
"""What stands in events that a user must hear of at once; the list of events has them all."""


class Watchman:
    """Tells warnings while they hold and takes them away when they are over."""

    def __init__(self, controller: SessionController, notices: Notices) -> None:
        self._controller = controller
        self._notices = notices
        self._told: dict[str, str] = {}
        self._last: SessionEvent | None = None

    def look(self) -> None:
        """Look at the session; called some times a second."""
        view = self._controller.view
        recorder = view.recorder if self._controller.recording.state.active else None
        self._say(DISK, "" if recorder is None else recorder.warning)
        self.tell_rate(view.rate_note)
        self._tell_events(view)

    def tell_rate(self, note: str) -> None:
        """Tell that the camera delivers another rate than it was asked for; nothing if empty."""
        self._say(RATE, note)

    def _say(self, key: str, sentence: str) -> None:
        if _without_numbers(sentence) == _without_numbers(self._told.get(key, "")):
            return  # the same, a little later
        self._told[key] = sentence
        if sentence:
            self._notices.tell(texts.sentence(sentence), Severity.WARNING, key=key)
        else:
            self._notices.dismiss(key)

    def _tell_events(self, view: SessionView) -> None:
        for event in events_after(view.events, self._last):
            self._last = event
            if any(part in event.text for part in TOLD):
                self._notices.tell(capitalised(event.text), Severity.INFO)
        if not view.events:
            self._last = None


def _without_numbers(sentence: str) -> str:
    return NUMBER.sub("", sentence)
