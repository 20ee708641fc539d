"""Buttons that play a recording, and where in it one is."""

from typing import Final

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from ui.replay.replay_controller import STEP_S, ReplayController
from ui.shell.eliding import eliding_label, say
from ui.shell.page import Page
from ui.shell.theme import DARK, Theme, icon, numerals
from ui.texts import replay as texts

ORDER: Final = (
    *("to-begin", "frame-back", "play", "frame-on", "to-end", "loop", ""),
    *("marker-back", "marker-on", "cut-in", "cut-out"),
)
"""Icons of the buttons, left to right; the empty one stands for the speed."""
SPEEDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0)


class Transport(QWidget):
    """One row below the picture; its actions have the keys of the page."""

    def __init__(self, controller: ReplayController, page: Page) -> None:
        super().__init__()
        self._controller = controller
        self.play: Final = page.add_key(texts.PLAY, "Space", controller.toggle)
        entries = (
            (texts.TO_BEGIN, "Home", lambda: controller.seek(0), "to-begin", False),
            (texts.SECOND_BACK, "Shift+Left", lambda: controller.step_seconds(-STEP_S), "", True),
            (texts.FRAME_BACK, "Left", lambda: controller.step(-1), "frame-back", True),
            (texts.FRAME_ON, "Right", lambda: controller.step(1), "frame-on", True),
            (texts.SECOND_ON, "Shift+Right", lambda: controller.step_seconds(STEP_S), "", True),
            (texts.TO_END, "End", lambda: controller.seek(controller.last), "to-end", False),
            (texts.MARKER_BACK, ",", lambda: controller.go_to_marker(-1), "marker-back", False),
            (texts.MARKER_ON, ".", lambda: controller.go_to_marker(1), "marker-on", False),
            (texts.CUT_IN, "[", controller.mark_in, "cut-in", False),
            (texts.CUT_OUT, "]", controller.mark_out, "cut-out", False),
        )
        self._theme = DARK
        self._icons: dict[QAction, str] = {}
        for text, key, act, name, repeats in entries:
            action = page.add_key(text, key, act, repeats=repeats)
            action.setToolTip(f"{text} ({key})")
            if name:
                self._icons[action] = name
        self.loop: Final = page.add_key(texts.LOOP, "R", self._on_loop)
        self.loop.setCheckable(True)
        self.loop.setToolTip(f"{texts.LOOP_TIP} (R)")
        self._speed = QComboBox()
        self._speed.setAccessibleName(texts.SPEED)
        self._speed.setToolTip(texts.SPEED)
        for speed in SPEEDS:
            self._speed.addItem(f"{speed:g}×", speed)
        self._speed.setCurrentIndex(SPEEDS.index(1.0))
        self._speed.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._speed.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._speed.activated.connect(lambda row: controller.set_speed(SPEEDS[row]))
        self._place = eliding_label(Qt.TextElideMode.ElideRight)
        self._place.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._place.setMinimumWidth(0)
        self._place.setAccessibleName(texts.PLACE)
        self._buttons: list[QToolButton] = []
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._lay_out()
        controller.moved.connect(self.show_place)
        controller.playing_changed.connect(self.show_playing)
        controller.state_changed.connect(self.show_playing)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._theme = theme
        side = QSize(round(16 * scale), round(16 * scale))
        for action, name in self._icons.items():
            action.setIcon(icon(name, theme.text, theme.muted))
        self.loop.setIcon(icon("loop", theme.text, theme.muted, theme.accent))
        for button in self._buttons:
            button.setIconSize(side)
        self._place.setFont(numerals(9.75 * scale))
        self._layout.setSpacing(round(4 * scale))
        self.show_playing()

    def show_playing(self) -> None:
        """Show what the buttons do next."""
        controller = self._controller
        playing, there = controller.playing, len(controller.times_s) > 0
        self.play.setText(texts.PAUSE if playing else texts.PLAY)
        self.play.setToolTip(f"{self.play.text()} (Space)")
        name = "pause" if playing else "play"
        self.play.setIcon(icon(name, self._theme.text, self._theme.muted))
        self.loop.setChecked(controller.looping)
        for action in (self.play, self.loop, *self._icons):
            action.setEnabled(there)
        self._speed.setEnabled(there)
        if controller.speed in SPEEDS:
            self._speed.setCurrentIndex(SPEEDS.index(controller.speed))
        self.show_place()

    def show_place(self) -> None:
        """Say which frame is seen, and when it was."""
        controller = self._controller
        times_s = controller.times_s
        if not len(times_s):
            say(self._place, "")
            return
        shown = controller.index if controller.shown is None else controller.shown.index
        shown = min(max(shown, 0), len(times_s) - 1)
        begin_s = float(times_s[0])
        time_s, length_s = float(times_s[shown]) - begin_s, float(times_s[-1]) - begin_s
        say(self._place, texts.place(time_s, length_s, shown, len(times_s)))

    def _on_loop(self) -> None:
        self._controller.set_looping(self.loop.isChecked())

    def _lay_out(self) -> None:
        names = {name: action for action, name in self._icons.items()}
        for name in ORDER:
            if not name:
                self._layout.addWidget(self._speed)
                continue
            action = {"play": self.play, "loop": self.loop}.get(name) or names[name]
            button = QToolButton()
            button.setDefaultAction(action)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            button.setAccessibleName(action.text())
            self._buttons.append(button)
            self._layout.addWidget(button)
        self._layout.addWidget(self._place, 1)
