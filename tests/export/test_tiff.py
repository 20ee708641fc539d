"""Pages that tifffile reads alone hold the °C of the frames."""

import json
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

from tests.export.hand_made import HEIGHT, TIMES_S, WIDTH, counts_of, damage, write_session
from thermoseg.errors import ExportError
from thermoseg.export import tiff
from thermoseg.export.tiff import export_tiff


def test_each_frame_is_a_page_of_degrees(session: Path, out: Path) -> None:
    (path,) = export_tiff(session, out).paths

    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 8
        stack = np.stack([page.asarray() for page in file.pages])
    assert stack.shape == (8, HEIGHT, WIDTH)
    assert stack.dtype == np.float32
    np.testing.assert_allclose(stack[:, 2, 3], [26.85 + n for n in range(8)], atol=1e-4)
    np.testing.assert_allclose(stack[:, 12, 15], 36.85, atol=1e-4)


def test_each_page_tells_its_number_and_times(session: Path, out: Path) -> None:
    (path,) = export_tiff(session, out).paths

    with tifffile.TiffFile(path) as file:
        told = [json.loads(page.aspage().description) for page in file.pages]
    assert [page["time_s"] for page in told] == list(TIMES_S)
    assert told[5] == {
        "frame": 5,
        "frame_index": 34,
        "time_s": 3.0,
        "utc": "2023-11-14T22:13:23.250000Z",
        "flags": 32,
        "unit": "C",
    }


def test_raw_counts_are_bit_for_bit(session: Path, out: Path) -> None:
    (path,) = export_tiff(session, out, raw=True).paths

    with tifffile.TiffFile(path) as file:
        for position, page in enumerate(file.pages):
            np.testing.assert_array_equal(page.asarray(), counts_of(position), strict=True)


def test_a_session_without_degrees_gives_counts_and_says_so(tmp_path: Path, out: Path) -> None:
    relative = {"kind": "relative", "reason": "8-bit picture"}
    session = write_session(tmp_path / "grey.h5", radiometry=relative)
    exported = export_tiff(session, out)

    assert exported.notes == (f"“{session}” has no °C (8-bit picture); its counts were written",)
    assert tifffile.imread(exported.paths[0], key=0).dtype == np.uint16


def test_long_sessions_become_bigtiff_and_short_ones_open_everywhere(
    session: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (short,) = export_tiff(session, out).paths
    monkeypatch.setattr(tiff, "LARGEST_CLASSIC_BYTES", 1000)
    (long,) = export_tiff(session, out, stem="long").paths

    for path, big in ((short, False), (long, True)):
        with tifffile.TiffFile(path) as file:
            assert (file.is_bigtiff, len(file.pages)) == (big, 8)


def test_damaged_frames_have_no_page_and_are_told_in_one_sentence(session: Path, out: Path) -> None:
    damage(session, "frames/counts", 2)
    damage(session, "frames/counts", 4)
    exported = export_tiff(session, out)

    assert exported.notes == (f"“{session}”: 2 frames are damaged and left out (first: 2)",)
    with tifffile.TiffFile(exported.paths[0]) as file:
        told = [json.loads(page.aspage().description) for page in file.pages]
    assert [page["frame"] for page in told] == [0, 1, 3, 5, 6, 7]


def test_a_session_of_damage_alone_leaves_no_file(session: Path, out: Path) -> None:
    for position in range(8):
        damage(session, "frames/counts", position)
    with pytest.raises(ExportError, match="every frame is damaged"):
        export_tiff(session, out)
    assert list(out.iterdir()) == []


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    session: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    monkeypatch.setattr(psutil, "disk_usage", lambda _path: SimpleNamespace(free=2000))
    with pytest.raises(ExportError, match=r"rest\.tif” needs .* GB and its disk has"):
        export_tiff(session, out)
    assert list(out.iterdir()) == []
