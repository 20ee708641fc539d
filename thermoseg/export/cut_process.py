"""The process that copies a stretch of a session; started by `cut_session` as `python -m` this.

It is told what to do as JSON and reports line by line in JSON: `done` and `total` frames, at last
`notes`, or `fault` (a clause: the copy cannot be written), or `sentence` (the session cannot be
read).
"""

import json
import logging
import signal
import sys
from pathlib import Path

import h5py

from thermoseg.errors import ThermoSegError
from thermoseg.export.cutting import Cutting
from thermoseg.recording.disk_fault import say_fault
from thermoseg.recording.layout import LIBVER
from thermoseg.recording.opening import open_session
from thermoseg.recording.own_process import Maker
from thermoseg.recording.reader import Recording

log = logging.getLogger(__name__)


def main() -> None:
    """Copy as the only argument says, report, then end the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = json.loads(sys.argv[1])
    session, copy = Path(job["session"]), Path(job["copy"])
    maker = Maker(copy)

    def tell(done: int, total: int) -> None:
        maker.report({"done": done, "total": total})

    try:
        with Recording(session) as recording, open_session(session) as source:
            try:
                file = h5py.File(copy, "w", libver=LIBVER)
                notes = Cutting(recording, source, file, job["begin_s"], job["end_s"]).make(tell)
                file.close()
            except (OSError, RuntimeError) as error:
                # The process ends in here, while the traceback keeps the file from being closed:
                # HDF5 crashes when it closes a file that it could not write.
                maker.give_up({"fault": say_fault(error)}, 0)
    except ThermoSegError as error:
        maker.give_up({"sentence": str(error)}, 0)
    except Exception:
        log.exception("%s could not be cut", session)
        maker.give_up()
    maker.finish({"notes": notes})


if __name__ == "__main__":
    main()
