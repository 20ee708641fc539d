"""What a whole window is made of in tests: real sessions, a camera with faults, hands and eyes."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from PyQt6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDropEvent
from PyQt6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDialog,
    QLabel,
    QMessageBox,
    QPushButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.session_parts import COUNTS_34_C, HEIGHT, RADIOMETRY, WIDTH
from thermoseg.cameras import Camera, CameraListing, CameraOptions
from thermoseg.errors import CameraLostError, CameraTimeoutError, FrameRefusedError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import LinearRadiometry
from thermoseg.recording.reader import Recording
from ui.live.page import LivePage
from ui.live.recording_control import RecordState
from ui.live.session_controller import CameraState
from ui.shell.page import Page
from ui.shell.rail import PageName
from ui.shell.window import MainWindow
from ui.texts import shell as texts

LIVE_ADDRESS = "simulated:?width=64&height=48&loop_s=1"
"""A face, small enough to be drawn at once."""
PATIENCE_MS = 20_000
"""A busy machine may take this long for anything; nothing waits for it to pass."""


class MakeWindow(Protocol):
    """What the fixture `make_window` gives."""

    def __call__(self, make_another: Callable[[str], Camera] = ...) -> MainWindow: ...


@dataclass
class FaultyCamera:
    """A camera that a test can pull out, stop, and let skip; it numbers what it delivers.

    The number of each frame stands in its first two pixels, so that a file tells which it holds.
    """

    Options: ClassVar[type[CameraOptions]] = CameraOptions
    rate_hz: float = 60.0
    radiometry: LinearRadiometry = RADIOMETRY
    plugged: bool = True
    silent: bool = False
    refusing: int = 0
    """So many of the next frames come broken."""
    skipping: int = 0
    """So many numbers are left out before the next frame."""
    delivered: list[int] = field(default_factory=list)
    """Numbers of all frames that were handed over, in order."""
    skipped_before: dict[int, int] = field(default_factory=dict)
    """How many numbers of the camera are missing right before a frame."""
    opened_before: set[int] = field(default_factory=set)
    """Frames before which the camera was opened."""
    _index: int = -1
    _opened_s: float = 0.0

    def open(self) -> CameraInfo:
        if not self.plugged:
            raise CameraLostError("the camera of the test is unplugged; plug it in")
        self._index, self._opened_s = -1, time.monotonic()
        self.opened_before.add(len(self.delivered))
        return CameraInfo("faulty", "7", WIDTH, HEIGHT, self.rate_hz, self.radiometry, True)

    def read(self, timeout_s: float) -> Frame:
        threading.Event().wait(min(1 / self.rate_hz, timeout_s))
        if not self.plugged:
            raise CameraLostError("the camera of the test is unplugged; plug it in")
        if self.silent:
            raise CameraTimeoutError("no frame came in time; read again")
        if self.refusing:
            self.refusing -= 1
            self._index += 1
            raise FrameRefusedError("a frame came in pieces")
        skipped, self.skipping = self.skipping, 0
        number = len(self.delivered)
        self._index += 1 + skipped
        counts = np.full((HEIGHT, WIDTH), COUNTS_34_C, np.uint16)
        counts[0, :2] += np.array(divmod(number, 1000), np.uint16)
        self.skipped_before[number] = skipped
        self.delivered.append(number)
        time_s = time.monotonic() - self._opened_s
        return Frame.from_counts(counts, self.radiometry, self._index, time_s, time.time())

    def close(self) -> None:
        pass

    @classmethod
    def discover(cls) -> list[CameraListing]:
        return []


def numbers_in(recording: Recording) -> list[int]:
    """Which frames of a `FaultyCamera` a file holds, in order."""
    numbers = []
    for position in range(len(recording)):
        high, low = (int(count) - COUNTS_34_C for count in recording.frame(position).counts[0, :2])
        numbers.append(1000 * high + low)
    return numbers


class Hands:
    """Uses a window as one does: keys, clicks, waiting for what comes of them."""

    def __init__(self, qtbot: QtBot, window: MainWindow) -> None:
        self.qtbot, self.window = qtbot, window

    def show(self, name: PageName) -> Page:
        """Go to a page by its key."""
        place = list(PageName).index(name)
        self.key(Qt.Key(Qt.Key.Key_1 + place), Qt.KeyboardModifier.ControlModifier)
        page = self.window.page
        assert page is not None
        return page

    @property
    def live(self) -> LivePage:
        page = self.window.page
        if not isinstance(page, LivePage):
            page = self.window.show_page(PageName.LIVE)
        assert isinstance(page, LivePage)
        return page

    def wait(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=PATIENCE_MS)

    def wait_active(self) -> None:
        """Wait until keys come to the window, as after a menu."""
        self.window.activateWindow()
        self.wait(self.window.isActiveWindow)

    def key(
        self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> None:
        """Press a key where the focus is, as the keyboard does: shortcuts first."""
        focus = QApplication.focusWidget()  # no “or”: a box without entries is false
        self.press_in(self.window if focus is None else focus, key, modifier)

    def press_in(
        self,
        widget: QWidget,
        key: Qt.Key,
        modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
    ) -> None:
        """Press a key in a widget."""
        self.qtbot.keyClick(widget, key, modifier)

    def click_at(self, widget: QWidget, place: QPoint | None = None) -> None:
        """Click at a place of a widget, its middle if it is None."""
        at = widget.rect().center() if place is None else place
        self.qtbot.mouseMove(widget, at)
        left = Qt.MouseButton.LeftButton
        self.qtbot.mouseClick(widget, left, pos=at)

    def type_in(self, text: str) -> None:
        focus = QApplication.focusWidget()
        assert focus is not None
        self.qtbot.keyClicks(focus, text)

    def click(self, widget: QWidget) -> None:
        assert widget.isVisible(), f"{widget.accessibleName()} is not there to be clicked"
        assert widget.isEnabled(), f"{widget.accessibleName()} cannot be clicked"
        self.click_at(widget)

    def button(self, text: str, inside: QWidget | None = None) -> QAbstractButton:
        """Find the button in sight that says or is named `text`."""
        buttons = (inside or self.window).findChildren(QAbstractButton)
        found = [each for each in buttons if text in (each.text(), each.accessibleName())]
        found = [each for each in found if each.isVisible()]
        assert found, f"no button “{text}” is in sight"
        return found[0]

    def open_camera(self, address: str = LIVE_ADDRESS) -> None:
        """Open a camera, and wait for its first picture."""
        self.live.open(address)
        controller = self.window.controller
        self.wait(lambda: controller.state is CameraState.RUNNING and controller.view.frame)
        self.wait(self.live.pane.isVisible)

    def record(self) -> None:
        """Record by F9, whatever the checklist says, and wait until it does."""
        recording = self.window.controller.recording
        self.key(Qt.Key.Key_F9)
        self.wait(lambda: recording.state.active or self.doubt_button() is not None)
        doubted = self.doubt_button()
        if doubted is not None and not recording.state.active:
            self.click(doubted)
        self.wait(lambda: recording.state is RecordState.ON)

    def doubt_button(self) -> QPushButton | None:
        for each in self.window.notices.findChildren(QPushButton):
            if each.text() == "Record anyway" and each.isVisible():
                return each
        return None

    def answer(self, *, end: bool) -> None:
        """Answer the question whether the recording may end."""
        box = self.window.question.box
        assert box is not None
        role = QMessageBox.ButtonRole.AcceptRole if end else QMessageBox.ButtonRole.RejectRole
        button = next(each for each in box.buttons() if box.buttonRole(each) == role)
        button.click()  # at once: the question goes by itself when the recording ends
        self.wait(lambda: self.window.question.box is None)


def discard(window: MainWindow) -> None:
    """Close a window for good, so that the next one need not be dressed beside it."""
    window.end()
    window.deleteLater()
    QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete.value)


def words_in(widget: QWidget) -> list[str]:
    """List what can be read in a widget now."""
    words = [each.text() for each in widget.findChildren(QLabel) if each.isVisible()]
    words += [each.text() for each in widget.findChildren(QAbstractButton) if each.isVisible()]
    words += [each.currentText() for each in widget.findChildren(QComboBox) if each.isVisible()]
    return words


def drop_file(window: MainWindow, path: Path) -> None:
    """Drop a file from the desktop onto the window."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, *none))


def close_popup() -> None:
    """Close a menu, which has a loop of its own in which it waits for a choice."""
    popup = QApplication.activePopupWidget()
    if popup is not None:
        popup.close()
    modal = QApplication.activeModalWidget()
    if isinstance(modal, QDialog) and modal.windowTitle() != texts.TITLE:
        modal.reject()


def only_file(folder: Path) -> Path:
    """Return the one recording in a folder."""
    (path,) = folder.rglob("*.h5")
    return path
