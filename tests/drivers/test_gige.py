"""The GigE driver over a stand-in for Aravis: what its fake camera cannot do, and without root."""

import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from drivers import gige_library, gvcp_pulse
from drivers.gige import GigeCamera
from drivers.gige_library import GigeLibrary, aravis_remedy, load_aravis
from drivers.gige_neighbours import Neighbours
from drivers.gvcp_pulse import GvcpPulse
from tests.conftest import WaitFor
from tests.drivers.aravis_stand_in import (
    MONO8,
    MONO14,
    WARM,
    Aravis,
    Buffer,
    GenicamError,
    Node,
    pictures,
)
from tests.drivers.conftest import reason_of
from tests.drivers.hand_clock import HandClock
from thermoseg.cameras import make_camera
from thermoseg.errors import (
    CameraError,
    CameraLostError,
    CameraTimeoutError,
    DriverMissingError,
    FrameRefusedError,
)
from thermoseg.frames import FrameFlag
from thermoseg.radiometry import LinearRadiometry, ObjectParameters


@pytest.fixture
def aravis(monkeypatch: pytest.MonkeyPatch) -> Aravis:
    """Put the stand-in in the place of Aravis."""
    library = Aravis()

    def pulse(ip: str) -> SimpleNamespace:
        def feel() -> bool:
            return library.beats

        serials = {there: serial for serial, _, there in library.found}
        return SimpleNamespace(
            beats=feel,
            answers=lambda: feel() and ip in serials,
            close=lambda: None,
            serial=serials.get(ip, ""),
        )

    monkeypatch.setattr(GigeCamera, "neighbours", Neighbours())
    monkeypatch.setattr(
        GigeCamera, "library", staticmethod(lambda: GigeLibrary(library, GenicamError, pulse))
    )
    return library


@pytest.fixture
def open_camera() -> Iterator[Callable[[str], GigeCamera]]:
    cameras: list[GigeCamera] = []

    def make(address: str) -> GigeCamera:
        camera = make_camera(address)
        assert isinstance(camera, GigeCamera)
        cameras.append(camera)
        return camera

    yield make
    for camera in cameras:
        camera.close()


def test_what_is_missing_is_named_as_the_makefile_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(gige_library, "import_alone", missing)
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    packages = re.search(r"^GIGE_PACKAGES := (.*)$", makefile, re.MULTILINE)
    assert packages is not None
    with pytest.raises(DriverMissingError) as caught:
        load_aravis()

    if sys.platform == "linux":
        assert f"sudo apt-get install {packages[1]}”" in str(caught.value)
    assert "No module named 'gi'" in str(caught.value)
    for platform, said in (("linux", "make gige"), ("darwin", "brew install"), ("win32", "Linux")):
        assert said in aravis_remedy(platform)


def test_swapped_bytes_are_put_right(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera]
) -> None:
    aravis.buffers = pictures(WARM, 1, 2, order=">")
    camera = open_camera("gige:A7")
    info = camera.open()
    both = [camera.read(timeout_s=0.1), camera.read(timeout_s=0.1)]

    assert info.radiometry == LinearRadiometry(0.01)
    assert [frame.counts.tolist() for frame in both] == [WARM.tolist()] * 2
    assert aravis.returned == 2


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        (np.array([[9, 8, 9], [9, 8, 9]], np.uint16), "a median of -273 °C cannot be"),
        (np.array([[90, 80, 9], [9, 8, 9]], np.uint8), "8 bits"),
    ],
)
def test_counts_that_cannot_be_temperatures_are_none(
    aravis: Aravis,
    open_camera: Callable[[str], GigeCamera],
    counts: np.ndarray,
    reason: str,
) -> None:
    aravis.buffers = pictures(counts, 1)
    if counts.dtype == np.uint8:
        aravis.nodes["PixelFormat"] = Node("Mono8", ("Mono8",))
    camera = open_camera("gige:A7")
    info = camera.open()

    assert reason in reason_of(info)
    assert camera.read(timeout_s=0.1).flags & FrameFlag.UNCALIBRATED


def test_a_scale_that_the_camera_does_not_take_is_never_assumed(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera]
) -> None:
    aravis.nodes["IRFormat"].takes = lambda value: "Radiometric"
    info = open_camera("gige:A7").open()

    assert reason_of(info) == "the camera sends no temperatures: IRFormat is Radiometric"
    with pytest.raises(CameraError, match=r"cannot send coarse temperatures \(IRFormat is Radio"):
        open_camera("gige:A7?resolution=coarse").open()


