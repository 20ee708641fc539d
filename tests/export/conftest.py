"""Hand-made sessions, and disks that are full."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.export.hand_made import write_session


@pytest.fixture
def session(tmp_path: Path) -> Path:
    return write_session(tmp_path / "rest.h5")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "results" / "day 1"


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file grow beyond 500 bytes, whichever process writes; the report of tests is one."""
    resource = pytest.importorskip("resource")  # Windows has none
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
