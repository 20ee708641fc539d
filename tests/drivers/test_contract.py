"""What every camera promises, whatever is behind it."""

import inspect
import itertools
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol, TypeAlias

import numpy as np
import pytest

from drivers.boson import BosonCamera
from drivers.boson_link import SerialPorts
from drivers.flir_one import FlirOneCamera
from drivers.gige import GigeCamera
from drivers.gige_library import GigeLibrary
from drivers.gige_neighbours import Neighbours
from drivers.tau import TauCamera
from tests.drivers.aravis_stand_in import WARM, Aravis, Buffer, GenicamError, Node
from tests.drivers.boson_stand_in import BosonPort, boson_picture
from tests.drivers.conftest import FlirWriter, PlugKelvin64, UvcCamera
from tests.drivers.flir_one_stand_in import (
    INTERFACES,
    SERIAL,
    Unit,
    counts_of,
    picture,
    thermal_of,
)
from tests.drivers.hand_clock import HandClock
from tests.drivers.tau_stand_in import Grabber
from tests.drivers.virtual_usb import VirtualBus, VirtualDevice
from thermoseg.cameras import (
    ENTRY_POINT_GROUP,
    OPEN_CLOSE_LIMIT_S,
    Camera,
    CameraOptions,
    make_camera,
    usb_ids_of,
)
from thermoseg.errors import (
    CameraError,
    CameraTimeoutError,
    DriverMissingError,
    StreamEndedError,
)

DRIVERS = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)


def faces(count: int) -> np.ndarray:
    """(count, 24, 32) float32 °C: a warm spot that wanders over a cool ground."""
    rows, columns = np.mgrid[0:24, 0:32]
    spots = [np.exp(-((columns - 8 - i % 16) ** 2 + (rows - 12) ** 2) / 20) for i in range(count)]
    return (24 + 10 * np.stack(spots)).astype(np.float32)


def simulated(folder: Path, options: str) -> str:
    return f"simulated:?width=64&height=48&{options}"


def stack(folder: Path, options: str) -> str:
    path = folder / "stack.npy"
    np.save(path, faces(4))
    return f"file:{path}?{options}"


def folder_of_matrices(folder: Path, options: str) -> str:
    for number, celsius in enumerate(faces(4)):
        np.save(folder / f"face_{number}.npy", celsius)
    return f"file:{folder}?{options}"


