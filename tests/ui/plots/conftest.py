"""Samples made by hand, for plots of known answers."""

from collections.abc import Callable, Sequence
from math import isnan
from typing import TypeAlias

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QMouseEvent, QWheelEvent
from PyQt6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from thermoseg.rois import RoiSample
from thermoseg.traces import Traces, TraceWindow

MakeWindow: TypeAlias = Callable[..., TraceWindow]
Feed: TypeAlias = Callable[..., None]


def click(qtbot: QtBot, widget: QWidget, at: QPoint | None = None) -> None:
    """Click with the left button, in the middle or at a place of the widget."""
    place = {} if at is None else {"pos": at}
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, **place)


def press_key(qtbot: QtBot, widget: QWidget, key: Qt.Key) -> None:
    """Press and release a key."""
    qtbot.keyClick(widget, key)


def drag_mouse(qtbot: QtBot, widget: QWidget, begin: QPoint, end: QPoint) -> None:
    """Drag with the left button, by way of the middle."""
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(widget, left, pos=begin)
    for place in ((begin + end) / 2, end):
        move_mouse(widget, place, left)
    qtbot.mouseRelease(widget, left, pos=end)


def move_mouse(
    widget: QWidget, place: QPoint, button: Qt.MouseButton = Qt.MouseButton.NoButton
) -> None:
    """Move the pointer within a widget, with a button held or not."""
    at = QPointF(place)
    none, modifiers = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    where = QPointF(widget.mapToGlobal(place))
    QApplication.sendEvent(
        widget, QMouseEvent(QEvent.Type.MouseMove, at, where, none, button, modifiers)
    )


def turn_wheel(widget: QWidget, place: QPoint, notches: int) -> None:
    """Turn the wheel away from oneself, or towards with negative notches."""
    at, turn = QPointF(place), QPoint(0, 120 * notches)
    where = QPointF(widget.mapToGlobal(place))
    nothing = (Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier)
    event = QWheelEvent(at, where, QPoint(), turn, *nothing, Qt.ScrollPhase.NoScrollPhase, False)
    QApplication.sendEvent(widget, event)


@pytest.fixture
def window() -> MakeWindow:
    """Make a window of times, means and reasons; NaN is not valid."""

    def make(
        times: Sequence[float], means: Sequence[float], reasons: Sequence[str] | None = None
    ) -> TraceWindow:
        mean_c = np.array(means, np.float32)
        said = reasons or ["lost" if isnan(mean) else "" for mean in mean_c]
        names = tuple(dict.fromkeys(said))
        codes = np.array([names.index(reason) for reason in said], np.uint16)
        return TraceWindow(np.array(times, np.float64), mean_c, ~np.isnan(mean_c), codes, names)

    return make


@pytest.fixture
def feed() -> Feed:
    """Add to traces, at 10 samples per second, a steady temperature of some regions."""

    def add(
        traces: Traces, begin_s: float, end_s: float, means: dict[str, float], reason: str = ""
    ) -> None:
        valid = reason in ("", "held")
        for tick in range(round(begin_s * 10), round(end_s * 10)):
            traces.append(
                RoiSample(region, tick / 10, 50, mean_c, mean_c, mean_c, 0.1, valid, reason)
                for region, mean_c in means.items()
            )

    return add
