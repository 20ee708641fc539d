"""Files that were cut, whose bits flipped, that say what cannot be, and files planted beside."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from tests.recording.made_frames import MODEL, RATE_HZ, made_frame, made_info, made_result
from tests.torture.trial import Trial, one_sentence, read_frames, run
from thermoseg.errors import FormatError
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder

FRAMES = 60
SIZE = (60, 80)
BLOCK_BYTES = 4096
DAMAGED = 3
"""Exit code of `verify` and `recover` where something is lost."""

Change = Callable[[h5py.File], None]


def try_cuts(folder: Path, quick: bool) -> Iterator[Trial]:
    """Cut a finished file by a byte and at each 4 kB of its tail: what is before is read."""
    whole = _record(folder / "whole.h5")
    data = whole.read_bytes()
    ends = [
        len(data) - 1,
        *range(len(data) // BLOCK_BYTES * BLOCK_BYTES, len(data) // 2, -BLOCK_BYTES),
    ]
    for end in ends[:: 8 if quick else 1]:
        path = folder / f"cut-{end}.h5"
        path.write_bytes(data[:end])
        what = "by one byte" if end == len(data) - 1 else "at each 4 kB of its second half"
        yield _read_damaged(path, what, must_notice=True)


def try_flips(folder: Path, quick: bool) -> Iterator[Trial]:
    """Flip one bit anywhere: nothing wrong is read without a word."""
    whole = _record(folder / "whole.h5")
    data, rng = whole.read_bytes(), random.Random(2)
    for number in range(20 if quick else 200):
        flipped = bytearray(data)
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path = folder / f"flip-{number}.h5"
        path.write_bytes(flipped)
        yield _read_damaged(path, "one bit, anywhere", must_notice=False)
        path.unlink()


def try_impossible_content(folder: Path, quick: bool) -> Iterator[Trial]:
    """Sound files that say what cannot be: it is named, and the rest is read."""
    whole = _record(folder / "whole.h5")
    for number, (what, change) in enumerate(_IMPOSSIBLE.items()):
        path = folder / f"impossible-{number}.h5"
        shutil.copy(whole, path)
        with h5py.File(path, "r+") as file:
            change(file)
        named = run("verify", path)
        code, _, told = run("info", path)
        with Recording(path) as recording:
            readable = len(recording)
        survived = named[0] == DAMAGED and one_sentence(named[2]) and code in (0, DAMAGED)
        survived &= readable >= FRAMES - 2
        yield Trial(what, survived, named[2] + told, {"frames left out": FRAMES - readable})


def try_planted_files(folder: Path, quick: bool) -> Iterator[Trial]:
    """What lies, or points elsewhere, at the names that a recording takes is left alone."""
    victim = folder / "victim"
    for name in ("a.h5.new", "a.h5.partial", "a.recovered.h5.partial", ".a.h5.partial"):
        for kind in ("link", "file"):
            place = folder / f"{name}-{kind}"
            place.mkdir()
            victim.write_bytes(b"precious")
            planted = place / name
            if kind == "link":
                planted.symlink_to(victim)
            else:
                planted.write_bytes(b"precious")
            path = _record(place / "a.h5")
            recovered = run("recover", path)[0]
            intact = victim.read_bytes() == b"precious" == planted.read_bytes()
            yield Trial(f"a {kind} at a temporary name", intact and recovered == 0)


def _record(path: Path) -> Path:
    """Record made frames with their labels, samples and some events; return the finished file."""
    info = made_info(*SIZE)
    recorder = Recorder(path, info, "made:", MODEL, DiskLimits(0, 0, 0, 0))
    recorder.start()
    for index in range(FRAMES):
        frame = made_frame(index, info)
        recorder.offer(frame)
        recorder.offer_result(made_result(frame, info))
        if index % 20 == 0:
            recorder.note_event(f"event {index}", index / RATE_HZ)
    summary = recorder.stop()
    if summary.recorded != FRAMES:
        raise RuntimeError(f"the recording to be damaged is not whole: {summary}")
    return path


def _read_damaged(path: Path, what: str, *, must_notice: bool) -> Trial:
    """Read a damaged file by every way, and recover it: nothing wrong, nothing lost in silence."""
    info = made_info(*SIZE)
    verified, _, said = run("verify", path)
    noticed = verified != 0 and one_sentence(said)
    try:
        with Recording(path) as recording:
            read, wrong = read_frames(recording, info)
            wrong += _wrong_samples(recording)
    except FormatError as error:
        wrong, read = 0, 0
        noticed &= one_sentence(str(error))
    code, out, told = run("recover", path)
    if code in (0, DAMAGED):
        with Recording(Path(out.strip().splitlines()[-1])) as recovered:
            again, otherwise = read_frames(recovered, info)
            wrong += otherwise + _wrong_samples(recovered)
            silent = code == 0 and again < FRAMES
    else:
        silent = not one_sentence(told)
    survived = not wrong and not silent and (noticed or not must_notice)
    return Trial(what, survived, said + told, {"frames lost": FRAMES - read, "wrong": wrong})


def _wrong_samples(recording: Recording) -> int:
    """Count samples that are not what was recorded; a damaged table that says so has none."""
    try:
        samples = recording.samples("nostrils")
    except FormatError:
        return 0
    indices = samples["frame_index"]
    return int(np.sum((samples["pixels"] != indices) | (samples["mean_c"] != 34.5)))


def _set_attribute(name: str, value: object) -> Change:
    def change(file: h5py.File) -> None:
        file.attrs[name] = value

    return change


def _set_row(name: str, row: int, value: object) -> Change:
    def change(file: h5py.File) -> None:
        file[name][row] = value

    return change


_IMPOSSIBLE: dict[str, Change] = {
    "a rate of −1": _set_attribute("rate_hz", -1.0),
    "a time that goes back": _set_row("frames/time_s", 30, 0.1),
    "an infinite time": _set_row("frames/time_s", 30, np.inf),
    "a number that comes twice": _set_row("frames/index", 30, 29),
    "label 255": _set_row("labels/labels", 0, np.full(SIZE, 255, np.uint8)),
    "more recorded than there are": _set_attribute("recorded", np.int64(10 * FRAMES)),
    "fewer dropped than none": _set_attribute("dropped", np.int64(-3)),
}
