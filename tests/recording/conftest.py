"""Frames made from their index, and recordings of them."""

import importlib.util
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest

from thermoseg.recording.recorder import DiskLimits, Recorder

MADE_FRAMES = Path(__file__).with_name("made_frames.py")
FULL_DISK = Path(__file__).with_name("full_disk.py")


@pytest.fixture(scope="session")
def made():
    """The module `made_frames`."""
    spec = importlib.util.spec_from_file_location("made_frames", MADE_FRAMES)
    module = importlib.util.module_from_spec(spec)
    sys.modules["made_frames"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wait_for():
    """Wait longer than usual and look seldom: on a busy machine a new process starts slowly."""

    def wait(condition, timeout_s=100.0):
        pause, deadline = threading.Event(), time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"nothing came of waiting {timeout_s} s for the condition")
            pause.wait(0.02)

    return wait


@pytest.fixture
def make_recorder(made, tmp_path):
    """Make recorders of `tmp_path/NAME.h5`; those left running are stopped after the test."""
    recorders = []

    def make(name="session", info=None, model=made.MODEL, limits=None):
        limits = limits or DiskLimits(0, 0, 0, 0)
        path = tmp_path / f"{name}.h5"
        recorder = Recorder(path, info or made.made_info(), "made:?seed=1", model, limits)
        recorder.start()
        recorders.append(recorder)
        return recorder

    yield make
    for recorder in recorders:
        recorder.stop()


@pytest.fixture(scope="session")
def sound_session(made, tmp_path_factory):
    """A finished session of `made.SOUND_FRAMES` frames that nobody changes."""
    info = made.made_info(*made.KILLED_SIZE)
    path = tmp_path_factory.mktemp("sound") / "session.h5"
    recorder = Recorder(path, info, "made:?seed=1", made.MODEL, DiskLimits(0, 0, 0, 0))
    recorder.start()
    pause = threading.Event()
    for index in range(made.SOUND_FRAMES):
        frame = made.made_frame(index, info)
        recorder.offer(frame)
        recorder.offer_result(made.made_result(frame, info))
        while recorder.status().recorded < index - 20:
            pause.wait(0.005)
    recorder.note_event("begin", 0.5)
    assert recorder.stop().recorded == made.SOUND_FRAMES
    return path


@pytest.fixture
def session(sound_session, tmp_path):
    """A copy of the sound session, to be damaged."""
    return Path(shutil.copy(sound_session, tmp_path / "session.h5"))


@pytest.fixture
def recorded(made, make_recorder, wait_for):
    """Record `frames` made frames and return the file."""

    def record(frames=12, name="session", info=None):
        info = info or made.made_info()
        recorder = make_recorder(name, info)
        for index in range(frames):
            frame = made.made_frame(index, info)
            recorder.offer(frame)
            recorder.offer_result(made.made_result(frame, info))
            if index % 50 == 49:
                wait_for(lambda all_of_them=index: recorder.status().recorded > all_of_them)
        summary = recorder.stop()
        assert summary.recorded == frames, summary
        return summary.path

    return record
