"""What can be played is taken from folders, and shown where a file is chosen."""

from pathlib import Path

import pytest

from drivers.file_sources import open_source
from thermoseg.errors import ThermoSegError
from thermoseg.file_kinds import ALL_SUFFIXES, SUFFIXES, FileKind
from thermoseg.recording import layout
from thermoseg.segment_files import plan_jobs

PLAYED = [
    *(".fff", ".seq", ".csq", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".bin", ".gz", ".h5"),
    *(".png", ".bmp", ".avi", ".mp4", ".mkv", ".mov", ".m4v", ".webm", ".mpg", ".mpeg", ".wmv"),
]


def test_the_table_holds_every_kind() -> None:
    assert sorted(ALL_SUFFIXES) == sorted(PLAYED)
    assert set(SUFFIXES) == set(FileKind)
    assert layout.SUFFIX in SUFFIXES[FileKind.SESSION]


@pytest.mark.parametrize("suffix", sorted(ALL_SUFFIXES))
def test_the_player_knows_each_by_its_name(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(b"neither picture nor recording")

    with pytest.raises(ThermoSegError) as caught:
        open_source(path)
    assert "of no kind that can be played" not in str(caught.value)


def test_each_is_taken_from_a_folder(tmp_path: Path) -> None:
    for suffix in (*PLAYED, ".txt", ".md"):
        (tmp_path / f"face{suffix.upper()}").touch()

    jobs = plan_jobs([tmp_path], tmp_path / "results")
    assert {job.path.suffix.lower() for job in jobs} == set(PLAYED)