def test_an_ax5_says_its_mode_as_a_truth_value_and_its_rate_by_a_video_standard(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera]
) -> None:
    """The mode may be a choice or a truth value; 7379 × 0.04 K is 22.01 °C."""
    aravis.nodes = {
        "DeviceSerialNumber": Node("A7"),
        "PixelFormat": Node("Mono8", ("Mono8", "Mono14")),
        "TemperatureLinearMode": Node("false"),
        "TemperatureLinearResolution": Node("Low", ("Low", "High")),
        "SensorVideoStandard": Node("NTSC30HZ", ("NTSC30HZ", "NTSC60HZ")),
    }
    aravis.buffers = [Buffer((WARM // 4).tobytes(), 1, MONO14)]
    camera = open_camera("gige:A7?rate_hz=60")
    info = camera.open()

    assert (info.radiometry, info.rate_hz) == (LinearRadiometry(0.04), 60)
    assert camera.read(timeout_s=0.1).celsius[0, 0] == pytest.approx(22.01, abs=0.005)


def test_units_of_object_parameters_are_the_cameras(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera]
) -> None:
    aravis.nodes |= {
        "ObjectEmissivity": Node("0.95"),
        "RelativeHumidity": Node("40", largest=100.0),
        "ReflectedTemperature": Node("293.15"),
        "AtmosphericTemperature": Node("21.5", unit="°C"),
        "WindowTemperature": Node("300.15", unit="K"),
        "ObjectDistance": Node("1"),
    }
    info = open_camera("gige:A7?humidity=0.6&reflected_c=24.5&emissivity=0.98").open()

    scene = ObjectParameters(
        emissivity=0.98,
        humidity=0.6,
        reflected_c=24.5,
        atmosphere_c=21.5,
        window_c=27.0,
        distance_m=1.0,
    )
    assert info.radiometry == LinearRadiometry(0.01, scene=scene)
    assert aravis.nodes["RelativeHumidity"].value == "60"
    assert aravis.nodes["ReflectedTemperature"].value == "297.65"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("emissivity=0.98", "did not take emissivity=0.98 but has 0.9; give a value"),
        ("distance_m=2", r"no node for distance_m \(ObjectDistance\); leave the option away"),
        ("shutter=manual", "cannot be told shutter=manual; leave the option away"),
        ("rate_hz=25", "cannot send 25 frames per second; give rate_hz one of 15, 30"),
    ],
)
def test_a_setting_that_the_camera_does_not_take_is_refused(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera], options: str, complaint: str
) -> None:
    aravis.nodes["ObjectEmissivity"] = Node("0.9", takes=lambda value: "0.9")

    with pytest.raises(CameraError, match=complaint):
        open_camera(f"gige:A7?{options}").open()


@pytest.fixture
def corrected(aravis: Aravis, open_camera: Callable[[str], GigeCamera]) -> GigeCamera:
    """A camera that corrects itself and can be told not to, opened."""
    aravis.nodes["NUCMode"] = Node("Automatic", ("Automatic", "Off"))
    camera = open_camera("gige:A7")
    camera.open()
    return camera


def test_a_camera_waits_to_be_asked_for_corrections_and_then_goes_on_as_before(
    aravis: Aravis, corrected: GigeCamera
) -> None:
    mode = aravis.nodes["NUCMode"]
    corrected.set_automatic_correction(False)
    assert mode.value == "Off"
    corrected.set_automatic_correction(True)
    assert mode.value == "Automatic"
    corrected.set_automatic_correction(False)
    corrected.close()

    assert mode.value == "Automatic"
    with pytest.raises(CameraError, match="is not open"):
        corrected.set_automatic_correction(False)


def test_a_camera_that_is_gone_gets_its_mode_back_when_it_is_opened_again(
    aravis: Aravis, corrected: GigeCamera
) -> None:
    mode = aravis.nodes["NUCMode"]
    corrected.set_automatic_correction(False)
    mode.takes = lambda value: "Off"
    corrected.close()
    mode.takes = str
    corrected.open()

    assert mode.value == "Automatic"


def test_a_camera_that_cannot_wait_says_so(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera]
) -> None:
    camera = open_camera("gige:A7")
    camera.open()
    with pytest.raises(CameraError, match="no NUCMode that could be switched off"):
        camera.set_automatic_correction(False)
    aravis.nodes["NUCMode"] = Node("Automatic", ("Automatic", "Off"), takes=lambda _: "Automatic")

    with pytest.raises(CameraError, match="stays Automatic and does not become Off"):
        camera.set_automatic_correction(False)


