import logging
from collections.abc import Callable
from contextlib import nullcontext
from types import MethodType

import pytest
import torch
from torch import Tensor, nn

from trainer.acceleration import compile_network, tune_backends

Call = Callable[[Tensor], Tensor]


def a_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def test_a_network_is_compiled_in_place_under_its_own_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled: list[Call] = []

    def take(call: Call, **_: object) -> Call:
        compiled.append(call)
        return call

    monkeypatch.setattr(torch, "compile", take)
    network = a_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}

    assert compile_network(network, torch.ones(2, 1, 5, 5), nullcontext)

    last = compiled[-1]
    assert isinstance(last, MethodType)
    assert last.__self__ is network
    assert network.state_dict().keys() == before.keys()
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(weight.grad is None for weight in network.parameters())


def test_a_network_that_cannot_be_compiled_goes_on_and_one_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Call, **__: object) -> Call:
        def call(images: Tensor) -> Tensor:
            raise RuntimeError("no C++ compiler\nand a long explanation")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    network = a_network()

    with caplog.at_level(logging.WARNING):
        assert not compile_network(network, torch.ones(2, 1, 5, 5), nullcontext)

    assert caplog.messages == ["run.compile: the network is trained without it (no C++ compiler)"]
    assert network(torch.ones(2, 1, 5, 5)).shape == (2, 2, 3, 3)


@pytest.mark.parametrize(
    ("device", "precision", "benchmark"), [("cpu", [], False), ("cuda", ["high"], True)]
)
def test_only_a_gpu_is_tuned(
    device: str, precision: list[str], benchmark: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[str] = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", chosen.append)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)

    tune_backends(torch.device(device))

    assert chosen == precision
    assert torch.backends.cudnn.benchmark is benchmark
