"""A camera goes on through silence, broken frames and pulled cables; no thread is needed to see."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from tests.session_parts import HEIGHT, WIDTH, ScriptedCamera, Step, ended, make_frame
from thermoseg import camera_feed
from thermoseg.camera_feed import Arrival, CameraFeed
from thermoseg.cameras import Camera
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraPreparingError,
    CameraTimeoutError,
    FormatError,
    FrameRefusedError,
    StreamEndedError,
)
from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.tally import SessionCounts, Tally


class Follower:
    """Follows a camera in the thread of the test, and keeps what came of it."""

    def __init__(self, camera: Camera) -> None:
        self.tally, self.stopping = Tally(), threading.Event()
        self.told: list[str] = []
        self.arrivals: list[Arrival] = []
        self.feed = CameraFeed(camera, self.tally, self.told.append, self.stopping, "fake:")

    def open(self) -> CameraInfo:
        return self.feed.open()

    def follow(self, until: Callable[[], object] = lambda: False) -> None:
        """Take frames until the source ends, or `until` holds after one try."""
        while not until():
            try:
                arrival = self.feed.next()
            except StreamEndedError:
                return
            if arrival is not None:
                self.arrivals.append(arrival)

    @property
    def frames(self) -> list[Frame]:
        return [arrival.frame for arrival in self.arrivals]

    @property
    def indices(self) -> list[int]:
        return [frame.index for frame in self.frames]

    @property
    def counts(self) -> SessionCounts:
        return self.tally.report(replaced=0, recorded=0, dropped=0, sink_dropped=0)


def follow(camera: Camera) -> Follower:
    """Follow `camera` from its opening to the end of its script."""
    follower = Follower(camera)
    follower.open()
    follower.follow()
    return follower


def unplugged() -> CameraLostError:
    return CameraLostError("unplugged; plug it in")


def test_frames_lost_before_us_are_counted_and_marked() -> None:
    followed = follow(ScriptedCamera([5, 6, 9, 10, ended()]))

    assert followed.counts.missed == 2
    marked = [frame.index for frame in followed.frames if frame.flags & FrameFlag.GAP_BEFORE]
    assert marked == [9]


def test_a_read_without_a_frame_is_tolerated() -> None:
    silence = CameraTimeoutError("nothing came; read again")
    followed = follow(ScriptedCamera([0, silence, silence, 1, ended()]))

    assert (followed.counts.timeouts, followed.counts.captured) == (2, 2)
    assert followed.told == []


def test_nothing_comes_of_a_camera_that_is_not_open() -> None:
    follower = Follower(ScriptedCamera([0]))

    assert follower.feed.now_s() == 0
    with pytest.raises(CameraError, match="not open yet"):
        follower.feed.next()


@pytest.mark.usefixtures("quick_watchdog")
def test_a_lost_camera_is_opened_again_and_its_frames_go_on_in_one_line() -> None:
    camera = ScriptedCamera([0, 1, unplugged()], [unplugged()], [0, 1, ended()])
    followed = follow(camera)

    assert camera.opened == 3
    assert followed.indices == [0, 1, 2, 3]
    times_s = [frame.time_s for frame in followed.frames]
    assert times_s == sorted(set(times_s))
    assert followed.told[0] == "lost: unplugged; plug it in"
    assert followed.told[1].startswith("gap of ")
    assert followed.told[1].endswith("fake 7 was lost")
    assert len(followed.told) == 2
    assert (followed.counts.gaps, followed.counts.reopened) == (1, 2)
    assert followed.feed.lost == ""


@pytest.mark.usefixtures("quick_watchdog")
def test_a_silent_live_camera_is_opened_again() -> None:
    camera = ScriptedCamera([0, 1], [0, 1, ended()])
    followed = follow(camera)

    assert camera.opened == 2
    assert followed.counts.captured == 4


@pytest.mark.usefixtures("quick_watchdog")
def test_patience_with_a_silent_camera_begins_with_the_first_read() -> None:
    follower = Follower(ScriptedCamera([0, ended()]))
    follower.open()
    threading.Event().wait(2 * camera_feed.SILENCE_LIMIT_S)
    follower.follow()

    assert follower.told == []
    assert follower.indices == [0]


@pytest.mark.usefixtures("quick_watchdog")
def test_a_silent_file_is_an_error() -> None:
    with pytest.raises(CameraLostError, match="has sent no usable picture"):
        follow(ScriptedCamera([0], live=False))


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_comes_back_in_another_size_is_an_error() -> None:
    camera = ScriptedCamera([0, unplugged()], [0], sizes=[(HEIGHT, WIDTH), (HEIGHT, 2 * WIDTH)])

    with pytest.raises(CameraLostError, match="64×24 instead of 32×24"):
        follow(camera)


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_comes_back_with_another_scale_is_an_error() -> None:
    follower = Follower(ScriptedCamera([0, unplugged()], [0], scales_k=[0.01, 0.1]))
    follower.open()

    with pytest.raises(CameraLostError, match="another scale of temperatures"):
        follower.follow()
    assert follower.counts.captured == 1


def test_a_frame_of_another_size_is_thrown_away_and_counted() -> None:
    class Stutterer(ScriptedCamera):
        def read(self, timeout_s: float) -> Frame:
            frame = super().read(timeout_s)
            return make_frame(1, frame.time_s, (HEIGHT, 8)) if frame.index == 1 else frame

    followed = follow(Stutterer([0, 1, 2, ended()]))

    assert followed.indices == [0, 2]
    assert (followed.counts.refused, followed.counts.missed) == (1, 0)
    assert followed.told == ["fake 7: a frame came with 8×24 instead of 32×24 pixels"]


@pytest.mark.usefixtures("quick_watchdog")
def test_another_camera_in_its_place_is_not_taken_for_it() -> None:
    class Swapped(ScriptedCamera):
        def open(self) -> CameraInfo:
            if self.opened:
                self.serial = "8" if self.opened < 4 else "7"
            return super().open()

    camera = Swapped([0, unplugged()], [0], [0], [0], [0, 1, ended()])
    followed = follow(camera)

    assert camera.opened == 5
    assert (followed.counts.captured, followed.counts.reopened) == (3, 1)
    assert followed.told.count("not open again: fake 8 is there instead of fake 7") == 1


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_opens_again_without_pictures_is_still_lost() -> None:
    silence = CameraTimeoutError("nothing came; read again")
    follower = Follower(ScriptedCamera([0, unplugged()], [silence, 1, ended()]))
    follower.open()
    follower.follow(until=lambda: follower.counts.reopened and follower.counts.timeouts)
    assert follower.feed.lost == "unplugged; plug it in"
    assert follower.tally.lost_seconds() > 0
    follower.follow()

    assert follower.feed.lost == ""
    assert follower.tally.lost_seconds() == 0
    assert follower.counts.captured == 2


@pytest.mark.usefixtures("quick_watchdog")
def test_each_reason_why_a_camera_does_not_open_again_is_told_once() -> None:
    class Forbidden(ScriptedCamera):
        def open(self) -> CameraInfo:
            if 1 <= self.opened <= 6:
                self.opened += 1
                raise CameraError("no permission" if self.opened % 2 else "in use")
            return super().open()

    followed = follow(Forbidden([0, unplugged()], [0], [ended()]))

    told = [text for text in followed.told if text.startswith("not open")]
    assert told == ["not open again: in use", "not open again: no permission"]


@pytest.mark.parametrize("error", [FrameRefusedError("half a frame"), FormatError("bad header")])
def test_a_broken_frame_is_counted_and_never_delivered(error: Exception) -> None:
    followed = follow(ScriptedCamera([0, 1, error, 3, error, 5, ended()]))

    counts = followed.counts
    assert followed.indices == [0, 1, 3, 5]
    assert [arrival.refused_before for arrival in followed.arrivals] == [0, 0, 1, 1]
    assert (counts.captured, counts.refused, counts.missed) == (4, 2, 0)
    assert followed.told == [f"fake 7: {error}"]


def test_broken_frames_that_differ_in_a_number_are_told_of_once() -> None:
    cut = [FrameRefusedError(f"a frame of {1000 + number} bytes") for number in range(60)]

    followed = follow(ScriptedCamera([0, *cut, 61, ended()]))

    assert followed.counts.refused == 60
    assert followed.told == ["fake 7: a frame of 1000 bytes"]


def test_a_damaged_file_is_an_error() -> None:
    with pytest.raises(FormatError, match="frame 1 is cut off"):
        follow(ScriptedCamera([0, FormatError("frame 1 is cut off")], live=False))


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_sends_nothing_but_broken_frames_is_opened_again_and_says_why() -> None:
    def broken() -> Iterator[Exception]:
        while True:
            yield FrameRefusedError("a frame without its end")

    camera = ScriptedCamera(broken(), [0, ended()])
    followed = follow(camera)

    assert camera.opened == 2
    lost = [text for text in followed.told if text.startswith("lost: ")]
    assert len(lost) == 1
    assert lost[0].endswith("no usable picture for 0 s: a frame without its end")
    assert followed.counts.refused < 500, "a camera that fails at once keeps a core busy"


@pytest.mark.usefixtures("quick_watchdog")
def test_a_gap_that_goes_on_is_in_the_account() -> None:
    follower = Follower(ScriptedCamera([0, 1, unplugged()], [], [0, ended()]))
    follower.open()
    follower.follow(until=lambda: follower.counts.reopened)
    before_s = follower.tally.lost_seconds()
    during = follower.counts
    follower.follow()

    assert during.gaps == 1
    assert before_s <= during.gap_seconds < follower.counts.gap_seconds
    assert follower.counts.gap_seconds == follower.counts.gap_seconds, "it is over"


def test_a_driver_that_keeps_a_read_waiting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_feed, "LONGEST_READ_S", 0.05)
    followed = follow(ScriptedCamera([0, 1, ended()], rate_hz=8))

    assert len(followed.told) == 1
    assert followed.told[0].startswith("the driver of fake 7 kept a read waiting for 0.")


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_cannot_be_closed_is_opened_again_all_the_same() -> None:
    class Jammed(ScriptedCamera):
        def close(self) -> None:
            super().close()
            raise CameraError("the device is gone")

    assert follow(Jammed([0, unplugged()], [0, ended()])).counts.captured == 2


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_comes_back_without_frames_is_given_growing_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Patient(threading.Event):
        pauses_s: ClassVar[list[float]] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.pauses_s.append(timeout or 0.0)
            return len(self.pauses_s) > 7

    monkeypatch.setattr(camera_feed, "BACK_OFF_S", (1.0, 2.0, 5.0))
    camera = ScriptedCamera([0, unplugged()], *([unplugged()] for _ in range(9)))
    follower = Follower(camera)
    follower.feed = CameraFeed(camera, follower.tally, follower.told.append, Patient())
    follower.open()
    follower.follow(until=lambda: len(Patient.pauses_s) > 7)

    assert Patient.pauses_s == [1.0, 2.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]
    assert (follower.counts.gaps, follower.counts.reopened) == (1, 7)


@pytest.mark.usefixtures("quick_watchdog")
def test_who_wants_no_more_frames_need_not_wait_for_a_lost_camera(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(camera_feed, "BACK_OFF_S", (60.0,))
    camera = ScriptedCamera([0, unplugged()], [1])
    follower = Follower(camera)
    follower.open()
    follower.stopping.set()

    assert follower.feed.next() is not None
    assert follower.feed.next() is None
    assert camera.opened == 1
    assert follower.feed.lost == "unplugged; plug it in"


@pytest.mark.usefixtures("quick_watchdog")
def test_what_a_lost_camera_told_of_itself_holds_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Telling(ScriptedCamera):
        def telemetry(self) -> dict[str, float | str]:
            return {"battery_percent": 83.0}

        def visible_jpeg(self) -> bytes:
            return b"a photograph"

    follower = Follower(Telling([0, unplugged()], [1, ended()]))
    follower.open()
    feed = follower.feed
    follower.follow(until=lambda: follower.arrivals)
    assert (feed.telemetry, feed.visible_jpeg) == ({"battery_percent": 83.0}, b"a photograph")
    follower.follow(until=lambda: feed.lost)
    assert (feed.telemetry, feed.visible_jpeg) == ({}, None)
    monkeypatch.setattr(camera_feed, "TELEMETRY_S", 0.0)
    follower.follow()

    assert feed.telemetry == {"battery_percent": 83.0}


def test_actions_are_done_between_two_frames_and_told() -> None:
    class WithShutter(ScriptedCamera):
        def __init__(self, steps: list[Step]) -> None:
            super().__init__(steps)
            self.shut = 0

        @property
        def actions(self) -> dict[str, Callable[[], None]]:
            return {"Flat-field correction": self.correct, "Explode": self.explode}

        def correct(self) -> None:
            self.shut += 1

        def explode(self) -> None:
            raise CameraError("the fuse is missing")

    camera = WithShutter([0, 1, ended()])
    follower = Follower(camera)
    closed = follower.feed.orders.actions
    assert closed == ()
    follower.open()
    assert follower.feed.orders.actions == ("Flat-field correction", "Explode")
    with pytest.raises(ValueError, match="none of the camera's actions"):
        follower.feed.orders.ask("Dance")
    follower.feed.orders.ask("Flat-field correction")
    follower.feed.orders.ask("Explode")
    assert camera.shut == 0
    follower.follow()

    assert camera.shut == 1
    assert follower.told == ["Flat-field correction", "Explode failed: the fuse is missing"]
    assert follower.indices == [0, 1]


@pytest.mark.usefixtures("quick_watchdog")
def test_a_camera_that_says_it_is_preparing_is_not_silent() -> None:
    def prepare() -> Iterator[Step]:
        began_s = time.monotonic()
        while time.monotonic() < began_s + 3 * camera_feed.SILENCE_LIMIT_S:
            yield CameraPreparingError("it draws its pictures; read again")
        yield from (0, 1, ended())

    camera = ScriptedCamera(prepare())
    followed = follow(camera)

    assert camera.opened == 1
    assert followed.indices == [0, 1]
    assert followed.told == []
