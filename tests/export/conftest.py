"""Hand-made sessions, and disks that are full."""

from collections.abc import Iterator
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


@pytest.fixture
def full_disk(session: Path) -> Iterator[Path]:
    """A session on a disk where no other file grows beyond 500 bytes, whichever process writes."""
    resource = pytest.importorskip("resource")  # Windows has none
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    yield session
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