def counts(folder: Path, options: str) -> str:
    path = folder / "counts.bin"
    ((faces(4) + 273.15) / 0.04).astype("<u2").tofile(path)
    return f"file:{path}?width=32&height=24&{options}"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of camera that can be had on any machine."""

    address: Callable[[Path, str], str]
    """Prepares files in a folder and returns the address with some options."""
    endless: str
    """Options by which it goes on and on at `{rate}` frames per second."""
    finite: str = ""
    """Options by which it ends after four frames, read as fast as one likes; empty if it cannot."""
    plug: str = ""
    """The fixture that plugs a stand-in for the device in, called with its rate."""
    announced_hz: float = 0.0
    """The rate that it announces whatever its rate is; 0 if it announces that."""
    slack_s: float = 0.0
    """How late a frame may be where frames are timed as they come, and not by the camera."""
    start_slack_s: float = 1e-6
    """How much longer the first frame may take where a camera was open before."""


class Plug(Protocol):
    """What the fixtures `plug_…` give: plugs in a device that sends at a rate."""

    def __call__(self, rate_hz: float) -> None: ...


Make: TypeAlias = Callable[[Kind, str], Camera]
"""What the fixture `make` gives: a camera of a kind, with options."""


def alone(address: str) -> Callable[[Path, str], str]:
    """Return a device whose rate is its own affair."""
    return lambda folder, options: address


def calibrated(folder: Path, options: str) -> str:
    photo = folder / "photo.jpg"
    photo.write_bytes(FlirWriter().jpeg())
    return f"flirone:?calibration={photo}"


@pytest.fixture
def plug_flir_one(
    clock: HandClock,
    usb_device: type[VirtualDevice],
    usb_bus: type[VirtualBus],
    monkeypatch: pytest.MonkeyPatch,
) -> Plug:
    """Plug in a FLIR ONE that looks at a room: 4500 counts are 23 °C with the photo's constants."""

    def plug(rate_hz: float) -> None:
        room = (picture(thermal_of(counts_of(n) // 10 + 4200)) for n in itertools.count())
        bus = usb_bus(
            usb_device(
                firmware=Unit(clock, room, 1 / rate_hz),
                vendor=0x09CB,
                product=0x1996,
                interfaces=INTERFACES,
                configurations=(1, 2, 3),
                texts={3: SERIAL},
                active=1,
            )
        )
        monkeypatch.setattr(FlirOneCamera, "backend", bus)

    return plug


@pytest.fixture
def plug_boson(
    clock: HandClock, uvc_camera: type[UvcCamera], monkeypatch: pytest.MonkeyPatch
) -> Plug:
    """Plug in a Boson and its serial port."""

    def plug(rate_hz: float) -> None:
        video = uvc_camera(
            boson_picture,
            vendor=0x09CB,
            product=0x4007,
            serial="93588",
            sizes=[(320, 256)],
            rate_hz=rate_hz,
            buffers=1000,  # it numbers nothing, so what is lost nobody could tell
        )
        port = SimpleNamespace(vid=0x09CB, pid=0x4007, serial_number="93588", device="/dev/tty")
        ports = SerialPorts(lambda: [port], lambda path: BosonPort(clock))
        monkeypatch.setattr(BosonCamera, "system", video.system())
        monkeypatch.setattr(BosonCamera, "ports", ports)

    return plug


@pytest.fixture
def plug_p2pro(plug_kelvin64: PlugKelvin64) -> Plug:
    """Plug in a P2 Pro, which speaks like a TC001."""

    def plug(rate_hz: float) -> None:
        plug_kelvin64(product=0x5830, rate_hz=rate_hz)

    return plug


class PacedGrabber(Grabber):
    """Sends pictures at a rate; begins anew when its chip is set up."""

    def __init__(self, clock: HandClock, period_s: float) -> None:
        super().__init__(clock)
        self.period_s = period_s
        self.due_s: float | None = None

    def bulk_in(self, device: VirtualDevice, endpoint: int, size: int, timeout_ms: int) -> bytes:
        self.due_s = self.due_s or self.clock.monotonic()
        if not self.rest:
            if self.clock.monotonic() < self.due_s:
                self.clock.sleep(min(0.016, self.due_s - self.clock.monotonic()))
                return b"\x01\x60"
            self.due_s += self.period_s
        return super().bulk_in(device, endpoint, size, timeout_ms)

    def control(self, request_type: int, request: int, value: int, size: int) -> bytes:
        self.rest, self.due_s = b"", None
        return b""


@pytest.fixture
def plug_tau(
    clock: HandClock,
    usb_device: type[VirtualDevice],
    usb_bus: type[VirtualBus],
    monkeypatch: pytest.MonkeyPatch,
) -> Plug:
    """Plug in a Tau behind its grabber."""

    def plug(rate_hz: float) -> None:
        device = usb_device(
            firmware=PacedGrabber(clock, 1 / rate_hz),
            vendor=0x0403,
            product=0x6010,
            release=0x0700,
            interfaces={(0, 0): (0x81, 0x02), (1, 0): (0x83, 0x04)},
            texts={3: "TX"},
            active=1,
        )
        monkeypatch.setattr(TauCamera, "backend", usb_bus(device))

    return plug


class PacedAravis(Aravis):
    """Sends pictures at a rate, from the moment on at which it is told to."""

    def __init__(self, clock: HandClock, rate_hz: float) -> None:
        super().__init__(buffers=[], sleep=clock.sleep)
        self.nodes["IRFrameRate"] = Node(f"Rate{rate_hz:g}Hz")
        self.clock, self.period_s = clock, 1 / rate_hz

    def start_acquisition(self) -> None:
        self.began_s, self.number = self.clock.now, 0

    def timeout_pop_buffer(self, wait_us: int) -> Buffer | None:
        due_s = self.number * self.period_s
        wait_s = self.began_s + due_s - self.clock.now
        self.clock.sleep(min(max(wait_s, 0.0), wait_us / 1e6))
        if wait_s > wait_us / 1e6:
            return None
        self.number += 1
        taken_ns = round(1e9 * (1 + due_s))
        return Buffer(WARM.tobytes(), self.number, ns=taken_ns, wall_ns=taken_ns)


@pytest.fixture
def plug_gige(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Plug:
    """Put an A700 into a network of its own."""

    def plug(rate_hz: float) -> None:
        library = PacedAravis(clock, rate_hz)
        pulse = SimpleNamespace(
            beats=lambda: True, answers=lambda: True, close=lambda: None, serial="A7"
        )
        known = GigeLibrary(library, GenicamError, lambda ip: pulse)
        monkeypatch.setattr(GigeCamera, "neighbours", Neighbours())
        monkeypatch.setattr(GigeCamera, "library", staticmethod(lambda: known))

    return plug


STAND_INS: dict[str, dict[str, Kind]] = {
    "simulated": {"": Kind(simulated, "rate_hz={rate}", "frames=4&realtime=false")},
    "file": {
        name: Kind(address, "rate_hz={rate}&loop=true", "realtime=false")
        for name, address in {"npy": stack, "folder": folder_of_matrices, "bin": counts}.items()
    },
    "lepton": {"": Kind(alone("lepton:"), "{rate}", plug="plug_lepton")},
    "tc001": {"": Kind(alone("tc001:"), "{rate}", plug="plug_kelvin64")},
    "p2pro": {"": Kind(alone("p2pro:"), "{rate}", plug="plug_p2pro")},
    "boson": {"": Kind(alone("boson:?tlinear=true"), "{rate}", plug="plug_boson")},
    "gige": {"": Kind(alone("gige:A7"), "{rate}", plug="plug_gige")},
    "flirone": {
        # One that has described itself is waited for in vain when it is opened again.
        "": Kind(
            calibrated,
            "{rate}",
            plug="plug_flir_one",
            announced_hz=8.7,
            slack_s=0.025,
            start_slack_s=0.65,
        )
    },
    "tau": {"": Kind(alone("tau:"), "{rate}", plug="plug_tau", announced_hz=30, slack_s=0.025)},
}
"""By scheme and, where one driver reads several kinds, by kind."""


def without_stand_in(scheme: str) -> Kind:
    """Return what fails with what to do, in the place of a stand-in that nobody wrote."""

    def fail(folder: Path, options: str) -> str:
        pytest.fail(
            f"the driver “{scheme}” has no stand-in; add one under “{scheme}” to STAND_INS in "
            f"{Path(__file__).name}, so that it keeps its promises without its camera",
            pytrace=False,
        )

    return Kind(fail, "{rate}")


NAMED_KINDS = {
    "-".join(filter(None, (entry.name, name))): kind
    for entry in DRIVERS
    for name, kind in STAND_INS.get(entry.name, {"": without_stand_in(entry.name)}).items()
}
KINDS = [pytest.param(kind, id=name) for name, kind in NAMED_KINDS.items()]
FINITE = [pytest.param(kind, id=name) for name, kind in NAMED_KINDS.items() if kind.finite]


@pytest.fixture
def make(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Make cameras that are closed after the test."""
    made: list[Camera] = []

    def build(kind: Kind, options: str) -> Camera:
        if kind.plug:
            request.getfixturevalue(kind.plug)(rate_hz=float(options))
        made.append(make_camera(kind.address(tmp_path, options)))
        return made[-1]

    yield build
    for camera in made:
        camera.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    return kind


@pytest.fixture
def camera(make: Make, kind: Kind) -> Camera:
    return make(kind, kind.endless.format(rate=200))


def test_frames_match_the_announced_geometry(camera: Camera) -> None:
    info = camera.open()
    frame = camera.read(timeout_s=1)

    assert frame.celsius.shape == frame.counts.shape == (info.height, info.width)
    assert frame.counts.dtype == np.uint16
    assert frame.celsius.dtype == np.float32
    assert frame.radiometric == info.radiometric


def test_frames_cannot_be_written_to(camera: Camera) -> None:
    camera.open()
    frame = camera.read(timeout_s=1)

    assert not frame.counts.flags.writeable
    assert not frame.celsius.flags.writeable
    with pytest.raises(ValueError):
        frame.counts[0, 0] = 1


def test_a_frame_stays_as_it_was_when_the_next_ones_come(camera: Camera) -> None:
    camera.open()
    frame = camera.read(timeout_s=1)
    counts, celsius = frame.counts.copy(), frame.celsius.copy()
    later = [camera.read(timeout_s=1) for _ in range(5)]

    assert np.array_equal(frame.counts, counts)
    assert np.array_equal(frame.celsius, celsius)
    assert not any(np.shares_memory(frame.counts, other.counts) for other in later)


def test_temperatures_are_those_of_the_announced_radiometry(camera: Camera) -> None:
    info = camera.open()
    frame = camera.read(timeout_s=1)

    assert np.array_equal(info.radiometry.to_celsius(frame.counts), frame.celsius)
    assert 10 < np.median(frame.celsius) < 40


def test_numbers_and_times_only_grow(camera: Camera) -> None:
    camera.open()
    frames = [camera.read(timeout_s=1) for _ in range(9)]

    assert frames[0].index >= 0
    assert np.all(np.diff([frame.index for frame in frames]) >= 1)
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)
    assert np.all(np.diff([frame.wall_time for frame in frames]) > 0)


def test_a_step_of_the_index_takes_one_period(camera: Camera, kind: Kind) -> None:
    info = camera.open()
    frames = [camera.read(timeout_s=1) for _ in range(9)]
    index = np.array([frame.index for frame in frames])

    assert info.rate_hz == (kind.announced_hz or 200)
    periods_s = np.diff([frame.time_s for frame in frames])
    assert np.allclose(periods_s, np.diff(index) / 200, atol=kind.slack_s + 1e-8)


def test_close_may_be_called_at_any_time(camera: Camera) -> None:
    camera.close()
    camera.open()
    camera.close()
    camera.close()

    with pytest.raises(CameraError):
        camera.read(timeout_s=0.1)


@pytest.mark.parametrize("rate", [200, 0.1], ids=["fast", "slow"])
def test_opening_and_closing_end_in_the_time_that_a_session_gives(
    make: Make, kind: Kind, clock: HandClock, rate: float
) -> None:
    camera = make(kind, kind.endless.format(rate=rate))
    for _ in range(2):
        began_s = clock.now
        with suppress(CameraError):
            camera.open()
        camera.close()
        assert clock.now - began_s < OPEN_CLOSE_LIMIT_S


def test_a_camera_that_was_never_opened_says_so(camera: Camera) -> None:
    with pytest.raises(CameraError, match="open"):
        camera.read(timeout_s=0.1)


def test_it_starts_anew_when_opened_again_after_closing(
    camera: Camera, kind: Kind, clock: HandClock
) -> None:
    before = camera.open()
    first = camera.read(timeout_s=1)
    camera.read(timeout_s=1)
    camera.close()
    clock.now += 60
    after = camera.open()
    again = camera.read(timeout_s=1)

    assert after == before
    assert again.index == first.index
    assert again.time_s == pytest.approx(first.time_s, abs=kind.start_slack_s)


def test_opening_an_open_camera_starts_anew_too(
    camera: Camera, kind: Kind, clock: HandClock
) -> None:
    before = camera.open()
    first = camera.read(timeout_s=1)
    camera.read(timeout_s=1)
    after = camera.open()
    again = camera.read(timeout_s=1)

    assert after == before
    assert again.index == first.index
    assert again.time_s == pytest.approx(first.time_s, abs=kind.start_slack_s)


def test_a_read_gives_up_in_the_promised_time_and_no_frame_is_lost_by_it(
    make: Make, kind: Kind, clock: HandClock
) -> None:
    camera = make(kind, kind.endless.format(rate=2))
    camera.open()
    first = camera.read(timeout_s=1)
    start = clock.now
    for attempt in (1, 2, 3):
        with pytest.raises(CameraTimeoutError):
            camera.read(timeout_s=0.125)
        slack_s = attempt * kind.slack_s + 1e-6
        assert clock.now - start == pytest.approx(0.125 * attempt, abs=slack_s)
    second = camera.read(timeout_s=0.25)

    assert clock.now - start == pytest.approx(0.5, abs=kind.slack_s + 1e-6)
    assert second.index == first.index + 1


def test_the_announced_rate_is_kept_over_a_second(make: Make, kind: Kind, clock: HandClock) -> None:
    camera = make(kind, kind.endless.format(rate=25))
    camera.open()
    start = clock.now
    frames = [camera.read(timeout_s=1) for _ in range(26)]

    assert clock.now - start == pytest.approx(1.0, abs=kind.slack_s + 1e-6)
    assert frames[-1].index - frames[0].index == 25
    assert frames[-1].time_s - frames[0].time_s == pytest.approx(1.0, abs=kind.slack_s + 1e-6)


def test_a_frame_that_was_waited_for_in_vain_is_gone_after_closing(
    make: Make, kind: Kind, clock: HandClock
) -> None:
    camera = make(kind, kind.endless.format(rate=0.1))
    camera.open()
    camera.read(timeout_s=1)
    with pytest.raises(CameraTimeoutError):
        camera.read(timeout_s=0.01)
    camera.close()

    with pytest.raises(CameraError, match="open") as caught:
        camera.read(timeout_s=0.01)
    assert not isinstance(caught.value, CameraTimeoutError)


@pytest.mark.parametrize("kind", FINITE)
def test_a_finite_source_ends_once_and_for_all(make: Make, kind: Kind) -> None:
    camera = make(kind, kind.finite)
    info = camera.open()
    frames = [camera.read(timeout_s=1) for _ in range(4)]

    assert info.frame_count == 4
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    for _ in range(2):
        with pytest.raises(StreamEndedError):
            camera.read(timeout_s=1)


@pytest.mark.parametrize("kind", FINITE)
def test_a_finite_source_shows_the_same_again(make: Make, kind: Kind) -> None:
    camera = make(kind, kind.finite)
    rounds = []
    for _ in range(2):
        camera.open()
        rounds.append(np.stack([camera.read(timeout_s=1).counts for _ in range(4)]))
        camera.close()

    first, again = rounds
    assert np.array_equal(first, again)
    assert len(np.unique(first, axis=0)) == 4


@pytest.mark.parametrize("entry", DRIVERS, ids=lambda entry: entry.name)
def test_every_driver_has_frozen_options_that_refuse_unknown_names(entry: EntryPoint) -> None:
    options: type[CameraOptions] = entry.load().Options

    assert issubclass(options, CameraOptions)
    assert options.model_config["frozen"]
    assert options.model_config["extra"] == "forbid"
    assert options.model_validate({}) == options(), "every option has a default"


@pytest.mark.parametrize("entry", DRIVERS, ids=lambda entry: entry.name)
def test_every_driver_is_made_without_touching_a_device(entry: EntryPoint) -> None:
    driver = entry.load()
    camera = driver("", driver.Options())

    with pytest.raises(CameraError):
        camera.read(timeout_s=0.1)
    camera.close()


@pytest.mark.parametrize("entry", DRIVERS, ids=lambda entry: entry.name)
def test_every_driver_looks_for_cameras_or_says_what_to_install(entry: EntryPoint) -> None:
    missing = ""
    try:
        entry.load().discover()
    except DriverMissingError as error:
        missing = str(error)

    assert not missing or "install" in missing, "it must say what to do"


def test_a_camera_that_is_plugged_in_is_listed_by_an_address_that_opens_it(
    camera: Camera, kind: Kind, tmp_path: Path
) -> None:
    scheme = kind.address(tmp_path, "").partition(":")[0]
    listings = type(camera).discover()

    assert listings or not kind.plug
    for listing in listings:
        assert listing.address.startswith(f"{scheme}:")
        assert listing.description
        assert listing.problem == ""
        with closing(make_camera(listing.address)) as listed:
            listed.open()


@pytest.mark.parametrize("entry", DRIVERS, ids=lambda entry: entry.name)
def test_every_driver_has_a_scheme_of_its_own(entry: EntryPoint) -> None:
    assert [other.name for other in DRIVERS].count(entry.name) == 1


@pytest.mark.parametrize("entry", DRIVERS, ids=lambda entry: entry.name)
def test_every_driver_that_opens_usb_devices_says_which(entry: EntryPoint) -> None:
    """Without, its cameras have no udev rules and are not looked for when they are plugged in."""
    driver = entry.load()
    ids = usb_ids_of(driver)
    source = Path(inspect.getfile(driver)).read_text(encoding="utf-8")
    on_usb = [way for way in ("usb_devices", "uvc_camera") if f"drivers.{way} import" in source]

    assert ids or not on_usb
    assert len({(one.vendor, one.product) for one in ids}) == len(ids)


def test_the_drivers_of_this_project_are_those_tested() -> None:
    """Should none be found, everything above would pass."""
    assert {entry.name for entry in DRIVERS} >= set(STAND_INS)


def test_a_driver_without_a_stand_in_fails_with_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="“novel” has no stand-in; add one under"):
        without_stand_in("novel").address(tmp_path, "")
