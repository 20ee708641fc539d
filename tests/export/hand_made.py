"""A session whose every number stands here, written straight into HDF5."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from thermoseg.recording.layout import (
    EVENT,
    GAP,
    LIBVER,
    MARKER,
    SAMPLE,
    append,
    create_datasets,
    set_closing_attributes,
)

WIDTH: Final = 33
HEIGHT: Final = 25
"""Both odd, as no codec takes them."""
TIMES_S: Final = (0.5, 0.6, 0.7, 0.85, 1.0, 3.0, 3.1, 3.2)
"""Uneven, and a gap of two seconds."""
INDICES: Final = (10, 11, 12, 13, 14, 34, 35, 36)
EPOCH: Final = 1_700_000_000.25
"""2023-11-14T22:13:20.25Z, the wall clock at 0 s."""
SEGMENTED: Final = (1, 3, 6)
"""Positions of the frames that have labels."""
NOSE: Final = (slice(10, 14), slice(12, 20))
LINEAR: Final = {"kind": "linear", "scale_k": 0.01, "offset_c": -273.15}
SESSION_ID: Final = "11111111-2222-3333-4444-555555555555"


def counts_of(position: int) -> NDArray[np.uint16]:
    """26.85 °C everywhere, 36.85 °C on the nose, and a pixel that tells the frame: row 2, column 3.

    30000 counts are 300 K, and that pixel is one degree warmer with each frame.
    """
    counts = np.full((HEIGHT, WIDTH), 30000, np.uint16)
    counts[NOSE] = 31000
    counts[2, 3] = 30000 + 100 * position
    return counts


def labels_of(_position: int) -> NDArray[np.uint8]:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[NOSE] = 5
    return labels


def write_session(
    path: Path,
    *,
    frames: Sequence[int] = range(8),
    segmented: Sequence[int] = SEGMENTED,
    radiometry: object = LINEAR,
    complete: bool = True,
    samples: bool = True,
) -> Path:
    """Write the session, or part of it, and return its path."""
    with h5py.File(path, "w", libver=LIBVER) as file:
        _write_header(file, radiometry)
        create_datasets(file, HEIGHT, WIDTH, ("nose", "nostrils"))
        for position in frames:
            _append_picture(file["frames/counts"], counts_of(position))
        append(file["frames/index"], [INDICES[p] for p in frames])
        append(file["frames/time_s"], [TIMES_S[p] for p in frames])
        append(file["frames/wall_time"], [EPOCH + TIMES_S[p] for p in frames])
        append(file["frames/flags"], [32 if p == 5 else 1 if p == 2 else 0 for p in frames])
        append(file["frames/monotonic_s"], [100 + TIMES_S[p] for p in frames])
        labelled = [p for p in segmented if p in frames]
        for position in labelled:
            _append_picture(file["labels/labels"], labels_of(position))
        append(file["labels/frame_index"], [INDICES[p] for p in labelled])
        append(file["labels/time_s"], [TIMES_S[p] for p in labelled])
        append(file["reasons"], [b"", b"in motion", b"too small"])
        if samples:
            _write_samples(file)
        if len(frames):
            append(file["gaps"], np.array([(14, 34, 3.0, 19, 0)], GAP))
        events = [(0.65, EPOCH + 0.65, b"flat field"), (3.05, EPOCH + 3.05, "späte Notiz".encode())]
        marks = [
            (0.55, 0.2, EPOCH + 0.55, b"marker", b"baseline", b"key 1"),
            (0.9, 2.2, EPOCH + 0.9, b"marker", b'stress, "hard"', b"key 2"),
            (3.15, np.nan, np.nan, b"marker", b"open", b"button"),
        ]
        append(file["markers"], np.array(marks, MARKER))
        if complete:
            append(file["events"], np.array(events, EVENT))
            number = len(frames)
            missed = 19 if number else 0
            counts = {"captured": number, "recorded": number, "dropped": 0, "missed": missed}
            set_closing_attributes(file, "stopped", counts)
    return path


def _write_samples(file: h5py.File) -> None:
    nan = np.nan
    nose = [
        (11, 0.6, 32, 34.5, 33.25, 35.75, 0.5, 1, 0),
        (13, 0.85, 32, 34.25, 33.0, 35.5, 0.25, 0, 1),
        (35, 3.1, 31, 34.75, 33.5, 36.0, 0.125, 1, 0),
    ]
    nostrils = [
        (11, 0.6, 8, 33.0, 32.5, 33.5, 0.0625, 1, 0),
        (13, 0.85, 0, nan, nan, nan, nan, 0, 2),
        (35, 3.1, 8, 33.125, 32.5, 33.75, 0.0625, 1, 0),
    ]
    append(file["samples/nose"], np.array(nose, SAMPLE))
    append(file["samples/nostrils"], np.array(nostrils, SAMPLE))


def _write_header(file: h5py.File, radiometry: object) -> None:
    texts = {
        "format": "thermoseg session",
        "session_id": SESSION_ID,
        "program": "thermoseg 0.0.test",
        "created": "2023-11-14T22:13:20+00:00",
        "address": "made:?by=hand",
        "camera_model": "Hand",
        "camera_serial": "007",
        "radiometry": json.dumps(radiometry),
        "model_name": "face-test",
        "model_sha256": "ab" * 32,
        "model_backend": "none",
        "regions": json.dumps(["nose", "nostrils"]),
        "study": json.dumps({"participant": "sub-07", "age": 33}),
    }
    numbers = {"format_version": 1, "format_minor": 1, "width": WIDTH, "height": HEIGHT, "live": 1}
    floats = {"rate_hz": 10.0, "created_epoch_s": EPOCH, "created_monotonic_s": 100.0}
    for name, value in (texts | numbers | floats).items():
        file.attrs[name] = value


def _append_picture(dataset: h5py.Dataset, picture: NDArray[np.generic]) -> None:
    dataset.resize(len(dataset) + 1, axis=0)
    dataset[-1] = picture


def damage(path: Path, name: str, row: int) -> None:
    """Flip a bit in the middle of a picture."""
    with h5py.File(path) as file:
        chunk = file[name].id.get_chunk_info_by_coord((row, 0, 0))
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 1
    path.write_bytes(data)
