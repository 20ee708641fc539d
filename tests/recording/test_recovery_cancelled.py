"""A recovery ends as soon as nobody wants it any more, and leaves nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.conftest import WaitFor
from tests.copying import hold_copying
from thermoseg.errors import RecoveryCancelledError
from thermoseg.recording.recovery import recover


def test_a_copying_that_is_not_wanted_any_more_is_ended(
    session: Path, tmp_path: Path, wait_for: WaitFor
) -> None:
    folder, before = tmp_path / "out", session.read_bytes()
    folder.mkdir()
    cancelled = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        recovering = pool.submit(recover, session, folder, cancelled=cancelled.is_set)
        copying = hold_copying(psutil.Process(), wait_for)
        assert list(folder.iterdir()) != []
        cancelled.set()
        with pytest.raises(RecoveryCancelledError, match=r"session\.h5 was ended early; start"):
            recovering.result(60)

    assert not copying.is_running()
    assert list(folder.iterdir()) == []
    assert session.read_bytes() == before


def test_what_nobody_wants_is_not_begun(session: Path, tmp_path: Path) -> None:
    with pytest.raises(RecoveryCancelledError):
        recover(session, tmp_path / "out", cancelled=lambda: True)

    assert list((tmp_path / "out").iterdir()) == []
    assert len(recover(session, tmp_path / "out").tables) > 0
