"""Whole files: new content or old, never half of one, and nobody else's file."""

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from thermoseg.whole_file import creating, remove_partials, replacing, sync_folder, write_whole

Block = Callable[[Path], AbstractContextManager[Path]]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")


@pytest.fixture(params=[replacing, creating])
def block(request: pytest.FixtureRequest) -> Block:
    chosen: Block = request.param
    return chosen


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def run_under_umask(umask: str, code: str, *arguments: Path) -> str:
    """Run Python in a process of its own: the umask is the whole process's."""
    done = subprocess.run(
        ["sh", "-c", f'umask {umask} && exec "$0" "$@"', sys.executable, "-c", code, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_a_new_file_has_its_content_and_nothing_is_left_beside_it(
    tmp_path: Path, block: Block
) -> None:
    path = tmp_path / "model.bin"
    with block(path) as temporary:
        temporary.write_bytes(b"new")
        assert not path.exists()

    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["model.bin"]


def test_a_file_is_replaced_at_once_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"

    assert path.read_bytes() == b"new"
    assert mode_of(path) == 0o640


@pytest.mark.parametrize(("umask", "expected"), [("022", "644"), ("077", "600"), ("002", "664")])
def test_a_new_file_has_the_permissions_that_any_new_file_has(
    tmp_path: Path, umask: str, expected: str
) -> None:
    code = (
        "import pathlib, sys; from thermoseg.whole_file import write_whole\n"
        "path = pathlib.Path(sys.argv[1]); write_whole(path, b'new')\n"
        "print(f'{path.stat().st_mode & 0o777:o}')"
    )

    assert run_under_umask(umask, code, tmp_path / "model.bin").strip() == expected


def test_permissions_can_be_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from thermoseg.whole_file import write_whole\n"
        "path = pathlib.Path(sys.argv[1]); write_whole(path, b'new', mode=0o644)\n"
        "print(f'{path.stat().st_mode & 0o777:o}')"
    )

    assert run_under_umask("077", code, tmp_path / "60-cameras.rules").strip() == "644"


def test_nobody_else_may_open_a_file_that_is_not_whole(tmp_path: Path, block: Block) -> None:
    with block(tmp_path / "model.bin") as temporary:
        assert mode_of(temporary) == 0o600


def test_a_set_user_id_bit_is_not_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "tool"
    path.write_bytes(b"old")
    path.chmod(0o4755)
    write_whole(path, b"new")

    assert mode_of(path) == 0o755


def write_half(path: Path, block: Block) -> None:
    with block(path) as temporary:
        temporary.write_bytes(b"ne")
        raise KeyboardInterrupt


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_half(path, replacing)

    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["model.bin"]


def test_a_failure_creates_nothing(tmp_path: Path, block: Block) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "model.bin", block)

    assert names_in(tmp_path) == []


