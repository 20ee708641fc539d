"""Records into a folder until its disk is full, then reads everything back; tells as JSON.

`full_disk.py FOLDER STOP_BYTES`; run where the folder is a small file system of its own.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from made_frames import MODEL, made_counts, made_frame, made_info

from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import DiskLimits, Recorder
from thermoseg.recording.recovery import recover


def main(folder, stop_bytes, elsewhere):
    info = made_info(240, 320, live=False)
    limits = DiskLimits(refuse_bytes=stop_bytes, stop_bytes=stop_bytes, warn_bytes=0, warn_s=0)
    recorder = Recorder(folder / "full.h5", info, "made:", MODEL, limits)
    recorder.start()
    index = 0
    while not recorder.status().failed and index < 2000:
        recorder.offer(made_frame(index, info))
        index += 1
    summary = asdict(recorder.stop())
    tellings = summary | {"path": str(summary["path"]), "offered": index}
    with Recording(folder / "full.h5") as recording:
        tellings["readable"], tellings["complete"] = len(recording), recording.complete
        tellings["wrong"] = wrong(recording, info)
    with Recording(recover(folder / "full.h5", elsewhere).path) as recording:
        tellings["recovered"] = len(recording)
        tellings["wrong"] += wrong(recording, info)
    sys.stdout.write(json.dumps(tellings))


def wrong(recording, info):
    frames = (recording.frame(i) for i in range(len(recording)))
    return sum(not np.array_equal(f.counts, made_counts(f.index, info)) for f in frames)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
