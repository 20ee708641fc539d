"""`thermoseg-train export`: model files and ONNX, of our networks and of the user's."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from thermoseg.frames import Frame
from thermoseg.inference.choose import choose_segmenter
from thermoseg.models import load_model, load_onnx, read_header
from trainer.checkpoint import load_checkpoint
from trainer.cli import main

RECIPE = """
seed = 3
network = {{ name = "{name}", width = 4 }}
sources = [{{ kind = "phantom" }}]
stream = {{ height = 64, width = 64, workers = 0 }}
run = {{ iterations = 1, batch = 2, threads = 1, accelerator = "cpu" }}
validation = {{ pictures = 2 }}
"""

NETWORK = """
import torch


class Mine(torch.nn.Module):
    def __init__(self, num_classes, width, in_channels):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(in_channels, width, 5, padding=2),
            torch.nn.BatchNorm2d(width),
            torch.nn.ReLU(),
            torch.nn.Conv2d(width, num_classes, 1),
        )

    def forward(self, images):
        return self.layers(images)
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs `ours` and `mine`, and the network of the latter."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "nets_of_mine.py").write_text(NETWORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for run, name in (("ours", "unet"), ("mine", "nets_of_mine:Mine")):
            (folder / f"{run}.toml").write_text(RECIPE.format(name=name))
            assert main(["train", f"{run}.toml", "--out", run]) == 0
    return folder


@pytest.fixture(autouse=True)
def _where_it_was_trained(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs)
    monkeypatch.setenv("XDG_CACHE_HOME", str(runs / "cache"))


def test_onnx_and_model_file_of_a_run_give_the_same_labels(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for out in ("ours.onnx", "ours.safetensors"):
        assert main(["export", "ours", "--name", "ours", "--out", out, "--data", "phantom"]) == 0
        assert out in capsys.readouterr().out

    onnx.checker.check_model("ours.onnx", full_check=True)
    written, kept = read_header(Path("ours.onnx")), read_header(Path("ours.safetensors"))
    unequal = {"tensors_sha256"}
    assert written.model_dump(exclude=unequal) == kept.model_dump(exclude=unequal)
    assert datetime.fromisoformat(kept.trained_utc) <= datetime.now(UTC)
    assert (written.network, written.data, written.iterations) == ("unet", "phantom", 1)
    celsius = np.linspace(20, 35, 64 * 64, dtype=np.float32).reshape(64, 64)
    frame = Frame(np.zeros((64, 64), np.uint16), celsius, 0, 0.0, 0.0)
    from_onnx = choose_segmenter("ours.onnx", threads=1).segment(frame).labels
    np.testing.assert_array_equal(
        from_onnx, choose_segmenter("ours.safetensors", "torch").segment(frame).labels
    )
    assert main(["evaluate", "ours.onnx", "--config", "ours.toml"]) == 1
    assert "ONNX files cannot be evaluated" in capsys.readouterr().err


def test_a_network_of_ones_own_is_trained_evaluated_and_exported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["evaluate", "mine"]) == 0
    assert "mIoU" in capsys.readouterr().out
    assert main(["export", "mine", "--name", "mine", "--out", "mine.onnx"]) == 0

    header = load_onnx(Path("mine.onnx"))[1]
    assert header.network == "own"
    assert "Network nets_of_mine:Mine." in header.notes
    assert choose_segmenter("mine.onnx", threads=1).model_name == "mine"
    assert "layers.0.weight" in load_checkpoint(Path("mine"))["averaged"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mine", "--out", "mine.safetensors"], "never name code; export it with --out mine.onnx"),
        (["ours", "--out", "ours.pth"], "must end in .safetensors or .onnx"),
        (["ours", "--out", "ours.onnx", "--half"], "--half is for .safetensors files"),
        (["ours", "--out", "ours.onnx", "--name", "a b"], "--name a b: must be letters"),
        (["ours", "--out", "mine.toml/ours.safetensors"], "cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--name", "any", *arguments]) == 1

    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_network_that_has_changed_since_is_refused(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wider = NETWORK.replace("5, padding=2", "3, padding=1").replace("Mine", "Mine2")
    namespace: dict[str, type[torch.nn.Module]] = {}
    exec(wider, namespace)
    monkeypatch.setattr("nets_of_mine.Mine", namespace["Mine2"])

    assert main(["export", str(runs / "mine"), "--name", "x", "--out", "x.onnx"]) == 1

    assert "its weights do not fit nets_of_mine:Mine" in capsys.readouterr().err


def test_the_weights_are_the_averaged_ones() -> None:
    assert main(["export", "ours", "--name", "ours", "--out", "same.safetensors"]) == 0

    weights = load_model(Path("same.safetensors"))[0].state_dict()
    averaged = load_checkpoint(Path("ours"))["averaged"]
    assert all(torch.equal(weights[name], averaged[name]) for name in averaged)
