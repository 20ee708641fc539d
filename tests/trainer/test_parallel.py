import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from thermoseg.errors import ConfigError
from trainer.checkpoint import load_checkpoint
from trainer.cli import main
from trainer.config import RunConfig
from trainer.parallel import SyncBatchNorm, open_fabric, synchronise_batch_norm

RECIPE = """
seed = 3

[network]
name = "unet"
width = 4

[[sources]]
kind = "phantom"

[stream]
height = 48
width = 48
workers = 0
lanes = 1
repeats = 3

[objective]
cross_entropy = 1.0
dice = 1.0
rmi = 0.2
sam_cl = 0.2
class_weights = [0.5, 1.0, 2.0, 2.0, 2.0, 1.0]

[optimiser]
name = "sgd"
learning_rate = 0.02

[run]
iterations = 4
batch = 2
threads = 1
accelerator = "cpu"

[validation]
pictures = 4
"""

STOPPED_IN_THE_SECOND_PROCESS = """
import os, signal
from trainer import cli, loop

step = loop.Training._step

def stopping(self, *arguments):
    losses = step(self, *arguments)
    if os.environ["RANK"] == "1" and self.iteration == 1:
        os.kill(os.getpid(), signal.SIGTERM)
    return losses

loop.Training._step = stopping
cli.run()
"""

BESIDE_A_GPU = """
import torch
torch.cuda.is_available = lambda: True
from trainer import cli

cli.run()
"""

GRADIENTS = """
import sys, torch
from tests.trainer.test_parallel import a_batch, a_loss, a_network
from trainer.config import RunConfig
from trainer.parallel import average, close_fabric, end_process, gather_batch, open_fabric
from trainer.parallel import synchronise_batch_norm

fabric = open_fabric(RunConfig(iterations=1, accelerator="cpu"))
torch.manual_seed(0)
network = synchronise_batch_norm(a_network(), fabric.device)
part = a_batch()[fabric.global_rank * 2 :][:2]
a_loss(gather_batch(network(part))).backward()
gradients = [weight.grad for weight in network.parameters()]
average(fabric, gradients)
torch.save([gradients, network.state_dict()], sys.argv[1] + str(fabric.global_rank))
close_fabric()
end_process(0)
"""

GIVEN_BACK_LATE = """
import torch
from torch import distributed
from trainer.config import RunConfig
from trainer.parallel import close_fabric, end_process, open_fabric

open_fabric(RunConfig(iterations=1, accelerator="cpu"))
whole = torch.ones(4_000_000)
for _ in range(200):
    distributed.all_reduce(whole.view(-1), async_op=True)
close_fabric()
print("done")
end_process(7)
"""


def a_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2)
    ).double()


def a_batch() -> Tensor:
    return torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(5)).double()


def a_loss(features: Tensor) -> Tensor:
    """No mean over pictures: it looks at the batch as a whole."""
    return features.exp().sum().log() * features.square().mean().sqrt()