def test_a_camera_that_falls_silent_is_asked_no_further_question(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera]
) -> None:
    aravis.nodes["IRFormat"].value = "silent"
    aravis.nodes["IRFormat"].takes = lambda value: "silent"

    with pytest.raises(CameraError, match=r"does not answer .*timeout.*check its cable"):
        open_camera("gige:A7").open()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"status": "missing-packets"},
            r"A7 come in pieces \(missing packets\); give it a network",
        ),
        ({"pixels": MONO8}, "sent the pixel format 0x1080001 instead of Mono16"),
        ({"data": bytes(11)}, "sent 11 bytes for 3×2 pixels"),
    ],
)
def test_a_broken_picture_is_refused_and_the_next_one_read(
    aravis: Aravis,
    open_camera: Callable[[str], GigeCamera],
    change: dict[str, object],
    complaint: str,
) -> None:
    for name, value in change.items():
        setattr(aravis.buffers[1], name, value)
    camera = open_camera("gige:A7")
    camera.open()
    first = camera.read(timeout_s=0.1)
    with pytest.raises(FrameRefusedError, match=complaint):
        camera.read(timeout_s=0.1)
    third = camera.read(timeout_s=0.1)

    assert (first.index, third.index) == (0, 2)
    assert aravis.returned == 3, "the broken picture's buffer is used again"


def test_numbers_leave_zero_out_when_they_begin_anew_and_show_what_was_lost(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera]
) -> None:
    aravis.buffers = pictures(WARM, 65534, 65535, 1, 4)
    for buffer, ms in zip(aravis.buffers, (1000, 1016, 1033, 1083), strict=True):
        buffer.ns = ms * 1_000_000
    camera = open_camera("gige:A7")
    camera.open()
    frames = [camera.read(timeout_s=0.1) for _ in range(4)]

    assert [frame.index for frame in frames] == [0, 1, 2, 5]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.016, 0.033, 0.083])


def test_a_picture_of_no_sensible_size_is_refused_before_memory_is_taken(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera]
) -> None:
    aravis.payload = 1 << 40

    with pytest.raises(CameraError, match="announces pictures of 1099511627776 bytes"):
        open_camera("gige:A7").open()


def test_of_several_cameras_one_must_be_named(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera]
) -> None:
    aravis.found = [("A7", "aa:bb", "10.0.0.7"), ("", "aa:cc", "10.0.0.8")]

    assert [listing.address for listing in GigeCamera.discover()] == ["gige:A7", "gige:aa-cc"]
    with pytest.raises(CameraError, match=r"2 GigE cameras .*gige:A7\?ip=10.0.0.7, gige:aa-cc\?"):
        open_camera("gige:").open()
    assert open_camera("gige:aa-cc").open().model == "FLIR A700"


@pytest.fixture
def by_hand(aravis: Aravis, clock: HandClock) -> HandClock:
    """A clock that only the stand-in moves; its pictures have 3×2 pixels, a look takes a second."""
    aravis.sleep, aravis.look_s = clock.sleep, 1.0
    aravis.nodes |= {"Width": Node("3"), "Height": Node("2")}
    return clock


@pytest.mark.parametrize("sent", [[], [Buffer(bytes(12), n, status="missing") for n in range(9)]])
def test_opening_ends_in_time_without_a_picture_and_read_has_the_first(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera], by_hand: HandClock, sent: list[Buffer]
) -> None:
    aravis.buffers = list(sent)
    camera = open_camera("gige:A7")
    start_s = by_hand.now
    info = camera.open()
    opened_s = by_hand.now - start_s
    with pytest.raises(CameraTimeoutError):
        camera.read(timeout_s=0.25)
    blank = Buffer(bytes(12), 10)
    aravis.buffers = [blank, *pictures(WARM, 11, 12, order=">")]
    frames = [camera.read(timeout_s=0.25) for _ in range(2)]

    assert opened_s < 1.55, "closing has to fit into the 2 s of Session.stop as well"
    assert (info.width, info.height, info.radiometry) == (3, 2, LinearRadiometry(0.01))
    assert [frame.index for frame in frames] == [0, 1]
    assert [frame.counts.tolist() for frame in frames] == [WARM.tolist()] * 2


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ([], "is there, but none of its pictures arrives; let UDP .* through the firewall$"),
        (
            ["missing-packets"],
            r"but all its pictures come in pieces; open it with \?packet_size=14",
        ),
        (["colours"], "sent the pixel format 0x1080001 instead of Mono16"),
    ],
)
def test_a_camera_that_never_sends_a_whole_picture_is_lost_with_the_reason(
    aravis: Aravis,
    open_camera: Callable[[str], GigeCamera],
    by_hand: HandClock,
    sent: list[str],
    why: str,
) -> None:
    aravis.buffers = [
        Buffer(bytes(12), 1, MONO8) if what == "colours" else Buffer(bytes(12), 1, status=what)
        for what in sent
    ]
    camera = open_camera("gige:A7")
    camera.open()
    start_s = by_hand.now

    def read_on() -> None:
        while by_hand.now - start_s < 5:
            with suppress(CameraTimeoutError):
                camera.read(timeout_s=0.25)

    with pytest.raises(CameraLostError, match=why):
        read_on()

    assert 2 < by_hand.now - start_s < 4, "sooner than the session gives it up without a reason"


