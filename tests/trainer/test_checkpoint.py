import errno
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from thermoseg.errors import TrainingError
from trainer.checkpoint import load_checkpoint, save_checkpoint


def a_state(number: int) -> dict[str, Any]:
    return {"network": {"weight": torch.full((10,), float(number))}, "iteration": number}


def test_the_newest_is_loaded_and_the_one_before_kept(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        save_checkpoint(tmp_path, a_state(number))

    assert load_checkpoint(tmp_path)["iteration"] == 3
    assert load_checkpoint(tmp_path / "previous.ckpt")["iteration"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "previous.ckpt"]


@pytest.mark.parametrize("damage", ["truncated", "empty", "missing"])
def test_a_damaged_one_falls_back_to_the_one_before(tmp_path: Path, damage: str) -> None:
    for number in (1, 2):
        save_checkpoint(tmp_path, a_state(number))
    last = tmp_path / "last.ckpt"
    if damage == "truncated":
        last.write_bytes(last.read_bytes()[:-200])
    elif damage == "empty":
        last.write_bytes(b"")
    else:
        last.unlink()

    assert load_checkpoint(tmp_path)["iteration"] == 1


def test_a_full_disk_costs_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, a_state(1))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError, match="free disk space"):
        save_checkpoint(tmp_path, a_state(2))

    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
    assert load_checkpoint(tmp_path)["iteration"] == 1


def test_a_disk_that_fills_up_while_writing_is_said_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = open("/dev/full", "wb")  # noqa: SIM115, PTH123 - closed by what writes to it
    monkeypatch.setattr(Path, "open", lambda *_: full)

    with pytest.raises(TrainingError, match=r"cannot be saved \(No space left on device\)"):
        save_checkpoint(tmp_path, a_state(1))


def test_the_best_is_replaced_beside_the_others(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, a_state(1))
    for number in (2, 3):
        save_checkpoint(tmp_path, a_state(number), "best.ckpt")

    assert load_checkpoint(tmp_path)["iteration"] == 1
    assert load_checkpoint(tmp_path / "best.ckpt")["iteration"] == 3
    assert not (tmp_path / "previous.ckpt").exists()


def test_one_flipped_bit_is_seen(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, a_state(1))
    save_checkpoint(tmp_path, {"network": {"weight": torch.zeros(5000)}, "iteration": 2})
    last = tmp_path / "last.ckpt"
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes(content)

    with pytest.raises(TrainingError, match=r"last\.ckpt is damaged"):
        load_checkpoint(last)
    assert load_checkpoint(tmp_path)["iteration"] == 1


def test_code_in_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path(tmp_path / "was_run").touch, ())

    (tmp_path / "last.ckpt").write_bytes(pickle.dumps(Hostile(), protocol=2))
    torch.save({"network": Hostile()}, tmp_path / "previous.ckpt")

    with pytest.raises(TrainingError, match=r"last\.ckpt is damaged.*previous\.ckpt is damaged"):
        load_checkpoint(tmp_path)

    assert not (tmp_path / "was_run").exists()


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"last\.ckpt is missing; previous\.ckpt is missing"):
        load_checkpoint(tmp_path)
