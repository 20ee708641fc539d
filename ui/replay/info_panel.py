"""What the recording is that is replayed: camera, model, study, notes, counts, problems."""

from html import escape
from typing import Final

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from thermoseg.frames import CameraInfo
from thermoseg.recording.reader import Recording
from ui.replay.replay_controller import ReplayController
from ui.shell.eliding import breakable
from ui.texts import replay as texts
from ui.texts import replay_info as words

ALL: Final = Qt.TextInteractionFlag.TextSelectableByMouse | (
    Qt.TextInteractionFlag.TextSelectableByKeyboard
)


class InfoPanel(QWidget):
    """Two columns of text that can be copied."""

    def __init__(self, controller: ReplayController) -> None:
        super().__init__()
        self._controller = controller
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.RichText)
        self._text.setTextInteractionFlags(ALL)
        self._text.setAccessibleName(texts.INFO)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._text)
        controller.state_changed.connect(self._show)
        self._show()

    @property
    def text(self) -> str:
        """What is said, as rich text."""
        return self._text.text()

    def _show(self) -> None:
        info = self._controller.info
        if info is None:
            self._text.setText(escape(words.NOTHING_OPEN))
            return
        rows = _camera_rows(info, len(self._controller.times_s), self._controller.length_s)
        session = self._controller.session
        if session is not None:
            rows += _session_rows(session)
        self._text.setText(words.table([(name, breakable(value)) for name, value in rows if value]))


def _camera_rows(info: CameraInfo, frames: int, length_s: float) -> list[tuple[str, str]]:
    serial = f" ({info.serial})" if info.serial else ""
    rate = f", {info.rate_hz:.3g}/s" if info.rate_hz else ""
    return [
        (words.CAMERA, f"{info.model}{serial}"),
        (words.PICTURE, f"{info.width}×{info.height}{rate}"),
        (words.LENGTH, f"{texts.length(length_s)}, {frames} frames"),
        (words.TEMPERATURES, "" if info.radiometric else f"none: {info.why_relative}"),
    ]


def _session_rows(session: Recording) -> list[tuple[str, str]]:
    counts, model = session.counts, session.model
    rows = [
        (words.RECORDED, session.created.replace("T", " ")[:19]),
        (texts.MODEL, words.NO_MASKS if model is None else f"{model.name} on {model.backend}"),
        (words.COUNTS, words.counts(counts.recorded, counts.missed, counts.dropped)),
    ]
    rows += [(name.capitalize(), f"{value}") for name, value in session.study.items()]
    state = session.ended if session.complete else words.UNFINISHED
    if session.being_recorded:
        state = words.STILL_RECORDED
    return [
        *rows,
        (words.NOTES, session.notes),
        (words.ENDED, state),
        (words.PROGRAM, session.program),
        (words.PROBLEMS, " ".join(map(texts.as_sentence, session.problems))),
    ]