def test_a_late_first_picture_that_holds_no_temperatures_is_refused_with_the_reason(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera], by_hand: HandClock
) -> None:
    aravis.buffers = []
    camera = open_camera("gige:A7")
    camera.open()
    aravis.buffers = [*pictures(WARM // 1000, 1), *pictures(WARM, 2)]
    with pytest.raises(FrameRefusedError, match=r"no temperatures: .*cannot be; .*resolution=off"):
        camera.read(timeout_s=0.25)

    assert camera.read(timeout_s=0.25).celsius[0, 0] == pytest.approx(22.01, abs=0.005)


def test_a_camera_whose_place_is_known_is_opened_without_a_search(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera], by_hand: HandClock
) -> None:
    GigeCamera.discover()
    camera = open_camera("gige:A7")
    start_s = by_hand.now
    camera.open()
    known_s = by_hand.now - start_s
    by_hand.now += 60
    aravis.found = [("B8", "bb:bb", "10.0.0.7"), ("A7", "aa:bb", "10.0.0.9")]
    aravis.buffers = pictures(WARM, 1)
    camera.open()

    assert (known_s, aravis.looks) == (0.0, 2)
    assert aravis.opened == ["10.0.0.7", "10.0.0.9"], "it has moved, and another has its place"


def test_a_search_that_somebody_else_makes_meanwhile_will_do(
    aravis: Aravis, by_hand: HandClock
) -> None:
    library = GigeCamera.library()
    wanted_s = by_hand.now
    GigeCamera.neighbours.look(library)
    GigeCamera.neighbours.look(library, wanted_s)
    assert aravis.looks == 1

    GigeCamera.neighbours.look(library, by_hand.now + 0.1)
    assert aravis.looks == 2


def test_once_opened_it_stays_with_the_same_camera(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera]
) -> None:
    camera = open_camera("gige:")
    camera.open()
    aravis.found = [("B8", "bb:bb", "10.0.0.8")]
    with pytest.raises(CameraError, match=r"does not answer \(there: gige:B8\)"):
        camera.open()
    aravis.found.append(("A7", "aa:bb", "10.0.0.7"))
    aravis.buffers = pictures(WARM, 1)

    assert camera.open().serial == "A7"
    assert aravis.opened == ["10.0.0.7"] * 2


def test_control_that_was_lost_ends_the_reading_of_a_camera_that_answers_no_pulse(
    aravis: Aravis, open_camera: Callable[[str], GigeCamera]
) -> None:
    aravis.beats = False
    camera = open_camera("gige:A7")
    camera.open()
    for _ in range(3):
        camera.read(timeout_s=0.1)
    with pytest.raises(CameraTimeoutError):
        camera.read(timeout_s=0.01)
    aravis.lose(None)

    with pytest.raises(CameraLostError, match="no other program uses it"):
        camera.read(timeout_s=0.01)


def test_the_pulse_stops_after_three_questions_without_an_answer(
    monkeypatch: pytest.MonkeyPatch, wait_for: WaitFor
) -> None:
    now = SimpleNamespace(s=0.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as camera:
        camera.bind(("127.0.0.1", 0))
        camera.settimeout(5)
        monkeypatch.setattr(gvcp_pulse, "PORT", camera.getsockname()[1])
        monkeypatch.setattr(gvcp_pulse, "time", SimpleNamespace(monotonic=lambda: now.s))
        pulse = GvcpPulse("127.0.0.1")
        alive = [pulse.beats()]
        question, asker = camera.recvfrom(100)
        camera.sendto(bytes.fromhex("0000 0003 00f8 0001"), asker)  # DISCOVERY_ACK
        wait_for(lambda: pulse.beats() and pulse._unanswered == 0)
        for _ in range(4):
            now.s += 0.26
            alive.append(pulse.beats())
        pulse.close()

    # Key, “acknowledge, by broadcast too”, DISCOVERY_CMD, no payload, number of the question.
    assert question == bytes.fromhex("42 11 0002 0000 0001")
    assert alive == [True, True, True, True, False]
