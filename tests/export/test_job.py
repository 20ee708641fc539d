"""Whatever is exported: nothing half written, nothing overwritten, one sentence."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from tests.conftest import WaitFor
from tests.export.conftest import full_disk
from tests.export.hand_made import write_session
from thermoseg.errors import ExportCancelledError, ExportError, FormatError
from thermoseg.export.cut import cut_session
from thermoseg.export.job import Exported, Watch, plan_stems
from thermoseg.export.pixels import export_frame, export_region
from thermoseg.export.stretch import TimeRange
from thermoseg.export.tables import export_tables
from thermoseg.export.tiff import export_tiff
from thermoseg.export.video import export_video

Exporter = Callable[[Path, Path, Watch], Exported]

EXPORTERS = [
    pytest.param(lambda s, out, watch: export_tables(s, out, watch=watch), id="tables"),
    pytest.param(lambda s, out, watch: export_frame(s, out, 1, watch=watch), id="frame"),
    pytest.param(lambda s, out, watch: export_region(s, out, "nose", watch=watch), id="region"),
    pytest.param(lambda s, out, watch: export_video(s, out, watch=watch), id="mp4"),
    pytest.param(lambda s, out, watch: export_tiff(s, out, watch=watch), id="tiff"),
    pytest.param(lambda s, out, watch: cut_session(s, out, TimeRange(0, 9), watch=watch), id="cut"),
]


@pytest.fixture(params=EXPORTERS)
def export(request: pytest.FixtureRequest) -> Exporter:
    exporter: Exporter = request.param
    return exporter


def test_the_files_that_are_named_are_there_and_no_others(
    export: Exporter, session: Path, out: Path
) -> None:
    exported = export(session, out, Watch())

    assert sorted(exported.paths) == sorted(out.iterdir())
    assert exported.notes == ()


def test_an_export_that_is_cancelled_leaves_nothing(
    export: Exporter, session: Path, out: Path
) -> None:
    told: list[int] = []
    watch = Watch(lambda done, _total: told.append(done), lambda: len(told) > 1)
    with pytest.raises(ExportCancelledError, match="ended early"):
        export(session, out, watch)
    assert list(out.iterdir()) == []


def test_it_can_be_cancelled_at_each_frame(export: Exporter, session: Path, out: Path) -> None:
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return False

    export(session, out, Watch(cancelled=cancelled))
    assert len(asked) >= 3


def test_an_existing_file_is_neither_overwritten_nor_renamed(
    export: Exporter, session: Path, out: Path
) -> None:
    first = export(session, out, Watch()).paths
    before = [path.read_bytes() for path in first]
    with pytest.raises(ExportError, match="exists already and is not overwritten; choose"):
        export(session, out, Watch())
    assert [path.read_bytes() for path in first] == before
    assert sorted(out.iterdir()) == sorted(first)


def test_a_link_that_leads_nowhere_is_not_followed(
    export: Exporter, session: Path, out: Path, tmp_path: Path
) -> None:
    first = export(session, out, Watch()).paths[0]
    first.unlink()
    first.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ExportError, match="exists already"):
        export(session, out, Watch())
    assert not (tmp_path / "elsewhere").exists()


def test_a_disk_that_fills_up_leaves_nothing(export: Exporter, session: Path, out: Path) -> None:
    refusal = r"cannot be written \(File too large\); make space"
    with full_disk(), pytest.raises(ExportError, match=refusal):
        export(session, out, Watch())
    assert list(out.iterdir()) == []


def test_a_folder_that_is_a_file_is_one_sentence(
    export: Exporter, session: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("dear diary")
    with pytest.raises(ExportError, match="cannot be written") as refusal:
        export(session, tmp_path / "notes.txt", Watch())
    assert "\n" not in str(refusal.value)
    assert (tmp_path / "notes.txt").read_text() == "dear diary"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nobody may be refused")
def test_a_folder_without_rights_is_one_sentence(
    export: Exporter, session: Path, tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(ExportError, match=r"cannot be written \(Permission denied\)"):
        export(session, locked, Watch())


def test_a_session_that_is_not_there_is_named(export: Exporter, tmp_path: Path, out: Path) -> None:
    with pytest.raises(FormatError, match=r"gone\.h5 does not exist"):
        export(tmp_path / "gone.h5", out, Watch())


def test_it_works_in_a_thread_of_its_own(export: Exporter, session: Path, out: Path) -> None:
    done: list[Exported] = []
    thread = threading.Thread(target=lambda: done.append(export(session, out, Watch())))
    thread.start()
    thread.join(60)
    assert [path.exists() for path in done[0].paths] == [True] * len(done[0].paths)


def test_strange_names_and_texts_of_strangers_are_exported_all_the_same(
    export: Exporter, tmp_path: Path, out: Path
) -> None:
    session = write_session(tmp_path / os.fsdecode(b"n\xff ? %41 \xc3\xa9.h5"))
    with h5py.File(session, "r+") as file:
        file.attrs["program"] = "prögram 温\n"
        file.attrs["created"] = "yesterday"
        file.attrs["session_id"] = "\x1b[2J"
    exported = export(session, out, Watch())

    assert [path.stat().st_size > 0 for path in exported.paths] == [True] * len(exported.paths)


@pytest.mark.parametrize("kind", ["csv", "mp4", "tiff", "cut"])
def test_a_killed_export_leaves_nothing_under_a_name(
    kind: str, tmp_path: Path, wait_for: WaitFor
) -> None:
    session = write_session(tmp_path / "rest.h5")
    out = tmp_path / "out"
    program = (
        "import sys, threading; from pathlib import Path; from types import SimpleNamespace\n"
        "from thermoseg.export.formats import FORMATS\n"
        "from thermoseg.export.job import Watch\n"
        "kind, session, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])\n"
        "import argparse; parser = argparse.ArgumentParser()\n"
        "chosen = next(each for each in FORMATS if each.name == kind)\n"
        "chosen.add_options(parser)\n"
        "def hold(done, total):\n"
        "    if done == 2:\n"
        "        print('half', flush=True); threading.Event().wait(60)\n"
        "chosen.choose(parser.parse_args([]))(session, out, stem='', watch=Watch(hold))\n"
    )
    command = [sys.executable, "-c", program, kind, str(session), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.kill()
    assert [path for path in out.iterdir() if not path.name.startswith(".")] == []
    if kind == "cut":  # whose process ends with whoever asked for it, and tidies up
        wait_for(lambda: list(out.iterdir()) == [])


def test_sessions_of_one_name_get_stems_of_their_own() -> None:
    sessions = [Path("a/rest.h5"), Path("b/rest.h5"), Path("c/Rest.h5"), Path("d/rest-2.h5")]

    assert list(plan_stems([*sessions, sessions[0]]).values()) == [
        "rest",
        "rest-3",
        "Rest-4",
        "rest-2",
    ]
