"""The process that copies a stretch of a session; started by `cut_session` as `python -m` this.

It is told what to do as JSON and reports line by line in JSON: `done` and `total` frames, at last
`notes`, or `fault` (a clause: the copy cannot be written), or `sentence` (the session cannot be
read).  It ends when its standard input does, so that it never outlives who asked for it.
"""

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py

from thermoseg.errors import ThermoSegError
from thermoseg.export.cutting import Cutting
from thermoseg.recording.disk_fault import say_fault
from thermoseg.recording.layout import LIBVER
from thermoseg.recording.opening import open_session
from thermoseg.recording.own_process import end_unheard, end_with_input, report
from thermoseg.recording.reader import Recording

log = logging.getLogger(__name__)


def main() -> None:
    """Copy as the only argument says, report, then end the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = json.loads(sys.argv[1])
    session, copy = Path(job["session"]), Path(job["copy"])
    threading.Thread(target=end_with_input, args=(copy,), daemon=True).start()

    def tell(told: Mapping[str, Any]) -> None:
        report(told, copy)

    try:
        with Recording(session) as recording, open_session(session) as source:
            try:
                file = h5py.File(copy, "w", libver=LIBVER)
                cutting = Cutting(recording, source, file, job["begin_s"], job["end_s"])
                notes = cutting.make(lambda done, total: tell({"done": done, "total": total}))
                file.close()
            except (OSError, RuntimeError) as error:
                # The process ends in here, while the traceback keeps the file from being closed:
                # HDF5 crashes when it closes a file that it could not write.
                tell({"fault": say_fault(error)})
                os._exit(0)
    except ThermoSegError as error:
        tell({"sentence": str(error)})
        os._exit(0)
    except Exception:
        log.exception("%s could not be cut", session)
        end_unheard(copy)
    tell({"notes": notes})
    os._exit(0)


if __name__ == "__main__":
    main()
