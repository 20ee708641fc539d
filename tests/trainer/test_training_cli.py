import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.conftest import WaitFor
from thermoseg.errors import TrainingError
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


def test_a_run_that_an_older_version_began_is_finished_and_evaluated(tmp_path: Path) -> None:
    run, recipe = tmp_path / "run", a_recipe(tmp_path, 2)
    with recipe.open("a") as text:
        text.write("[tiaug]\nocclude = 0.2\n")
    assert main(["train", str(recipe), "--out", str(run)]) == 0
    about = json.loads((run / "run.json").read_text())
    about["config"]["tiaug"] |= {"height": 256, "width": 320}
    about["config"]["run"]["iterations"] = 3
    del about["process"]
    for key in ("read_every", "compile"):
        del about["config"]["run"][key]
    (run / "run.json").write_text(json.dumps(about))
    state = load_checkpoint(run)
    torch.save({**state, "config": json.dumps(about["config"])}, run / "last.ckpt")

    assert main(["train", "--resume", str(run)]) == 0
    assert json.loads((run / "run.json").read_text())["process"]["pid"] == os.getpid()
    assert load_checkpoint(run)["iteration"] == 3
    assert main(["evaluate", str(run / "previous.ckpt")]) == 0


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


def killed(command: list[str], is_time: Callable[[], object], wait: WaitFor) -> None:
    """Start `command` and kill it without warning as soon as `is_time`."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        wait(lambda: is_time() or child.poll() is not None, timeout_s=120)
        child.kill()


@pytest.mark.timeout(300)
def test_a_killed_run_goes_on_and_ends(tmp_path: Path, wait_for: WaitFor) -> None:
    run, recipe = tmp_path / "run", a_recipe(tmp_path, 60)
    train = [sys.executable, "-m", "trainer.cli", "train"]

    killed(
        [*train, str(recipe), "--out", str(run), "--set", "run.checkpoint_every=1"],
        (run / "previous.ckpt").exists,
        wait_for,
    )
    reached = load_checkpoint(run)["iteration"]
    killed([*train, "--resume", str(run)], lambda: _half_checkpoints(run), wait_for)

    assert main(["train", "--resume", str(run)]) == 0
    assert 0 < reached < 60
    assert load_checkpoint(run)["iteration"] == 60
    assert not _half_checkpoints(run)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_twenty_kills_at_any_moment_cost_nothing(tmp_path: Path, wait_for: WaitFor) -> None:
    whole, run, recipe = tmp_path / "whole", tmp_path / "run", a_recipe(tmp_path, 2000)
    settings = ["--set", "run.checkpoint_every=3", "--set", "run.validate_every=50"]
    rng, reached = random.Random(1), []

    for kill in range(20):
        start = ["--resume", str(run)]
        if not (run / "run.json").exists():
            start = [str(recipe), "--out", str(run), *settings]
        began = _iteration_of(run)
        steps = rng.randint(1, 60)
        is_time = (
            partial(_half_checkpoints, run)
            if kill % 2
            else lambda began=began, steps=steps: _iteration_of(run) >= began + steps
        )
        killed([sys.executable, "-m", "trainer.cli", "train", *start], is_time, wait_for)
        reached.append(load_checkpoint(run)["iteration"])

    assert main(["train", "--resume", str(run)]) == 0
    assert main(["train", str(recipe), "--out", str(whole), *settings]) == 0
    assert reached == sorted(reached)
    expected, found = load_checkpoint(whole)["averaged"], load_checkpoint(run)["averaged"]
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def _half_checkpoints(run: Path) -> list[Path]:
    return list(run.glob(".last.ckpt.*"))


def _iteration_of(run: Path) -> int:
    """Return the iteration of the newest checkpoint, 0 without one."""
    try:
        return int(load_checkpoint(run)["iteration"])
    except TrainingError:
        return 0


def test_a_run_that_saved_nothing_yet_starts_from_its_beginning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["train", str(a_recipe(tmp_path, 2)), "--out", str(run)]) == 0
    for checkpoint in run.glob("*.ckpt"):
        checkpoint.unlink()

    assert main(["train", "--resume", str(run)]) == 0

    assert "starts from its beginning" in capsys.readouterr().out
    assert load_checkpoint(run)["iteration"] == 2


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
        (["train", "{recipe}", "--set", "run.init_from='no.ckpt'"], "run.init_from: no.ckpt"),
        (["train", "{recipe}", "--set", "validation.look_at=['no.png']"], "validation.look_at: "),
        (["train", "{recipe}", "--set", "validation.look_at=['none']"], "validation.look_at: none"),
        (["train", "{recipe}", "--set", "network.name='nonet'"], "network.name: no network"),
        (
            ["train", "{recipe}", "--set", "sources=[{kind='folder', path='none'}]"],
            "sources.0: none: is no folder",
        ),
        (["evaluate", "run.onnx"], "ONNX files cannot be evaluated"),
        (["train", "{recipe}", "--set", "run.batch=x"], "run.batch: Input should be"),
        (["train", "{recipe}", "--out", "/proc/no/run"], "cannot be written"),
        (["evaluate", "nowhere.ckpt"], "is missing"),
        (["export", "nowhere", "--name", "x", "--out", "x.safetensors"], "is missing"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = str(a_recipe(tmp_path, 1))
    if "{recipe}" in arguments and "--out" not in arguments:
        arguments = [*arguments, "--out", str(tmp_path / "run")]

    assert main([recipe if part == "{recipe}" else part for part in arguments]) == 1

    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_interrupted_before_it_begins_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        """Stands for PyTorch, which takes seconds to load."""

        def __getattr__(self, _name: str) -> object:
            raise KeyboardInterrupt

    recipe, run = a_recipe(tmp_path, 1), tmp_path / "deep" / "run"
    monkeypatch.setitem(sys.modules, "trainer.checkpoint", Interrupted())

    assert main(["train", str(recipe), "--out", str(run)]) == 130
    assert not run.parent.exists()


def test_what_was_refused_may_be_corrected_and_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, recipe = tmp_path / "run", str(a_recipe(tmp_path, 1))
    run.mkdir()
    (run / "notes.txt").write_text("mine")
    train = ["train", recipe, "--out", str(run)]
    with monkeypatch.context() as crowded:
        crowded.setattr("trainer.memory.free_bytes", lambda _: 1)
        assert main(train) == 1
    assert "run.batch: 2 pictures" in capsys.readouterr().err
    assert [path.name for path in run.iterdir()] == ["notes.txt"]

    assert main(train) == 0
    assert load_checkpoint(run)["iteration"] == 1


def test_evaluate_looks_at_other_data_as_the_network_sees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, recipe = tmp_path / "run", str(a_recipe(tmp_path, 1))
    assert main(["train", recipe, "--out", str(run)]) == 0
    other = ["--set", "sources.0.scene=wild"]
    capsys.readouterr()

    printed = []
    for arguments in (
        [],
        other,
        ["--config", recipe, *other],
        ["--config", recipe, *other, "--set", "stream.normalisations=['minmax']"],
    ):
        assert main(["evaluate", str(run), *arguments]) == 0
        printed.append(capsys.readouterr().out)

    assert printed[0] != printed[1]
    assert printed[1] == printed[2] == printed[3]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_making_face_accurate_goes_on_with_a_run_that_saved_nothing_yet(tmp_path: Path) -> None:
    train = tmp_path / "bin" / "thermoseg-train"
    train.parent.mkdir()
    train.write_text('#!/bin/sh\necho "$1 $2 $3" >> calls\n')
    train.chmod(0o755)
    makefile = Path(__file__).parents[2] / "Makefile"
    make = ["make", "-f", str(makefile), "BIN=bin", "INSTALLED=", "face-accurate"]

    subprocess.run(make, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "runs" / "face-accurate").mkdir(parents=True)
    (tmp_path / "runs" / "face-accurate" / "run.json").touch()
    subprocess.run(make, cwd=tmp_path, check=True, capture_output=True)

    assert (tmp_path / "calls").read_text().splitlines() == [
        "train assets/training/face-accurate.toml --out",
        "export runs/face-accurate --name",
        "train --resume runs/face-accurate",
        "export runs/face-accurate --name",
    ]
