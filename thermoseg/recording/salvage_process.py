"""The process that copies what is sound of a session; started by `recover` as `python -m` this.

It is a process of its own because HDF5 crashes when it closes a file that it could not write, as
on a full disk, and because nobody knows what it does to a file that somebody has made up.  It is
told both files as arguments and reports by one line of JSON.
"""

import logging
import signal
import sys
from pathlib import Path

import h5py

from thermoseg.errors import RecordingError, ThermoSegError
from thermoseg.recording.account import Account
from thermoseg.recording.disk_fault import say_fault
from thermoseg.recording.layout import LIBVER
from thermoseg.recording.opening import open_leniently
from thermoseg.recording.own_process import Maker
from thermoseg.recording.salvage import Salvage

log = logging.getLogger(__name__)


def main() -> None:
    """Copy the session named first into the file named second, report it, then end the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, copy = Path(sys.argv[1]), Path(sys.argv[2])
    maker = Maker(copy)
    try:
        account = _salvage(source, copy)
    except ThermoSegError as error:
        # The process ends in here, while the traceback keeps the file from being closed: HDF5
        # crashes when it closes a file that it could not write, at the interpreter's exit too.
        maker.give_up({"error": type(error).__name__, "sentence": str(error)}, 0)
    except Exception:
        log.exception("%s could not be copied", source)
        maker.give_up()
    maker.finish({"account": account.to_json()})


def _salvage(source: Path, copy: Path) -> Account:
    with open_leniently(source) as session:
        try:
            file = h5py.File(copy, "w", libver=LIBVER)
            salvage = Salvage(session, file)
            account = salvage.make()
            file.close()
        except (OSError, RuntimeError) as error:
            raise RecordingError(say_fault(error)) from error
    return account


if __name__ == "__main__":
    main()
