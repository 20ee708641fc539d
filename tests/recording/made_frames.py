"""Frames that anybody can make again from their index, and a program that records them.

As a program: `made_frames.py FILE` records at 30 Hz until it is killed or its writer is, and
tells on standard output, line by line: `writer PID`, then `INDEX SETTLED MONOTONIC_S` for each
frame offered, `safe` once frames have reached the disk, and at the end the summary as JSON.
"""

import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermoseg.frames import CameraInfo, Frame, FrameFlag
from thermoseg.inference.segmenter import ModelIdentity, Segmentation
from thermoseg.radiometry import LinearRadiometry
from thermoseg.recording.recorder import Recorder
from thermoseg.recording.writer_process import WriterProcess
from thermoseg.result import Result
from thermoseg.rois import RoiSample

RATE_HZ = 30.0
EPOCH = 1_700_000_000.0
KILLED_SIZE = (60, 80)
"""Height and width of what the program records; small, to leave a busy machine time to write."""
SOUND_FRAMES = 600
"""Frames of the session that tests damage; more than two chunks of each table."""
MODEL = ModelIdentity("face-compact", "ab" * 32, "openvino CPU")


def made_info(height: int = 120, width: int = 160, live: bool = True) -> CameraInfo:
    radiometry = LinearRadiometry(0.01)
    return CameraInfo("Made", "0042", width, height, RATE_HZ, radiometry, live)


def made_counts(index: int, info: CameraInfo) -> NDArray[np.uint16]:
    """Noise over the whole range, with both extremes; every fourth picture is all alike."""
    shape = (info.height, info.width)
    if index % 4 == 3:
        return np.full(shape, (0, 65535)[index % 8 == 3], np.uint16)
    counts = np.random.default_rng(index).integers(0, 65536, shape, np.uint16)
    counts[0, 0], counts[-1, -1] = 0, 65535
    return counts


def made_frame(index: int, info: CameraInfo, flags: FrameFlag = FrameFlag.NONE) -> Frame:
    counts = made_counts(index, info)
    time_s = index / RATE_HZ
    return Frame.from_counts(counts, info.radiometry, index, time_s, EPOCH + time_s, flags)


def made_labels(index: int, info: CameraInfo) -> NDArray[np.uint8]:
    return (made_counts(index, info) % 6).astype(np.uint8)


def made_result(
    frame: Frame, info: CameraInfo, reason: str = "", region: str = "nostrils"
) -> Result:
    confidence = np.ones((info.height, info.width), np.float32)
    segmentation = Segmentation(made_labels(frame.index, info), confidence, frame.index)
    nan = float("nan")
    absent = RoiSample("mouth", frame.time_s, 0, nan, nan, nan, nan, False, "lost")
    sample = RoiSample(
        region, frame.time_s, frame.index, 34.5, 33.0, 35.25, 0.5, not reason, reason
    )
    return Result(frame, segmentation, (sample, absent), 0.01)


def running_writer(recorder: Recorder) -> WriterProcess:
    """Return the process that writes what `recorder`, started, is offered."""
    assert recorder._link.writer is not None
    return recorder._link.writer


def tell(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main(path: str, fork: bool) -> None:
    info = made_info(*KILLED_SIZE)
    recorder = Recorder(Path(path), info, "made:", MODEL)
    recorder.start()
    writer = running_writer(recorder)
    tell("writer", writer.pid)
    if fork and os.fork() == 0:
        os.close(1)
        threading.Event().wait(30)
        os._exit(0)
    clock, started, safe = threading.Event(), time.monotonic(), False
    for index in range(100_000):
        clock.wait(max(0.0, started + index / RATE_HZ - time.monotonic()))
        frame = made_frame(index, info)
        recorder.offer(frame)
        recorder.offer_result(made_result(frame, info))
        if index % 30 == 0:
            recorder.note_event(f"event {index}", frame.time_s)
        status = recorder.status()
        tell(index, status.recorded + status.dropped, time.monotonic())
        if not safe and status.recorded > 15 and writer.control["flushed"] > 0:
            safe = True
            tell("safe")
        if status.failed:
            break
    tell(json.dumps(asdict(recorder.stop()) | {"path": path}))


if __name__ == "__main__":
    main(sys.argv[1], "--fork" in sys.argv)
