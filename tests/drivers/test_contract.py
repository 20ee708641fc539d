"""What every camera promises, whatever is behind it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thermoseg.cameras import ENTRY_POINT_GROUP, Camera, CameraListing, CameraOptions, make_camera
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


def alone(address: str) -> Callable[[Path, str], str]:
    """Return a device whose rate is its own affair."""
    return lambda folder, options: address


KINDS = [
    pytest.param(
        Kind(simulated, "rate_hz={rate}", "frames=4&realtime=false"),
        id="simulated",
    ),
    *(
        pytest.param(Kind(address, "rate_hz={rate}&loop=true", "realtime=false"), id=name)
        for name, address in {
            "file-npy": stack,
            "file-folder": folder_of_matrices,
            "file-bin": counts,
        }.items()
    ),
    pytest.param(Kind(alone("lepton:"), "{rate}", plug="plug_lepton"), id="lepton"),
    pytest.param(Kind(alone("tc001:"), "{rate}", plug="plug_kelvin64"), id="tc001"),
]
FINITE = [kind for kind in KINDS if kind.values[0].finite]


@pytest.fixture
def make(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Camera]]:
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
    return request.param


@pytest.fixture
def camera(make: Callable[..., Camera], kind: Kind) -> Camera:
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


def test_a_step_of_the_index_takes_one_period(camera: Camera) -> None:
    info = camera.open()
    frames = [camera.read(timeout_s=1) for _ in range(9)]
    index = np.array([frame.index for frame in frames])

    assert info.rate_hz == 200
    assert np.allclose(np.diff([frame.time_s for frame in frames]), np.diff(index) / 200)


def test_close_may_be_called_at_any_time(camera: Camera) -> None:
    camera.close()
    camera.open()
    camera.close()
    camera.close()

    with pytest.raises(CameraError):
        camera.read(timeout_s=0.1)


def test_a_camera_that_was_never_opened_says_so(camera: Camera) -> None:
    with pytest.raises(CameraError, match="open"):
        camera.read(timeout_s=0.1)


def test_it_starts_anew_when_opened_again_after_closing(camera: Camera, clock: Any) -> None:
    before = camera.open()
    first = camera.read(timeout_s=1)
    camera.read(timeout_s=1)
    camera.close()
    clock.now += 60
    after = camera.open()
    again = camera.read(timeout_s=1)

    assert after == before
    assert (again.index, again.time_s) == (first.index, first.time_s)


def test_opening_an_open_camera_starts_anew_too(camera: Camera, clock: Any) -> None:
    before = camera.open()
    first = camera.read(timeout_s=1)
    camera.read(timeout_s=1)
    after = camera.open()
    again = camera.read(timeout_s=1)

    assert after == before
    assert (again.index, again.time_s) == (first.index, first.time_s)


def test_a_read_gives_up_in_the_promised_time_and_no_frame_is_lost_by_it(
    make: Callable[..., Camera], kind: Kind, clock: Any
) -> None:
    camera = make(kind, kind.endless.format(rate=2))
    camera.open()
    first = camera.read(timeout_s=1)
    start = clock.now
    for attempt in (1, 2, 3):
        with pytest.raises(CameraTimeoutError):
            camera.read(timeout_s=0.125)
        assert clock.now - start == pytest.approx(0.125 * attempt)
    second = camera.read(timeout_s=0.25)

    assert clock.now - start == pytest.approx(0.5)
    assert second.index == first.index + 1


def test_the_announced_rate_is_kept_over_a_second(
    make: Callable[..., Camera], kind: Kind, clock: Any
) -> None:
    camera = make(kind, kind.endless.format(rate=25))
    camera.open()
    start = clock.now
    frames = [camera.read(timeout_s=1) for _ in range(26)]

    assert clock.now - start == pytest.approx(1.0, abs=1e-6)
    assert frames[-1].index - frames[0].index == 25
    assert frames[-1].time_s - frames[0].time_s == pytest.approx(1.0)


def test_a_frame_that_was_waited_for_in_vain_is_gone_after_closing(
    make: Callable[..., Camera], kind: Kind, clock: Any
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
def test_a_finite_source_ends_once_and_for_all(make: Callable[..., Camera], kind: Kind) -> None:
    camera = make(kind, kind.finite)
    info = camera.open()
    frames = [camera.read(timeout_s=1) for _ in range(4)]

    assert info.frame_count == 4
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    for _ in range(2):
        with pytest.raises(StreamEndedError):
            camera.read(timeout_s=1)


@pytest.mark.parametrize("kind", FINITE)
def test_a_finite_source_shows_the_same_again(make: Callable[..., Camera], kind: Kind) -> None:
    camera = make(kind, kind.finite)
    rounds = []
    for _ in range(2):
        camera.open()
        rounds.append(np.stack([camera.read(timeout_s=1).counts for _ in range(4)]))
        camera.close()

    assert np.array_equal(*rounds)
    assert len(np.unique(rounds[0], axis=0)) == 4


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
def test_every_driver_lists_addresses_of_its_own_kind(entry: EntryPoint) -> None:
    listings: Sequence[CameraListing] = ()
    missing = ""
    try:
        listings = entry.load().discover()
    except DriverMissingError as error:
        missing = str(error)

    assert not missing or "install" in missing, "it must say what to do"
    for listing in listings:
        assert listing.address.startswith(f"{entry.name}:")
        assert listing.description


def test_the_drivers_that_need_no_device_are_among_those_tested() -> None:
    assert {"simulated", "file"} <= {entry.name for entry in DRIVERS}
