"""Records 640×512 at 30 frames a second onto a disk whose fsync takes LATENCY_S; tells as JSON.

`slow_disk.py FILE LATENCY_S SECONDS`.  The writer is started with a `sitecustomize` that makes
every fsync of its process that slow.
"""

import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.recording.made_frames import MODEL, made_info
from thermoseg.frames import Frame
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.recorder import Recorder

RATE_HZ = 30.0
SLOW_FSYNC = """
import os, time
def slow(descriptor, fsync=os.fsync, latency_s={latency_s}):
    time.sleep(latency_s)
    fsync(descriptor)
os.fsync = slow
"""


def main(path: Path, latency_s: float, seconds: float) -> None:
    place = path.parent / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text(SLOW_FSYNC.format(latency_s=latency_s))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])
    info = made_info(512, 640)
    # Noise of 50 mK about a mean: it packs as the pictures of a camera do.
    rng = np.random.default_rng(0)
    pictures = [(30000 + 5 * rng.standard_normal((512, 640))).astype(np.uint16) for _ in range(4)]
    recorder = Recorder(path, info, "made:", MODEL, DiskLimits(0, 0, 0, 0))
    recorder.start()
    began_s, clock, warned = time.monotonic(), threading.Event(), False
    at_risk_s: list[float] = []
    for index in range(int(seconds * RATE_HZ)):
        clock.wait(max(0.0, began_s + index / RATE_HZ - time.monotonic()))
        counts = pictures[index % len(pictures)]
        recorder.offer(
            Frame.from_counts(counts, info.radiometry, index, index / RATE_HZ, time.time())
        )
        if index % 30 == 0:
            recorder.note_event(f"event {index}", index / RATE_HZ)
        status = recorder.status()
        if status.on_disk:
            at_risk_s.append(status.at_risk_s)
        warned |= "is slow: a power cut" in status.warning
    stopped_s = time.monotonic()
    summary = recorder.stop()
    told = asdict(summary) | {
        "path": str(summary.path),
        "ending_s": time.monotonic() - stopped_s,
        "at_risk_s": max(at_risk_s, default=None),
        "warned": warned,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
