"""Commands to a Boson: the real flirpy over a serial port that is strict and sometimes broken."""

import errno
import logging
import struct
from collections.abc import Callable

import pytest

from drivers import boson_link
from tests.drivers.boson_stand_in import BosonPort, framed
from tests.drivers.conftest import PlugBoson
from tests.drivers.hand_clock import HandClock
from thermoseg.errors import (
    CameraError,
)
from thermoseg.frames import FrameFlag


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda reply: b"", id="none"),
        pytest.param(lambda reply: reply[:-4], id="cut-off"),
        pytest.param(lambda reply: reply[:-3] + b"\x11\x22\xae", id="checksum"),
        pytest.param(lambda reply: b"\x8e\x00\xae" + reply[:5], id="nonsense"),
        pytest.param(lambda reply: framed(999, 0x5000C, 0, b"\0\2"), id="of-another-question"),
        pytest.param(
            lambda reply: framed(struct.unpack_from(">I", reply, 2)[0], 0x5000C, 0x0161),
            id="refused",
        ),
        pytest.param(lambda reply: b"\x00" * 5000, id="endless"),
    ],
)
def test_replies_that_are_wrong_are_not_believed_and_hold_up_nobody(
    spoil: Callable[[bytes], bytes], boson: PlugBoson, boson_port: BosonPort, clock: HandClock
) -> None:
    camera = boson()
    camera.open()
    camera.read(0.25)
    boson_port.values[0x0005000C] = struct.pack(">H", 2)
    boson_port.spoil = spoil
    slowest_s = 0.0
    for _ in range(120):
        start_s = clock.now
        assert not camera.read(0.25).flags & FrameFlag.SHUTTER
        slowest_s = max(slowest_s, clock.now - start_s)
    asked = sum(function == 0x0005000C for function, _ in boson_port.told)

    assert slowest_s < 0.5
    assert asked == 4, "one when it still answered, then three, then no more"


def test_a_cable_pulled_inside_a_question_is_no_crash(
    boson: PlugBoson, boson_port: BosonPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = boson()
    camera.open()

    def gone(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(boson_port, "write", gone)
    frames = [camera.read(0.25) for _ in range(60)]

    assert len(frames) == 60
    with pytest.raises(CameraError, match="unplug it and plug it in again"):
        camera.run_ffc()


def test_numbers_that_need_escapes_get_through(boson: PlugBoson, boson_port: BosonPort) -> None:
    camera = boson()
    camera.open()
    assert camera._link is not None
    camera._link._boson.command_count = 0x8E9EAE8D
    for _ in range(300):
        camera.run_ffc()

    assert boson_port.told[-300:] == [(0x00050007, b"")] * 300


def test_real_packets_are_written_and_read(boson_port: BosonPort) -> None:
    """Sent and received by a real camera, as thurberdog/ghostCommand on GitHub shows."""
    link = boson_link.BosonLink(lambda: boson_port, "the Boson")
    written: list[bytes] = []

    def answer(packet: bytes) -> None:
        written.append(bytes(packet))
        boson_port.waiting += bytes.fromhex("8E 00 00000001 00050002 00000000 00016D94 3010 AE")

    boson_port.write = answer  # type: ignore[assignment,method-assign]

    serial = link._ask("get_camera_serial")
    link.close()

    assert serial == 93588
    assert written == [bytes.fromhex("8E 00 00000001 00050002 FFFFFFFF 010B AE")]


def test_flirpy_neither_logs_nor_touches_the_logging_of_the_program(
    boson: PlugBoson, boson_port: BosonPort, caplog: pytest.LogCaptureFixture
) -> None:
    before = list(logging.getLogger().handlers)
    caplog.set_level(logging.DEBUG)
    boson_port.silent = True
    camera = boson()
    camera.open()
    for _ in range(60):
        camera.read(0.25)

    assert logging.getLogger().handlers == before
    assert not [record for record in caplog.records if "flirpy" in record.name]
    assert sum(record.levelno >= logging.WARNING for record in caplog.records) == 1