def test_a_disk_that_cannot_flush_leaves_nothing(
    tmp_path: Path, block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output"), block(tmp_path / "model.bin"):
        pass

    assert names_in(tmp_path) == []


@pytest.fixture
def guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary name of `model.bin`, as if somebody had guessed it."""
    monkeypatch.setattr(os, "urandom", bytes)
    return tmp_path / ".model.bin.0000000000000000.partial"


def test_the_guessed_name_is_the_one_that_would_be_used(
    tmp_path: Path, block: Block, guessed: Path
) -> None:
    with block(tmp_path / "model.bin") as temporary:
        assert temporary == guessed


def test_a_planted_file_is_not_overwritten(tmp_path: Path, block: Block, guessed: Path) -> None:
    guessed.write_bytes(b"somebody else's")
    with pytest.raises(FileExistsError), block(tmp_path / "model.bin"):
        pass

    assert guessed.read_bytes() == b"somebody else's"
    assert not (tmp_path / "model.bin").exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_a_planted_link_is_not_followed(
    tmp_path: Path, block: Block, guessed: Path, is_there: bool
) -> None:
    precious = tmp_path / "precious"
    if is_there:
        precious.write_bytes(b"precious")
    guessed.symlink_to(precious)
    with pytest.raises(FileExistsError), block(tmp_path / "model.bin"):
        pass

    assert guessed.is_symlink()
    assert precious.exists() is is_there
    assert not is_there or precious.read_bytes() == b"precious"


def test_two_that_write_the_same_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    with replacing(path) as one, replacing(path) as other:
        one.write_bytes(b"one")
        other.write_bytes(b"other")

    assert path.read_bytes() == b"one"
    assert names_in(tmp_path) == ["model.bin"]


def test_a_link_that_is_replaced_is_replaced_itself(tmp_path: Path) -> None:
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "model.bin"
    elsewhere.write_bytes(b"elsewhere")
    path.symlink_to(elsewhere)
    write_whole(path, b"new")

    assert not path.is_symlink()
    assert (path.read_bytes(), elsewhere.read_bytes()) == (b"new", b"elsewhere")


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_file_that_came_meanwhile_is_not_replaced(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "session.h5"
    if not links:
        forbid_links(monkeypatch)
    with pytest.raises(FileExistsError), creating(path):
        path.write_bytes(b"somebody else's")

    assert path.read_bytes() == b"somebody else's"
    assert names_in(tmp_path) == ["session.h5"]


def test_a_name_that_is_taken_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "session.h5"
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError, match=r"session\.h5"), creating(path):
        pytest.fail("the block must not run")

    assert names_in(tmp_path) == ["session.h5"]


def test_a_new_file_is_created_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_links(monkeypatch)
    path = tmp_path / "session.h5"
    with creating(path) as temporary:
        temporary.write_bytes(b"new")

    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["session.h5"]


def forbid_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", refuse)


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127, "温" * 85])
def test_the_longest_names_can_be_written(tmp_path: Path, name: str, block: Block) -> None:
    with block(tmp_path / name) as temporary:
        temporary.write_bytes(b"new")

    assert (tmp_path / name).read_bytes() == b"new"


def test_the_replaced_file_can_be_kept_under_another_name(tmp_path: Path) -> None:
    path, previous = tmp_path / "last.ckpt", tmp_path / "previous.ckpt"
    for content in (b"one", b"two", b"three"):
        with replacing(path, previous=previous) as temporary:
            temporary.write_bytes(content)

    assert (path.read_bytes(), previous.read_bytes()) == (b"three", b"two")
    assert sorted(names_in(tmp_path)) == ["last.ckpt", "previous.ckpt"]


def test_a_failure_keeps_both_the_last_and_the_previous(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, previous = tmp_path / "last.ckpt", tmp_path / "previous.ckpt"
    path.write_bytes(b"two")
    previous.write_bytes(b"one")

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"), replacing(path, previous=previous):
        pass

    assert (path.read_bytes(), previous.read_bytes()) == (b"two", b"one")


def test_what_a_kill_left_behind_is_removed_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "last[1].ckpt"
    code = (
        "import os, pathlib, signal, sys; from thermoseg.whole_file import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=False)
    others = [".last1.ckpt.0123456789abcdef.partial", ".last[1].ckpt.mine.partial", "last[1].ckpt"]
    for name in others:
        (tmp_path / name).touch()
    assert len(names_in(tmp_path)) == 1 + len(others)
    remove_partials(path)

    assert sorted(names_in(tmp_path)) == sorted(others)


def test_a_library_that_goes_by_the_suffix_gets_it(tmp_path: Path) -> None:
    with replacing(tmp_path / "network.xml", suffix=".xml") as temporary:
        assert temporary.suffix == ".xml"


def test_content_and_name_are_flushed_in_this_order(
    tmp_path: Path, block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flushed = tmp_path / "model.bin", []

    def note(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        flushed.append(("folder" if is_folder else "file", path.exists()))

    monkeypatch.setattr(os, "fsync", note)
    with block(path):
        pass

    assert flushed == [("file", False), ("folder", True)]


def test_a_file_system_that_flushes_no_folders_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = errno.EINVAL

    def refuse(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    sync_folder(tmp_path)
    number = errno.EIO
    with pytest.raises(OSError, match="Input/output"):
        sync_folder(tmp_path)


def test_it_imports_no_heavy_library() -> None:
    code = "import sys; import thermoseg.whole_file; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "False"
