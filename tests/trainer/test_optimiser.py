import copy
from typing import Literal

import pytest
import torch
from torch import nn

from trainer.config import OptimiserConfig
from trainer.optimiser import MovingAverage, build_optimiser, load_optimiser, schedule_factor


def a_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3))


def learn(network: nn.Module, seed: int) -> None:
    """Change weights, statistics and the count of batches."""
    generator = torch.Generator().manual_seed(seed)
    network(torch.randn(2, 1, 8, 8, generator=generator))
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator))


@pytest.mark.parametrize("decay", [0.4, 0.998])
def test_the_average_is_that_of_the_formula(decay: float) -> None:
    network = a_network()
    average = MovingAverage(network, decay)
    expected = copy.deepcopy(network.state_dict())

    for iteration in range(20):
        learn(network, iteration)
        average.update(network, iteration)
        kept = min(decay, (1 + iteration) / (10 + iteration))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                expected[name].lerp_(value, 1 - kept)
            else:
                expected[name] = value.clone()

    found = average.module.state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    assert found["1.num_batches_tracked"] == 20


def test_without_a_decay_nothing_is_averaged_until_it_is_asked_for() -> None:
    network = a_network()
    first = copy.deepcopy(network.state_dict())
    average = MovingAverage(network, 0.0)

    learn(network, 1)
    average.update(network, 0)
    unchanged = copy.deepcopy(average.module.state_dict())
    average.copy(network)

    for name, value in network.state_dict().items():
        assert torch.equal(unchanged[name], first[name])
        assert torch.equal(average.module.state_dict()[name], value)


def test_an_average_is_never_replaced_by_the_present_weights() -> None:
    network = a_network()
    average = MovingAverage(network, 0.9)
    learn(network, 1)
    average.update(network, 0)
    before = copy.deepcopy(average.module.state_dict())

    average.copy(network)

    assert all(torch.equal(before[n], value) for n, value in average.module.state_dict().items())


def test_the_average_learns_nothing_by_itself() -> None:
    average = MovingAverage(a_network(), 0.9)

    assert not any(weight.requires_grad for weight in average.module.parameters())
    assert not any(module.training for module in average.modules())


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
@pytest.mark.parametrize(("was_fused", "is_fused"), [(False, True), (True, False)])
def test_a_state_of_another_device_is_loaded_and_the_own_way_kept(
    kind: Literal["adamw", "sgd"], was_fused: bool, is_fused: bool
) -> None:
    config = OptimiserConfig(name=kind)
    network, other = nn.Conv2d(1, 3, 3), nn.Conv2d(1, 3, 3)
    saved = build_optimiser(config, [network], fused=was_fused)
    network(torch.ones(1, 1, 8, 8)).square().sum().backward()
    saved.step()
    optimiser = build_optimiser(config, [other], fused=is_fused)

    load_optimiser(optimiser, copy.deepcopy(saved.state_dict()))
    other.load_state_dict(network.state_dict())
    for each in (network, other):
        each.zero_grad()
        each(torch.ones(1, 1, 8, 8)).square().sum().backward()
    saved.step()
    optimiser.step()

    assert {bool(group["fused"]) for group in optimiser.param_groups} == {is_fused}
    for own, theirs in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(own, theirs)


def test_norms_and_biases_do_not_decay() -> None:
    optimiser = build_optimiser(OptimiserConfig(weight_decay=0.1), [a_network()])

    decays = {
        weight.ndim: group["weight_decay"]
        for group in optimiser.param_groups
        for weight in group["params"]
    }
    assert decays == {4: 0.1, 1: 0.0}


@pytest.mark.parametrize(
    ("schedule", "at_half"),
    [("cosine", 0.5), ("one_cycle", 0.5), ("poly", 0.5**0.9), ("constant", 1.0)],
)
def test_the_learning_rate_rises_and_falls(
    schedule: Literal["cosine", "one_cycle", "poly", "constant"], at_half: float
) -> None:
    config = OptimiserConfig(schedule=schedule, warm_up=0.1)

    assert schedule_factor(config, 0.0) < 0.02
    assert schedule_factor(config, 0.1) == pytest.approx(1.0)
    assert schedule_factor(config, 0.55) == pytest.approx(at_half)
    assert schedule_factor(config, 1.0) == (1.0 if schedule == "constant" else 0.0)
