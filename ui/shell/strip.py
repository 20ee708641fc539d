"""What must stay in sight on every page: camera, recording, its losses, the disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QAction, QKeyEvent, QResizeEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from thermoseg.backlog import Backlog
from thermoseg.recording.status import RecorderStatus
from ui.live.recording_control import RecordState
from ui.shell.eliding import eliding_label, say
from ui.shell.keys import OF_WIDGETS
from ui.shell.theme import DARK, Theme, icon, numerals, repolish
from ui.texts import shell as texts

AMBER_MIN: Final = 10.0
"""Minutes of disk below which its number is amber."""
RED_MIN: Final = 2.0
"""And below which it is red."""
AMBER_SHARE: Final = 0.3
RED_SHARE: Final = 0.7
"""How full a queue is when its light turns."""
CALM: Final = "▮"
"""The light of queues, while none is filling."""
ROUGH_S: Final = 1.0
"""A recording shorter than this says nothing of how fast it fills the disk."""


@dataclass(frozen=True, slots=True)
class StripContent:
    """Everything that the strip says; the defaults are what it says where there is nothing."""

    camera: str = ""
    """Model, size and rates of the camera, and the network."""
    camera_state: str = "idle"
    """A key of `texts.CAMERA_STATES`."""
    backlogs: tuple[Backlog, ...] = ()
    """What waits for recorder, network and sinks."""
    recording: RecordState = RecordState.OFF
    status: RecorderStatus | None = None
    """Numbers of the very recording that runs; None where none does."""


class _RecordButton(QToolButton):
    """Space hits what happens to have the focus, so that it does not simply end a recording."""

    stop_pressed = pyqtSignal()
    """A key was pressed on it while a recording is active."""

    def __init__(self) -> None:
        super().__init__()
        self.active = False
        """Whether a recording is."""

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802  # Qt's name
        """Let a recording begin, but not end."""
        if event is None or not self.active or event.key() not in OF_WIDGETS:
            super().keyPressEvent(event)
        elif not event.isAutoRepeat():
            self.stop_pressed.emit()


class Strip(QFrame):
    """One row above every page."""

    stop_pressed = pyqtSignal()
    """The record button got a key that would end the recording; to be asked about."""

    def __init__(
        self, record: QAction, marker: QAction, menu: QMenu, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "bar")
        self._theme, self._scale = DARK, 1.0
        self.content = StripContent()
        """What is said now."""
        self._light = QLabel("●")
        self._state = QLabel()
        self._camera = eliding_label(Qt.TextElideMode.ElideRight)
        self._camera.setAccessibleName(texts.CAMERA)
        self._backlog = QLabel()
        self._backlog.setAccessibleName(texts.BACKLOG)
        self._record = _RecordButton()
        self._record.stop_pressed.connect(self.stop_pressed)
        self._record.setDefaultAction(record)
        self._record.setAccessibleName(texts.RECORD)
        self._record.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._marker = QToolButton()
        self._marker.setDefaultAction(marker)
        self._marker.setAccessibleName(texts.MARKER)
        self._marker.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._elapsed, self._size, self._frames, self._missed, self._dropped, self._disk = (
            QLabel() for _ in range(6)
        )
        self._numbers = (
            self._elapsed,
            self._size,
            self._frames,
            self._missed,
            self._dropped,
            self._disk,
        )
        self._menu = QToolButton()
        self._menu.setMenu(menu)
        self._menu.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu.setToolTip(texts.MENU)
        self._menu.setAccessibleName(texts.MENU)
        layout = self._layout = QHBoxLayout(self)
        layout.addWidget(self._light)
        layout.addWidget(self._state)
        layout.addWidget(self._camera, 1)
        layout.addWidget(self._backlog)
        for label in self._numbers:
            layout.addWidget(label)
        layout.addWidget(self._record)
        layout.addWidget(self._marker)
        layout.addWidget(self._menu)
        self._say()

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._theme, self._scale = theme, scale
        self._layout.setContentsMargins(*(round(each * scale) for each in (12, 6, 8, 6)))
        self._layout.setSpacing(round(9 * scale))
        for label in self._numbers:
            label.setFont(numerals(9.75 * scale))
        self._elapsed.setFont(numerals(12 * scale))
        side = QSize(round(16 * scale), round(16 * scale))
        for button in (self._record, self._marker, self._menu):
            button.setIconSize(side)
        self._menu.setIcon(icon("menu", theme.text))
        self._record.setMinimumWidth(round(96 * scale))
        self._show_recording()
        self._say()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Give up what matters least where there is no room for all."""
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Ask for the room of what is never given up."""
        kept = (self._light, self._elapsed, self._record, self._marker, self._menu)
        return QSize(self._width_of(kept), super().minimumSizeHint().height())

    def show_content(self, content: StripContent) -> None:
        """Say this; cheap if it is what is said already."""
        if content == self.content:
            return
        changed = content.recording is not self.content.recording
        self.content = content
        self._say()
        if changed:
            self._show_recording()

    def _say(self) -> None:
        content = self.content
        self._state.setText(texts.CAMERA_STATES[content.camera_state])
        say(self._camera, content.camera)
        self._show_backlog()
        self._show_light()
        self._show_numbers()
        self._fit()

    def _show_light(self) -> None:
        theme = self._theme
        colour = {
            "running": theme.good,
            "playing": theme.good,
            "opening": theme.accent,
            "lost": theme.danger,
            "failed": theme.danger,
        }.get(self.content.camera_state, theme.muted)
        self._light.setStyleSheet(f"color: {colour};")

    def _show_backlog(self) -> None:
        """Show the fullest queue as a light, with its name and trend once it matters."""
        backlogs, theme = self.content.backlogs, self._theme
        if not backlogs:
            self._backlog.setText("")
            return
        fullest = max(backlogs, key=lambda backlog: backlog.share)
        matters = fullest.share >= AMBER_SHARE
        colour = theme.good
        if matters:
            colour = theme.danger_text if fullest.share >= RED_SHARE else theme.warning
        text = (
            texts.backlog(fullest.name, fullest.share, rising=fullest.rising) if matters else CALM
        )
        self._backlog.setText(text)
        self._backlog.setStyleSheet(f"color: {colour};")
        self._backlog.setToolTip(
            "\n".join(texts.backlog(each.name, each.share, rising=each.rising) for each in backlogs)
        )

    def _show_recording(self) -> None:
        """Dress the button as what it does next."""
        theme, on = self._theme, self.content.recording is RecordState.ON
        name, colour = ("stop", theme.on_danger) if on else ("record", theme.danger_text)
        action = self._record.defaultAction()
        if action is not None:
            action.setIcon(icon(name, colour, theme.muted))
        self._record.active = self.content.recording.active
        self._record.setProperty("role", "recording" if on else "")
        repolish(self._record)

    def _show_numbers(self) -> None:
        status = self.content.status
        if status is None:
            return
        theme = self._theme
        self._elapsed.setText(texts.clock(status.seconds))
        self._size.setText(texts.size(status.bytes_on_disk))
        self._frames.setText(f"{status.recorded} frames")
        for label, number, word in (
            (self._missed, status.missed, "missed"),
            (self._dropped, status.dropped, "dropped"),
        ):
            label.setText(f"{number} {word}")
            label.setStyleSheet(f"color: {theme.danger_text if number else theme.muted};")
        minutes = minutes_left(status)
        self._disk.setText(texts.disk_left(minutes) if minutes < inf else "")
        colour = (
            theme.danger_text
            if minutes < RED_MIN
            else theme.warning
            if minutes < AMBER_MIN
            else theme.muted
        )
        self._disk.setStyleSheet(f"color: {colour};")
        self._elapsed.setToolTip(" · ".join(each.text() for each in self._numbers if each.text()))

    def _fit(self) -> None:
        """Show what there is room for; Stop, the time and bad news last of all give way."""
        wanted = self._wanted()
        fixed = (self._light, self._record, self._marker, self._menu)
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        if self._width_of((*fixed, *wanted)) > self.width():
            style = Qt.ToolButtonStyle.ToolButtonIconOnly
        self._marker.setToolButtonStyle(style)
        while len(wanted) > 1 and self._width_of((*fixed, *wanted)) > self.width():
            wanted.pop()
        for part in (self._state, self._camera, self._backlog, *self._numbers):
            part.setVisible(part in wanted)

    def _wanted(self) -> list[QLabel]:
        """List what there is to say, what matters most first: bad news before good."""
        status, calm = self.content.status, self.content.camera_state in ("running", "playing")
        news = [(self._state, not calm), (self._backlog, self._backlog.text() != CALM)]
        counted: tuple[QLabel, ...] = ()
        if status is not None:
            news += [
                (self._disk, minutes_left(status) < AMBER_MIN),
                (self._missed, status.missed > 0),
                (self._dropped, status.dropped > 0),
            ]
            counted = (self._elapsed, self._frames, self._size)
        bad = [part for part, is_bad in news if is_bad]
        good = [part for part, is_bad in news if not is_bad]
        wanted = [*counted[:1], *bad, *counted[1:2], self._camera, *good, *counted[2:]]
        # Without a camera its place still keeps the others apart.
        return [part for part in wanted if part.text() or part is self._camera]

    def _width_of(self, parts: Sequence[QWidget]) -> int:
        """Return what parts beside each other ask for, pixels."""
        margins = self._layout.contentsMargins()
        widths = [max(part.minimumSizeHint().width(), part.minimumWidth()) for part in parts]
        gaps = (len(parts) - 1) * self._layout.spacing()
        return margins.left() + margins.right() + sum(widths) + gaps


def minutes_left(status: RecorderStatus) -> float:
    """Return how many minutes of this recording fit on its disk; infinite while nobody knows."""
    if status.seconds < ROUGH_S or not status.bytes_on_disk:
        return inf
    return status.free_bytes / (status.bytes_on_disk / status.seconds) / 60
