"""What is there to be opened: drivers that answer, hang, fail, or lack a library."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, Self

import pytest

from tests.conftest import WaitFor
from thermoseg import cameras
from thermoseg.cameras import CameraListing, UsbId
from thermoseg.discovery import CameraScout, UsbCameras, list_cameras, usb_cameras
from thermoseg.errors import CameraError, DriverMissingError


@dataclass
class Entry:
    """Stands in for an entry point; `discover` is the driver's."""

    name: str
    discover: Callable[[], list[CameraListing]]
    usb_ids: tuple[UsbId, ...] = ()

    def load(self) -> Self:
        return self


class Install(Protocol):
    """What the fixture `install` gives."""

    def __call__(self, **discover: Callable[[], list[CameraListing]]) -> None: ...


class InstallUsb(Protocol):
    """What the fixture `install_usb` gives."""

    def __call__(self, **ids: tuple[UsbId, ...] | None) -> None: ...


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Let these be the drivers that are installed."""

    def put(**discover: Callable[[], list[CameraListing]]) -> None:
        entries = [Entry(name, function) for name, function in discover.items()]
        monkeypatch.setattr(cameras, "entry_points", lambda group: entries)

    return put


class Hang:
    """Discovery that does not come back before it is `over`."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self) -> list[CameraListing]:
        self.over.wait(60)
        return [CameraListing("slow:1", "Slow")]


@pytest.fixture
def hang() -> Iterator[Hang]:
    hang = Hang()
    yield hang
    hang.over.set()


def fail(error: Exception) -> Callable[[], list[CameraListing]]:
    def discover() -> list[CameraListing]:
        raise error

    return discover


ONE = CameraListing("good:1", "Good one", model="Good", serial="1", width=160, height=120)


def test_cameras_of_all_drivers_are_listed_by_driver(install: Install) -> None:
    install(b=lambda: [CameraListing("b:", "B")], a=lambda: [ONE], none=list)

    assert [listing.address for listing in list_cameras()] == ["good:1", "b:"]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (DriverMissingError("install the bad library"), "install the bad library"),
        (CameraError("the bus is jammed; restart"), "the bus is jammed; restart"),
        (ZeroDivisionError("a bug"), "“bad” failed (ZeroDivisionError: a bug); “thermoseg doctor”"),
    ],
)
def test_a_driver_that_fails_stays_visible_with_the_reason(
    install: Install, error: Exception, sentence: str
) -> None:
    install(bad=fail(error), good=lambda: [ONE])
    bad, good = list_cameras()

    assert bad.address == "bad:"
    assert sentence in bad.problem
    assert good == ONE


def test_a_driver_that_hangs_is_named_and_holds_up_nobody(install: Install, hang: Hang) -> None:
    install(good=lambda: [ONE], slow=hang)
    good, slow = CameraScout(patience_s=0.05).look()

    assert good == ONE
    assert slow.address == "slow:"
    assert "“slow” takes longer than 0.05 s" in slow.problem


