"""What can be done everywhere: the same actions behind keys, menu and buttons, enabled by state."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QMenu

from thermoseg.log_file import log_path
from ui.live.recording_control import RecordState
from ui.live.session_controller import SessionController
from ui.shell.look import ZOOM_STEP
from ui.shell.saved import show_folder_of
from ui.shell.theme import Theme, icon
from ui.texts import shell as texts

if TYPE_CHECKING:
    from ui.shell.window import MainWindow

RECORD_TEXTS: Final = {
    RecordState.OFF: texts.RECORD,
    RecordState.FAILED: texts.RECORD,
    RecordState.STARTING: texts.STARTING,
    RecordState.ON: texts.STOP,
    RecordState.STOPPING: texts.STOPPING,
}


class WindowActions:
    """Actions of the window; those with keys are its children, so that the keys work everywhere."""

    def __init__(self, window: "MainWindow") -> None:
        self._window = window
        self.record: Final = self._action(texts.RECORD, "F9", window.toggle_recording)
        self.record.setToolTip(texts.RECORD_TIP)
        self.record.setAutoRepeat(False)
        self.marker: Final = self._action(texts.MARKER, "F8", window.mark)
        self.marker.setToolTip(texts.MARKER_TIP)
        self.marker.setAutoRepeat(False)
        self._open = self._action(texts.OPEN_FILE, "Ctrl+O", window.choose_file)
        self._cameras = self._action(texts.CAMERAS, "F5", window.controller.find_cameras)
        self._keys = self._action(texts.KEYS, "F1", window.show_keys)
        self._full = self._action(texts.FULL_SCREEN, "F11", window.toggle_full_screen)
        self._larger = self._action(texts.LARGER, "Ctrl++", lambda: window.look.zoom_by(ZOOM_STEP))
        self._larger.setShortcuts([QKeySequence("Ctrl++"), QKeySequence("Ctrl+=")])
        self._smaller = self._action(
            texts.SMALLER, "Ctrl+-", lambda: window.look.zoom_by(1 / ZOOM_STEP)
        )
        self._normal = self._action(texts.NORMAL, "Ctrl+0", lambda: window.look.zoom_to(1))
        self._theme = self._action(texts.THEME, "Ctrl+T", lambda: window.look.toggle_theme())
        self._log = self._action(texts.LOG_FILE, "", _show_log)
        self._quit = self._action(texts.QUIT, "Ctrl+Q", window.close)
        self.menu: Final = QMenu(window)
        for entries in (
            (self._open, self._cameras),
            (self._larger, self._smaller, self._normal, self._theme, self._full),
            (self._keys, self._log),
            (self._quit,),
        ):
            self.menu.addActions(entries)
            self.menu.addSeparator()

    @property
    def with_keys(self) -> list[QAction]:
        """Actions that have keys, as the sheet of keys lists them."""
        return [action for action in self._window.actions() if action.shortcuts()]

    def follow(self, controller: SessionController) -> None:
        """Allow what can be done now."""
        state = controller.recording.state
        self.record.setText(RECORD_TEXTS[state])
        begun = state in (RecordState.STARTING, RecordState.ON)
        free = not state.active and controller.state.open
        self.record.setEnabled(begun or free)
        self.marker.setEnabled(controller.state.open)
        self._cameras.setEnabled(not controller.state.busy)

    def set_theme(self, theme: Theme) -> None:
        """Draw icons in the colours of `theme`."""
        for action, name in (
            (self._open, "folder"),
            (self._cameras, "refresh"),
            (self._keys, "keyboard"),
            (self._full, "fullscreen"),
        ):
            action.setIcon(icon(name, theme.text, theme.muted))
        self.marker.setIcon(icon("marker", theme.text, theme.muted))
        self._theme.setIcon(icon("sun" if theme.name == "dark" else "moon", theme.text))

    def _action(self, text: str, keys: str, act: Callable[[], object]) -> QAction:
        action = QAction(text, self._window)
        if keys:
            action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda _=False: act())
        self._window.addAction(action)
        return action


def _show_log() -> None:
    """Show where the log file is, in the file manager."""
    path = log_path()
    if path is not None:
        show_folder_of(path)
