"""Frames made from their index, and recordings of them."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias

import h5py
import pytest

from tests.conftest import WaitFor
from tests.recording.made_frames import (
    KILLED_SIZE,
    MODEL,
    SOUND_FRAMES,
    made_frame,
    made_info,
    made_result,
)
from thermoseg.frames import CameraInfo
from thermoseg.inference.segmenter import ModelIdentity
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.recorder import Recorder

Change: TypeAlias = Callable[[h5py.File], None]
"""What a test does to a file that was sound."""
Tamper: TypeAlias = Callable[[Change], Path]
"""What the fixtures `tampered` give: a session to which that was done."""


class MakeRecorder(Protocol):
    """What the fixture `make_recorder` gives."""

    def __call__(
        self,
        name: str = ...,
        info: CameraInfo | None = ...,
        model: ModelIdentity | None = ...,
        limits: DiskLimits | None = ...,
    ) -> Recorder: ...


class Record(Protocol):
    """What the fixture `recorded` gives."""

    def __call__(
        self, frames: int = ..., name: str = ..., info: CameraInfo | None = ...
    ) -> Path: ...


@pytest.fixture
def wait_for() -> WaitFor:
    """Wait longer than usual and look seldom: on a busy machine a new process starts slowly."""

    def wait(condition: Callable[[], object], timeout_s: float = 100.0) -> None:
        pause, deadline = threading.Event(), time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"nothing came of waiting {timeout_s} s for the condition")
            pause.wait(0.02)

    return wait


@pytest.fixture
def make_recorder(tmp_path: Path) -> Iterator[MakeRecorder]:
    """Make recorders of `tmp_path/NAME.h5`; those left running are stopped after the test."""
    recorders: list[Recorder] = []

    def make(
        name: str = "session",
        info: CameraInfo | None = None,
        model: ModelIdentity | None = MODEL,
        limits: DiskLimits | None = None,
    ) -> Recorder:
        limits = limits or DiskLimits(0, 0, 0, 0)
        path = tmp_path / f"{name}.h5"
        recorder = Recorder(path, info or made_info(), "made:?seed=1", model, limits)
        recorder.start()
        recorders.append(recorder)
        return recorder

    yield make
    for recorder in recorders:
        recorder.stop()


@pytest.fixture(scope="session")
def sound_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished session of `SOUND_FRAMES` made frames that nobody changes."""
    info = made_info(*KILLED_SIZE)
    path = tmp_path_factory.mktemp("sound") / "session.h5"
    recorder = Recorder(path, info, "made:?seed=1", MODEL, DiskLimits(0, 0, 0, 0))
    recorder.start()
    pause = threading.Event()
    for index in range(SOUND_FRAMES):
        frame = made_frame(index, info)
        recorder.offer(frame)
        recorder.offer_result(made_result(frame, info))
        while recorder.status().recorded < index - 20:
            pause.wait(0.005)
    recorder.note_event("begin", 0.5)
    assert recorder.stop().recorded == SOUND_FRAMES
    return path


@pytest.fixture
def session(sound_session: Path, tmp_path: Path) -> Path:
    """A copy of the sound session, to be damaged."""
    return Path(shutil.copy(sound_session, tmp_path / "session.h5"))


@pytest.fixture
def recorded(make_recorder: MakeRecorder, wait_for: WaitFor) -> Record:
    """Record `frames` made frames and return the file."""

    def record(frames: int = 12, name: str = "session", info: CameraInfo | None = None) -> Path:
        info = info or made_info()
        recorder = make_recorder(name, info)
        for index in range(frames):
            frame = made_frame(index, info)
            recorder.offer(frame)
            recorder.offer_result(made_result(frame, info))
            if index % 50 == 49:
                wait_for(partial(has_recorded, recorder, index + 1))
        summary = recorder.stop()
        assert summary.recorded == frames, summary
        return summary.path

    return record


def has_recorded(recorder: Recorder, frames: int) -> bool:
    return recorder.status().recorded >= frames
