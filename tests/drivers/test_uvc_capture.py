"""Reading without blocking: by polling, and in a thread where nothing can be polled."""

import threading
from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.uvc_capture import (
    Capture,
    ThreadedCapture,
    open_video,
    picture_waits,
    start_capture,
)
from tests.conftest import WaitFor
from tests.drivers.conftest import UvcCamera
from thermoseg.errors import CameraError, CameraLostError, CameraTimeoutError

PICTURE = np.arange(12, dtype=np.uint16).reshape(3, 4)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "thermoseg the camera"]


def read_on(capture: Capture, timeout_s: float) -> None:
    """Read what is left, and one more."""
    for _ in range(1000):
        capture.next(timeout_s)


def test_linux_needs_no_thread(uvc_camera: type[UvcCamera]) -> None:
    camera = uvc_camera(lambda number: PICTURE, rate_hz=500.0)
    capture, _ = start_capture(camera.system(), "/dev/video7", "the camera", "Y16 ", cv2.CAP_DSHOW)
    for _ in range(3):
        assert np.array_equal(capture.next(1.0).array, PICTURE)

    assert threads() == []
    capture.close()
    capture.close()
    assert camera.released == 1
    with pytest.raises(CameraError, match="is not open"):
        capture.next(0.1)


def test_a_wait_is_never_for_ever(
    monkeypatch: pytest.MonkeyPatch, uvc_camera: type[UvcCamera]
) -> None:
    asked: list[int] = []

    def waits(_streams: object, timeout_ns: int) -> tuple[bool, list[int]]:
        asked.append(timeout_ns)
        return False, []

    monkeypatch.setattr("drivers.uvc_capture.cv2.VideoCapture.waitAny", waits)
    for timeout_s in (0.25, 0.0, -1.0):
        assert not picture_waits(uvc_camera(lambda number: None), timeout_s)

    assert asked == [250_000_000, 1_000_000, 1_000_000]


def test_a_device_that_is_not_there_does_not_open() -> None:
    assert not open_video("/dev/video_that_is_not_there", cv2.CAP_DSHOW).isOpened()


def test_windows_opens_by_number_with_the_backend_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[tuple[object, int]] = []
    monkeypatch.setattr(
        "drivers.uvc_capture.cv2.VideoCapture", lambda *device: opened.append(device)
    )
    open_video("2", cv2.CAP_MSMF, platform="win32")
    open_video("/dev/video0", cv2.CAP_MSMF, platform="linux")

    assert opened == [(2, cv2.CAP_MSMF), ("/dev/video0", cv2.CAP_V4L2)]


def test_what_opencv_says_of_a_dead_device_is_a_loss(uvc_camera: type[UvcCamera]) -> None:
    camera = uvc_camera(lambda number: PICTURE, rate_hz=500.0)
    capture, _ = start_capture(camera.system(), "/dev/video7", "the camera", "Y16 ", cv2.CAP_DSHOW)
    capture.next(1.0)
    camera.present = False

    with pytest.raises(CameraLostError) as caught:
        capture.next(0.1)
    assert isinstance(caught.value.__cause__, cv2.error)
    capture.close()


StartThreaded: TypeAlias = Callable[[UvcCamera], ThreadedCapture]
"""What the fixture `threaded` gives."""


@pytest.fixture
def threaded() -> StartThreaded:
    """Start a stream on a system where reads block."""

    def start(camera: UvcCamera) -> ThreadedCapture:
        capture, _ = start_capture(camera.system(), "0", "the camera", "Y16 ", cv2.CAP_DSHOW)
        assert isinstance(capture, ThreadedCapture)
        return capture

    return start


def test_elsewhere_a_thread_reads_and_ends_with_the_stream(
    uvc_camera: type[UvcCamera], threaded: StartThreaded
) -> None:
    camera = uvc_camera(lambda number: PICTURE, rate_hz=500.0, platform="win32")
    capture = threaded(camera)
    assert threads() == []
    for _ in range(3):
        assert np.array_equal(capture.next(1.0).array, PICTURE)

    assert len(threads()) == 1
    capture.close()
    capture.close()
    assert threads() == []
    assert camera.released == 1
    with pytest.raises(CameraError, match="is not open"):
        capture.next(0.1)


def test_a_stream_that_was_never_read_has_no_thread(
    uvc_camera: type[UvcCamera], threaded: StartThreaded
) -> None:
    camera = uvc_camera(lambda number: PICTURE, platform="win32")
    threaded(camera).close()

    assert camera.released == 1


def test_a_read_that_blocks_holds_nobody_up(
    uvc_camera: type[UvcCamera],
    threaded: StartThreaded,
    monkeypatch: pytest.MonkeyPatch,
    wait_for: WaitFor,
) -> None:
    monkeypatch.setattr("drivers.uvc_capture.JOIN_S", 0.05)
    camera = uvc_camera(lambda number: PICTURE, rate_hz=500.0, platform="win32")
    capture = threaded(camera)
    capture.next(1.0)
    camera.blocks.set()
    with pytest.raises(CameraTimeoutError):
        read_on(capture, 0.05)
    capture.close()

    assert camera.released == 0, "not while a read is at work on it"
    camera.unblock.set()
    wait_for(lambda: not threads())
    assert camera.released == 1


def test_reads_that_fail_for_long_are_a_loss(
    uvc_camera: type[UvcCamera],
    threaded: StartThreaded,
    monkeypatch: pytest.MonkeyPatch,
    wait_for: WaitFor,
) -> None:
    monkeypatch.setattr("drivers.uvc_capture.LOST_S", 0.05)
    camera = uvc_camera(lambda number: PICTURE, rate_hz=500.0, platform="win32")
    capture = threaded(camera)
    capture.next(1.0)
    camera.present = False
    wait_for(lambda: not threads())
    with pytest.raises(CameraLostError, match="does not answer any more"):
        read_on(capture, 0.01)
    capture.close()

    assert camera.released == 1


def test_a_late_reader_finds_the_newest_pictures(
    uvc_camera: type[UvcCamera], threaded: StartThreaded, wait_for: WaitFor
) -> None:
    sent: list[int] = []

    def picture(number: int) -> NDArray[np.uint16]:
        sent.append(number)
        return np.full((2, 2), number, np.uint16)

    camera = uvc_camera(picture, rate_hz=500.0, platform="win32")
    capture = threaded(camera)
    capture.next(1.0)
    wait_for(lambda: len(sent) > 40)
    numbers = [int(capture.next(1.0).array[0, 0]) for _ in range(4)]
    capture.close()

    assert numbers[0] > 20
    assert numbers == sorted(set(numbers))
