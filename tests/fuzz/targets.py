"""What is fed: each parser of bytes that come from outside, and sound bytes to start from.

A target may raise `ThermoSegError` and nothing else, may take `MAX_SECONDS`, and may need
`MAX_BYTES` of memory beyond what the program had before.
"""

import importlib.util
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

import numpy as np

from drivers.flir_files import FlirFile, fff_of_jpeg
from drivers.flir_one_stream import (
    MessageParser,
    PictureParser,
    message_bytes,
    size_of,
    thermal_counts,
)
from drivers.lepton_telemetry import Telemetry
from drivers.teax_stream import TeaxParser
from thermoseg.errors import ThermoSegError
from thermoseg.recording.reader import Recording

MAX_BYTES: Final = 512 * 2**20
"""The largest picture that is read has 64 million pixels, in counts 128 MB."""
MAX_SECONDS: Final = 10.0
"""For one input on a busy machine."""

_TESTS: Final = Path(__file__).parents[1]
_FRAMES: Final = 8
"""So many of what a file claims are read."""


@dataclass(frozen=True, slots=True)
class Target:
    """One parser."""

    feed: Callable[[bytes], None]
    """Parses; what is wrong with the bytes it says by `ThermoSegError`, which is let pass."""
    seeds: Callable[[], list[bytes]]
    """Makes sound inputs."""


def _feed_fff(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".seq") as file:
        file.write(data)
        file.flush()
        try:
            fff_of_jpeg(data, "fuzzed.jpg")
            with FlirFile(Path(file.name)) as frames:
                for index in range(min(len(frames), _FRAMES)):
                    frames.frame(index)
        except ThermoSegError:
            return


def _feed_session(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzzed.h5"
        path.write_bytes(data)
        try:
            with Recording(path) as recording:
                _read(recording)
        except ThermoSegError:
            return


def _read(recording: Recording) -> None:
    for position in range(min(len(recording), _FRAMES)):
        recording.frame(position)
        recording.labels(position)
    recording.samples("nostrils")
    for gap in recording.gaps[:_FRAMES]:
        recording.gap_seconds(gap)
    if recording.events:
        recording.events[0].text.encode()


def _feed_flir_one(data: bytes) -> None:
    pictures, messages = PictureParser(), MessageParser()
    for start in range(0, len(data), 4096):
        for picture in pictures.feed(data[start : start + 4096]):
            size = size_of(picture.thermal)
            if size is not None:
                try:
                    thermal_counts(picture.thermal, *size)
                except ThermoSegError:
                    continue
        messages.feed(data[start : start + 4096])


def _feed_teax(data: bytes) -> None:
    parser = TeaxParser()
    for start in range(0, len(data), 4096):
        parser.feed(data[start : start + 4096])


def _feed_lepton(data: bytes) -> None:
    words = np.frombuffer(data[: len(data) // 2 * 2], np.uint16)
    for rows in (words[: 2 * 160].reshape(-1, 160) if len(words) >= 320 else words[None],):
        try:
            Telemetry.parse(rows)
        except ThermoSegError:
            continue


def _fff_seeds() -> list[bytes]:
    writer = _tests("drivers/conftest.py").FlirWriter
    made = [writer(payload=kind) for kind in ("raw", "png", "jpeg-ls")]
    return [each.fff() for each in made] + [made[0].fff() * 3, made[0].jpeg()]


def _session_seeds() -> list[bytes]:
    made = _tests("recording/made_frames.py")
    from thermoseg.recording.place import DiskLimits
    from thermoseg.recording.recorder import Recorder

    with tempfile.TemporaryDirectory() as folder:
        info = made.made_info(height=12, width=16)
        recorder = Recorder(Path(folder) / "s.h5", info, "made:", None, DiskLimits(0, 0, 0, 0))
        recorder.start()
        for index in range(6):
            frame = made.made_frame(index + index // 3, info)
            recorder.offer(frame)
            recorder.offer_result(made.made_result(frame, info))
        recorder.note_event("the bell rang", 0.1)
        return [recorder.stop().path.read_bytes()]


def _flir_one_seeds() -> list[bytes]:
    sent = _tests("drivers/test_flir_one_stream.py")
    large = sent.packets(sent.counts_of(160, 120), telemetry=0)
    pictures = [bytes(each) for each in (sent.of_seed(1), sent.Sent(thermal=large))]
    messages = message_bytes("sledInformation", {"thermalWidth": "80", "bigEndianThermal": "0"})
    return [pictures[0], pictures[1], pictures[0][-99:] + pictures[0], messages * 3]


def _teax_seeds() -> list[bytes]:
    sent = _tests("drivers/test_teax_stream.py")
    small = sent.picture(sent.counts_of(1))
    return [small, sent.reply(b"\x6e\0") + small[:500] + small]


def _lepton_seeds() -> list[bytes]:
    words = np.zeros((2, 160), "<u2")
    words[0, :5], words[0, 20], words[0, 23:25] = (14, 100, 0, 0x830, 0), 77, (7021, 30613)
    words[1, 48:50] = 1
    return [words.tobytes()]


def _tests(name: str) -> ModuleType:
    """Load a module of the tests, which know how to write what the program only reads."""
    spec = importlib.util.spec_from_file_location(f"fuzz_{Path(name).stem}", _TESTS / name)
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TARGETS: Final = {
    "fff": Target(_feed_fff, _fff_seeds),
    "session": Target(_feed_session, _session_seeds),
    "flir-one": Target(_feed_flir_one, _flir_one_seeds),
    "lepton": Target(_feed_lepton, _lepton_seeds),
    "teax": Target(_feed_teax, _teax_seeds),
}
