"""What is plugged in or out is noticed, with udev and without."""

import threading
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from thermoseg import hotplug
from thermoseg.cameras import CameraListing, UsbId
from thermoseg.discovery import CameraScout, UsbCameras
from thermoseg.hotplug import CameraWatch, NoEvents, UdevEvents, came_and_went, device_events

LEPTON = CameraListing("lepton:1", "Lepton")
BOSON = CameraListing("boson:2", "Boson")
USB = ("usb",)


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Bench(CameraScout):
    """A table on which cameras are put: scout and monitor in one."""

    def __init__(self, *there: CameraListing) -> None:
        super().__init__()
        self.there = list(there)
        self.looks = 0
        self.waits: deque[float] = deque(maxlen=100)
        self.stir = threading.Event()
        self.slow: Clock | None = None
        """On which one of the drivers takes all the time it is given."""

    def look(self, wait_s: float | None = None) -> list[CameraListing]:
        self.looks += 1
        if self.slow is not None:
            self.slow.sleep(wait_s or 0.0)
        return list(self.there)

    def usb_cameras(self) -> UsbCameras:
        return UsbCameras((UsbId(0x1D6B, 0x0104, "Novel", ("hidraw",)),) if self.looks else ())

    def wait(self, timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        stirred = self.stir.wait(timeout_s)
        self.stir.clear()
        return stirred

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hotplug, "SETTLE_S", 0.0)


def test_what_is_there_is_told_at_once() -> None:
    bench = Bench(LEPTON)
    assert CameraWatch(bench, bench).next_change(timeout_s=60) == [LEPTON]
    assert bench.waits == deque()


def test_nothing_is_told_while_nothing_changes() -> None:
    bench = Bench(LEPTON)
    watch = CameraWatch(bench, bench)
    watch.next_change(0)
    assert watch.next_change(timeout_s=0.02) is None
    assert bench.looks == 1


@pytest.mark.usefixtures("quick")
def test_a_device_that_comes_is_looked_at_without_waiting_for_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hotplug, "PERIOD_S", 3600.0)
    bench = Bench()
    watch = CameraWatch(bench, bench)
    watch.next_change(0)
    bench.there.append(LEPTON)
    bench.stir.set()

    assert watch.next_change(timeout_s=10) == [LEPTON]


@pytest.mark.parametrize("there", [[LEPTON, BOSON], []], ids=["came", "went"])
def test_without_events_a_change_is_noticed_within_two_seconds(
    monkeypatch: pytest.MonkeyPatch, there: list[CameraListing]
) -> None:
    clock = Clock()
    monkeypatch.setattr(hotplug, "time", clock)
    bench = Bench(LEPTON)
    watch = CameraWatch(bench, NoEvents())
    watch.next_change(0)
    bench.there, bench.slow = there, clock
    began_s = clock.now_s

    assert watch.next_change(timeout_s=60) == there
    assert 0 < clock.now_s - began_s <= 2


def test_leaving_the_watch_closes_what_it_listens_to() -> None:
    bench = Bench()
    with CameraWatch(bench, bench):
        pass
    assert bench.closed


def test_what_came_and_went_is_told_apart() -> None:
    changed = CameraListing("lepton:1", "Lepton", problem="may not be opened")
    differences = list(came_and_went([LEPTON, BOSON], [BOSON, changed]))

    assert differences == [("-", LEPTON), ("+", changed)]


class Monitor:
    """Stands in for pyudev.Monitor."""

    def __init__(self, *actions: str | None) -> None:
        self.actions = deque(actions)
        self.subsystems: list[str] = []
        self.started = False

    def filter_by(self, subsystem: str) -> None:
        self.subsystems.append(subsystem)

    def start(self) -> None:
        self.started = True

    def poll(self, timeout: float) -> SimpleNamespace | None:
        assert 0 < timeout <= 60
        action = self.actions.popleft() if self.actions else None
        return None if action is None else SimpleNamespace(action=action)


def test_udev_is_asked_for_the_subsystems_in_which_cameras_show_up() -> None:
    monitor = Monitor()
    UdevEvents(monitor, ("usb", "hidraw"))

    assert monitor.subsystems == ["usb", "hidraw"]
    assert monitor.started


def test_the_subsystems_are_those_of_the_drivers_that_the_first_look_has_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[tuple[str, ...]] = []

    def listen(subsystems: tuple[str, ...]) -> Bench:
        heard.append(subsystems)
        return bench

    bench = Bench(LEPTON)
    monkeypatch.setattr(hotplug, "device_events", listen)
    with CameraWatch(bench) as watch:
        assert heard == []
        watch.next_change(timeout_s=60)
        watch.next_change(timeout_s=0)

    assert heard == [("usb", "hidraw")]
    assert bench.closed


@pytest.mark.parametrize("action", ["add", "remove"])
def test_devices_that_come_or_go_are_events_and_others_are_not(action: str) -> None:
    assert UdevEvents(Monitor("change", "move", action), USB).wait(60)
    assert not UdevEvents(Monitor("change"), USB).wait(0.001)


def test_without_pyudev_cameras_are_looked_for_by_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(hotplug, "import_module", missing)

    assert isinstance(device_events(USB), NoEvents)


def test_a_kernel_that_lets_nobody_listen_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_context: object) -> None:
        raise OSError("not in this container")

    monitor = SimpleNamespace(from_netlink=refuse)
    pyudev = SimpleNamespace(Monitor=monitor, Context=object)
    monkeypatch.setattr(hotplug, "import_module", lambda _name: pyudev)

    assert isinstance(device_events(USB), NoEvents)


def test_the_real_udev_can_be_listened_to_where_there_is_one() -> None:
    pytest.importorskip("pyudev")
    events: Callable[[float], bool] = device_events(USB).wait

    assert events(0.01) in (True, False)