def run_two(arguments: list[str]) -> list[tuple[int, str]]:
    """Start two processes as torchrun would; return what each ended with and said."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        "TORCHELASTIC_RUN_ID": "test",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    children = [
        subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    ended = []
    try:
        for child in children:
            said, _ = child.communicate(timeout=300)
            ended.append((child.returncode, said))
    finally:
        for child in children:
            with child:
                child.kill()
    return ended


@pytest.mark.timeout(600)
def test_gradients_of_two_processes_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = a_network()
    a_loss(network(a_batch())).backward()  # type: ignore[no-untyped-call]  # torch's

    ended = run_two(["-c", GRADIENTS, str(tmp_path / "gradients")])

    assert [code for code, _ in ended] == [0, 0], ended
    for rank in (0, 1):
        gradients, state = torch.load(tmp_path / f"gradients{rank}", weights_only=True)
        for found, weight in zip(gradients, network.parameters(), strict=True):
            torch.testing.assert_close(found, weight.grad, rtol=1e-10, atol=1e-12)
        assert state.keys() == network.state_dict().keys()
        for name, value in network.state_dict().items():
            torch.testing.assert_close(state[name], value, rtol=1e-10, atol=1e-12)


@pytest.mark.timeout(600)
def test_processes_end_though_a_thread_still_holds_tensors() -> None:
    ended = run_two(["-c", GIVEN_BACK_LATE])

    assert [code for code, _ in ended] == [7, 7], ended
    assert all(said.endswith("done\n") for _, said in ended)


@pytest.mark.timeout(600)
def test_two_processes_stopped_and_resumed_make_the_model_of_one_with_the_doubled_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, two, one = tmp_path / "recipe.toml", tmp_path / "two", tmp_path / "one"
    recipe.write_text(RECIPE)

    stopped = run_two(
        ["-c", STOPPED_IN_THE_SECOND_PROCESS, "train", str(recipe), "--out", str(two)]
    )
    reached = load_checkpoint(two)["iteration"]
    resumed = run_two(["-m", "trainer.cli", "train", "--resume", str(two)])
    assert main(["train", str(recipe), "--out", str(one), "--set", "run.batch=4"]) == 0

    assert [code for code, _ in stopped] == [3, 3], stopped
    assert [code for code, _ in resumed] == [0, 0], resumed
    assert reached == 2
    assert stopped[1][1] == resumed[1][1] == ""
    expected, found = load_checkpoint(one), load_checkpoint(two)
    for part in ("network", "averaged", "objective"):
        for name, value in expected[part].items():
            # Rounding alone was 7e-7 at most; how convolutions sum differs between processors.
            torch.testing.assert_close(found[part][name], value, rtol=2e-5, atol=5e-6)
    facts = [line["run"] for line in lines_of(two) if "run" in line]
    assert [(fact["processes"], fact["batch"]) for fact in facts] == [(2, 4)] * 2
    assert [fact["resumed"] for fact in facts] == [False, True]
    assert [line["iteration"] for line in lines_of(two) if "validation" in line] == [4]


@pytest.mark.timeout(600)
def test_two_processes_run_on_the_cpu_of_a_machine_that_has_a_gpu(tmp_path: Path) -> None:
    recipe, two, one = tmp_path / "recipe.toml", tmp_path / "two", tmp_path / "one"
    recipe.write_text(RECIPE)
    seldom = ["--set", "run.read_every=3", "--set", "run.joint_loss=false"]
    # Cross-entropy alone is a mean over pixels, the same for two halves as for the whole.
    means = [f"--set=objective.{name}=0" for name in ("dice", "rmi", "sam_cl")]
    means.append("--set=objective.class_weights=[]")

    ended = run_two(["-c", BESIDE_A_GPU, "train", str(recipe), "--out", str(two), *seldom, *means])
    arguments = ["train", str(recipe), "--out", str(one), "--set", "run.batch=4", *means]
    assert main(arguments) == 0

    assert [code for code, _ in ended] == [0, 0], ended
    expected, found = load_checkpoint(one), load_checkpoint(two)
    assert found["iteration"] == 4
    for name, value in expected["network"].items():
        torch.testing.assert_close(found["network"][name], value, rtol=2e-5, atol=5e-6)
    assert [line["iteration"] for line in lines_of(two) if "validation" in line] == [4]


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_normalisation_is_replaced_in_place_and_keeps_its_state() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Sequential(nn.BatchNorm2d(3, momentum=0.3)))
    network(torch.randn(2, 1, 5, 5))
    before = {name: value.clone() for name, value in network.state_dict().items()}

    shared = synchronise_batch_norm(network, torch.device("cpu"))

    norm = shared.get_submodule("1.0")
    assert type(norm) is SyncBatchNorm
    assert norm.momentum == 0.3
    assert shared.state_dict().keys() == before.keys()
    for name, value in shared.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("device", "expected"), [("cpu", SyncBatchNorm), ("cuda", nn.SyncBatchNorm)]
)
def test_the_device_of_the_run_chooses_the_normalisation(
    device: str, expected: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: device == "cpu")

    shared = synchronise_batch_norm(a_network(), torch.device(device))

    assert [type(shared.get_submodule(place)) for place in ("1", "4")] == [expected] * 2


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"devices": 3}, r"run\.devices: 3 on 1 nodes are 3 processes and torchrun has started 2"),
        ({"precision": "16-mixed"}, r"run\.precision: 16-mixed needs a GPU"),
        ({"accelerator": "cuda"}, r"run\.accelerator: PyTorch finds no CUDA device"),
    ],
)
def test_a_device_that_does_not_fit_is_named(
    run: dict[str, object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")

    with pytest.raises(ConfigError, match=said):
        open_fabric(RunConfig.model_validate({"iterations": 1, **run}))
