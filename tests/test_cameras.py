"""What is there to be opened: drivers that answer, hang, fail, or lack a library."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from thermoseg import cameras
from thermoseg.cameras import Address, CameraListing, CameraScout, list_cameras
from thermoseg.errors import CameraError, ConfigError, DriverMissingError


@dataclass
class Entry:
    """Stands in for an entry point; `discover` is the driver's."""

    name: str
    discover: Callable[[], list[CameraListing]]

    def load(self) -> Any:
        return self


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let these be the drivers that are installed."""

    def put(**discover: Callable[[], list[CameraListing]]) -> None:
        entries = {name: Entry(name, function) for name, function in discover.items()}
        monkeypatch.setattr(cameras, "_drivers", lambda: entries)

    return put


@pytest.fixture
def hang() -> Iterator[Callable[[], list[CameraListing]]]:
    """Discovery that does not come back before the test is over."""
    over = threading.Event()

    def wait() -> list[CameraListing]:
        over.wait(60)
        return [CameraListing("slow:1", "Slow")]

    wait.over = over  # type: ignore[attr-defined]
    yield wait
    over.set()


def fail(error: Exception) -> Callable[[], list[CameraListing]]:
    def discover() -> list[CameraListing]:
        raise error

    return discover


ONE = CameraListing("good:1", "Good one", model="Good", serial="1", width=160, height=120)


def test_cameras_of_all_drivers_are_listed_by_driver(install: Any) -> None:
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
    install: Any, error: Exception, sentence: str
) -> None:
    install(bad=fail(error), good=lambda: [ONE])
    bad, good = list_cameras()

    assert bad.address == "bad:"
    assert sentence in bad.problem
    assert good == ONE


def test_a_driver_that_hangs_is_named_and_holds_up_nobody(install: Any, hang: Any) -> None:
    install(good=lambda: [ONE], slow=hang)
    good, slow = CameraScout(patience_s=0.05).look()

    assert good == ONE
    assert slow.address == "slow:"
    assert "“slow” takes longer than 0.05 s" in slow.problem


def test_a_driver_that_is_still_being_loaded_is_waited_for(
    install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(entry: Entry) -> Entry:
        threading.Event().wait(0.3)
        return entry

    monkeypatch.setattr(Entry, "load", load)
    install(good=lambda: [ONE])

    assert CameraScout(patience_s=0.2).look() == [ONE]


def test_a_driver_that_is_loaded_for_ever_is_not_said_to_hang_on_a_camera(
    install: Any, hang: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Entry, "load", lambda _entry: hang())
    install(heavy=list)
    (listing,) = CameraScout(patience_s=0.05).look()

    assert "“heavy” is still being loaded" in listing.problem
    assert "unplug" not in listing.problem


def test_a_driver_that_hangs_is_not_asked_again_and_is_heard_when_it_answers(
    install: Any, hang: Any, wait_for: Callable[..., None]
) -> None:
    asked = []

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


def test_what_a_slow_driver_said_last_holds_while_it_is_asked_again(install: Any) -> None:
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


@pytest.mark.parametrize(
    ("listing", "title"),
    [
        (CameraListing("a:", "Only words"), "Only words"),
        (CameraListing("a:", "x", model="Lepton 3.5", serial="42"), "Lepton 3.5 42"),
        (
            CameraListing(
                "a:", "x", model="Lepton", serial="42", width=160, height=120, rate_hz=8.7
            ),
            "Lepton 42 (160×120, 8.7/s)",
        ),
        (CameraListing("a:", "x", model="Lepton", rate_hz=9), "Lepton (9/s)"),
    ],
)
def test_a_listing_tells_what_is_known(listing: CameraListing, title: str) -> None:
    assert listing.title == title


def test_an_address_has_three_parts() -> None:
    assert Address.parse("gige:12%2034?rate_hz=9&x=") == Address(
        "gige", "12 34", {"rate_hz": "9", "x": ""}
    )


@pytest.mark.parametrize("text", ["", "camera", ":x", "a b:", "a:?x", "a:?x=1&x=2", "a:?=&=&"])
def test_what_is_no_address_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="“"):
        Address.parse(text)