def test_a_driver_that_is_still_being_loaded_is_waited_for(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(entry: Entry) -> Entry:
        threading.Event().wait(0.3)
        return entry

    monkeypatch.setattr(Entry, "load", load)
    install(good=lambda: [ONE])

    assert CameraScout(patience_s=0.2).look() == [ONE]


def test_a_driver_that_is_loaded_for_ever_is_not_said_to_hang_on_a_camera(
    install: Install, hang: Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Entry, "load", lambda _entry: hang())
    install(heavy=list)
    (listing,) = CameraScout(patience_s=0.05).look()

    assert "“heavy” is still being loaded" in listing.problem
    assert "unplug" not in listing.problem


def test_a_driver_that_hangs_is_not_asked_again_and_is_heard_when_it_answers(
    install: Install, hang: Hang, wait_for: WaitFor
) -> None:
    asked: list[int] = []

    def slow() -> list[CameraListing]:
        asked.append(1)
        return hang()

    install(slow=slow)
    scout = CameraScout(patience_s=30)
    looks = [scout.look(wait_s=0.01) for _ in range(5)]
    assert looks == [[]] * 5
    assert len(asked) == 1
    hang.over.set()

    wait_for(lambda: [listing.address for listing in scout.look(0.01)] == ["slow:1"])


def test_what_a_slow_driver_said_last_holds_while_it_is_asked_again(install: Install) -> None:
    slow = threading.Event()
    slow.set()

    def discover() -> list[CameraListing]:
        slow.wait(10)
        return [ONE]

    install(good=discover)
    scout = CameraScout()
    assert scout.look() == [ONE]
    slow.clear()
    during = scout.look(wait_s=0.01)
    slow.set()
    scout.look()

    assert during == [ONE]


NOVEL = UsbId(0x1D6B, 0x0104, "Novel", ("video4linux",))


@pytest.fixture
def install_usb(monkeypatch: pytest.MonkeyPatch) -> InstallUsb:
    """Let drivers with these ids be installed; one that is None cannot be loaded."""

    def put(**ids: tuple[UsbId, ...] | None) -> None:
        def load(entry: Entry) -> Entry:
            if ids[entry.name] is None:
                raise ImportError("No module named 'sdk'")
            return entry

        monkeypatch.setattr(Entry, "load", load)
        entries = [Entry(name, list, one or ()) for name, one in ids.items()]
        monkeypatch.setattr(cameras, "entry_points", lambda group: entries)

    return put


def test_usb_ids_of_all_drivers_are_collected_by_driver(install_usb: InstallUsb) -> None:
    other = UsbId(0x1D6B, 0x0105, "Other", ("tty", "video4linux"))
    install_usb(b=(NOVEL,), a=(other,), none=())
    plugged = usb_cameras()

    assert plugged == UsbCameras((other, NOVEL))
    assert plugged.subsystems == ("usb", "tty", "video4linux")
    assert plugged.names_in("video4linux") == ["Other", "Novel"]
    assert plugged.names_in("tty") == ["Other"]


def test_a_driver_that_cannot_be_loaded_is_left_out_with_its_reason(
    install_usb: InstallUsb,
) -> None:
    install_usb(bad=None, good=(NOVEL,))
    plugged = usb_cameras()

    assert plugged.ids == (NOVEL,)
    assert plugged.left_out == (
        "the driver “bad” cannot be loaded (No module named 'sdk'); install what it names",
    )


def test_a_device_that_two_drivers_open_is_collected_once(install_usb: InstallUsb) -> None:
    install_usb(a=(NOVEL,), b=(UsbId(0x1D6B, 0x0104, "Novelty", ("tty",)), NOVEL))

    assert usb_cameras().ids == (UsbId(0x1D6B, 0x0104, "Novel or Novelty", ("video4linux", "tty")),)


def test_a_scout_knows_the_ids_of_the_drivers_that_it_has_loaded(install_usb: InstallUsb) -> None:
    install_usb(a=(NOVEL,), bad=None)
    scout = CameraScout()

    assert scout.usb_cameras().ids == ()
    scout.look()
    assert scout.usb_cameras().ids == (NOVEL,)
    scout.look()
    assert scout.usb_cameras().ids == (NOVEL,)


RUSH = """
import sys, threading
from importlib.metadata import entry_points
from thermoseg.cameras import ENTRY_POINT_GROUP, load_driver

def ask(entry):
    try:
        load_driver(entry).discover()
    except Exception as error:
        return f"{entry.name}: {error!r}"
    return f"{entry.name} answers"

def look(entry):
    gate.wait()
    told.append(ask(entry))

entries = list(entry_points(group=ENTRY_POINT_GROUP)) * 3
gate, told = threading.Barrier(len(entries)), []
threads = [threading.Thread(target=look, args=(entry,)) for entry in entries]
sys.setswitchinterval(1e-6)  # as unlucky as can be
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*(set(told) ^ {ask(entry) for entry in entries}), sep="\\n")
"""
"""Prints what drivers say at once and not one by one, or the other way round."""


@pytest.mark.parametrize("attempt", range(2))
def test_all_drivers_can_be_loaded_and_asked_at_once_in_a_fresh_process(attempt: int) -> None:
    """Their libraries import each other in circles: pyusb, and pyftdi and flirpy through it."""
    done = subprocess.run([sys.executable, "-c", RUSH], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
