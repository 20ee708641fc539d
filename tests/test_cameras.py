"""What a driver is, what it declares, and what an address means."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.session_parts import ScriptedCamera
from thermoseg import cameras
from thermoseg.cameras import (
    ActingCamera,
    Address,
    CameraListing,
    PhotographingCamera,
    TellingCamera,
    UsbDriver,
    UsbId,
    load_driver,
    options_of,
    with_options,
)
from thermoseg.errors import ConfigError, DriverMissingError


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


def entry(load: Callable[[], Any], name: str = "novel") -> Any:
    return SimpleNamespace(name=name, load=load)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ImportError("No module named 'x'"), r"\(No module named 'x'\); install what it names"),
        (SyntaxError("oops"), r"\(SyntaxError: oops\); update the package that brings it"),
    ],
)
def test_a_driver_that_cannot_be_loaded_says_why(error: Exception, sentence: str) -> None:
    def load() -> None:
        raise error

    with pytest.raises(DriverMissingError, match=f"“novel” cannot be loaded {sentence}") as caught:
        load_driver(entry(load))
    assert caught.value.__cause__ is error


def test_a_driver_that_declares_something_else_than_ids_says_so() -> None:
    driver = SimpleNamespace(usb_ids=((0x1D6B, 0x0104),))

    with pytest.raises(DriverMissingError, match="“novel” cannot be used"):
        load_driver(entry(lambda: driver))


def test_drivers_are_loaded_one_at_a_time() -> None:
    """Two threads that enter a library with circular imports from two sides get half of it."""
    busy, together = threading.Lock(), []

    def load() -> None:
        together.append(not busy.acquire(blocking=False))
        threading.Event().wait(0.01)
        busy.release()

    threads = [threading.Thread(target=load_driver, args=(entry(load),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert together == [False] * 8


def test_a_driver_that_is_loaded_for_ever_is_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "LOADING_TURN_S", 0.01)
    begun, over = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        over.wait(60)

    slow = threading.Thread(target=load_driver, args=(entry(hang),))
    slow.start()
    begun.wait(60)
    other = load_driver(entry(lambda: ScriptedCamera))
    over.set()
    slow.join()

    assert other is ScriptedCamera


def test_what_a_camera_can_do_besides_frames_is_seen_from_what_it_has() -> None:
    telling = SimpleNamespace(telemetry=dict)

    assert isinstance(telling, TellingCamera)
    for protocol in (ActingCamera, PhotographingCamera, UsbDriver):
        assert not isinstance(telling, protocol)


@pytest.mark.parametrize(
    ("vendor", "product", "name", "subsystems", "complaint"),
    [
        (0x10000, 1, "Novel", (), "16 bits, got 0x10000 and 0x1"),
        (1, -1, "Novel", (), "16 bits, got 0x1 and -0x1"),
        (1, 1, "", (), "one line of text"),
        (1, 1, 'Novel\nKERNEL=="*", MODE="0666"', (), "one line of text"),
        (1, 1, "Novel", ('tty", MODE="0666',), "one word such as tty"),
    ],
)
def test_an_id_that_would_be_no_rule_is_refused(
    vendor: int, product: int, name: str, subsystems: tuple[str, ...], complaint: str
) -> None:
    """A rules file is read by root: nothing else may get into it."""
    with pytest.raises(ValueError, match=complaint):
        UsbId(vendor, product, name, subsystems)


@pytest.mark.parametrize(
    "address",
    [
        "simulated:",
        "simulated:?width=160&rate_hz=8.7&glasses=true",
        "simulated:?fault=unplug@5s%2B2s",
        "file:/data/two%20words%3F.seq?loop=true",
    ],
)
def test_options_are_read_from_an_address_and_written_back(address: str) -> None:
    options = options_of(address)

    again = with_options(address, options)
    assert Address.parse(again) == Address.parse(address)
    assert options_of(again) == options


def test_options_that_have_their_defaults_are_not_written() -> None:
    options = options_of("simulated:?width=640&rate_hz=30")

    assert with_options("simulated:?width=640&rate_hz=30", options) == "simulated:"
