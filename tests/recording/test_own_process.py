"""A process that works for another leaves nothing behind when nobody hears it any more."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.export.hand_made import write_session
from thermoseg.recording.own_process import command_of, environment

COPYING: dict[str, Callable[[Path, Path], list[str]]] = {
    "thermoseg.export.cut_process": lambda session, copy: [
        json.dumps({"session": str(session), "copy": str(copy), "begin_s": 0.0, "end_s": 3.0})
    ],
    "thermoseg.recording.salvage_process": lambda session, copy: [str(session), str(copy)],
}


@pytest.mark.parametrize("module", COPYING)
@pytest.mark.parametrize("heard", [True, False])
def test_a_copy_that_nobody_hears_of_is_not_left(module: str, heard: bool, tmp_path: Path) -> None:
    session, copy = write_session(tmp_path / "rest.h5"), tmp_path / "copy.h5"

    with subprocess.Popen(
        command_of(module, *COPYING[module](session, copy)),
        stdin=subprocess.PIPE,  # stays open: who asked is still there, but reads no more
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if heard:
            assert process.stdout.read()
        else:
            process.stdout.close()
        complaint = process.stderr.read().decode()
        assert process.wait() == (0 if heard else 1)

    assert copy.exists() == heard
    assert complaint == ""
