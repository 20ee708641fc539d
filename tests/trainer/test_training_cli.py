import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from thermoseg.models import load_model
from trainer.checkpoint import load_checkpoint
from trainer.cli import main

RECIPE = """
seed = 3

[network]
name = "unet"
width = 2

[[sources]]
kind = "phantom"

[stream]
height = 64
width = 64
workers = 0

[run]
iterations = {iterations}
batch = 2
threads = 1
accelerator = "cpu"
checkpoint_every_s = 0.2

[validation]
pictures = 4
"""


def a_recipe(tmp_path: Path, iterations: int) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(iterations=iterations))
    return path


def test_train_evaluate_export_gives_a_model_that_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, model = tmp_path / "run", tmp_path / "small.safetensors"

    assert main(["train", str(a_recipe(tmp_path, 3)), "--out", str(run)]) == 0
    assert "finished after 3 iterations" in capsys.readouterr().out
    assert main(["evaluate", str(run)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("plain: mIoU")
    assert "eyebrows" in printed
    assert main(["export", str(run), "--name", "small", "--out", str(model)]) == 0

    network, header = load_model(model)
    averaged = load_checkpoint(run)["averaged"]
    for name, value in network.state_dict().items():
        assert torch.equal(value, averaged[name])
    assert (header.network, header.width, header.seed, header.iterations) == ("unet", 2, 3, 3)
    assert header.command == f"thermoseg-train train {tmp_path}/recipe.toml"
    assert header.phantom_version


def test_a_killed_run_goes_on_and_ends(tmp_path: Path, wait_for: Callable[..., None]) -> None:
    run = tmp_path / "run"
    recipe = a_recipe(tmp_path, 60)
    command = [sys.executable, "-m", "trainer.cli", "train", str(recipe), "--out", str(run)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        wait_for((run / "last.ckpt").exists, timeout_s=60)
        os.kill(child.pid, signal.SIGKILL)
    reached = load_checkpoint(run)["iteration"]

    assert main(["train", "--resume", str(run)]) == 0

    assert 0 < reached < 60
    assert load_checkpoint(run)["iteration"] == 60


def test_a_run_keeps_its_settings_and_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, recipe = tmp_path / "run", a_recipe(tmp_path, 1)
    assert main(["train", str(recipe), "--out", str(run), "--set", "run.batch=3"]) == 0
    assert json.loads((run / "run.json").read_text())["config"]["run"]["batch"] == 3

    assert main(["train", str(recipe), "--out", str(run)]) == 1
    assert "holds a run already" in capsys.readouterr().err
    assert main(["train", "--resume", str(run), "--set", "run.batch=2"]) == 1
    assert "keeps its settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train"], "nothing to train"),
        (["train", "none.toml"], "none.toml: cannot be read"),
        (["train", "--resume", "nowhere"], "holds no run"),
        (["evaluate", "nowhere.ckpt"], "is missing"),
        (["export", "nowhere", "--name", "x", "--out", "x.safetensors"], "is missing"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1

    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
