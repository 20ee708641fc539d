"""The optimiser, the schedule of its learning rate, and the moving average of the weights."""

import math
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from trainer.config import OptimiserConfig


def build_optimiser(
    config: OptimiserConfig, modules: list[nn.Module], *, fused: bool = False
) -> torch.optim.Optimizer:
    """Build the optimiser of all weights of `modules`; norms and biases do not decay.

    Parameters
    ----------
    config
        Kind and settings.
    modules
        Whose weights it changes.
    fused
        Whether one kernel updates all weights, which GPUs are fast at; rounds differently.
    """
    weights = [value for module in modules for value in module.parameters()]
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.name == "sgd":
        rate, momentum = config.learning_rate, config.momentum
        return torch.optim.SGD(groups, rate, momentum=momentum, fused=fused or None)
    return torch.optim.AdamW(groups, config.learning_rate, fused=fused or None)


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load a state that may come from another device: what is fused here stays fused.

    Raises
    ------
    ValueError
        If it is of other weights.
    """
    saved = state["param_groups"]
    own = optimiser.param_groups
    groups = [
        {**group, "fused": own[min(number, len(own) - 1)]["fused"]}
        for number, group in enumerate(saved)
    ]
    optimiser.load_state_dict({**state, "param_groups": groups})


def schedule_factor(config: OptimiserConfig, fraction: float) -> float:
    """Return the learning rate at `fraction` (0-1) of a run, relative to the highest.

    "poly" is (1 - f)^0.9, the schedule of the paper's code; "one_cycle" rises and falls along
    half cosines (Smith & Topin 2017); both others fall along one or not at all.
    """
    # The warm-up begins a little above 0 (1e-3 of a run ahead), or the first step would be wasted.
    # Behind it `done` counts 0-1 anew and the curve ends at `config.final` of the highest rate.
    fraction = min(max(fraction, 0.0), 1.0)
    if fraction < config.warm_up:
        rise = (fraction + 1e-3) / (config.warm_up + 1e-3)
        return 0.5 - 0.5 * math.cos(math.pi * rise) if config.schedule == "one_cycle" else rise
    done = (fraction - config.warm_up) / (1 - config.warm_up)
    match config.schedule:
        case "cosine" | "one_cycle":
            height = 0.5 + 0.5 * math.cos(math.pi * done)
        case "poly":
            height = (1 - done) ** 0.9
        case _:
            return 1.0
    return config.final + (1 - config.final) * height


class MovingAverage(AveragedModel):
    """Exponential moving average of a network's weights and statistics, in a network of its own.

    The decay is min(`decay`, (1 + i) / (10 + i)) at iteration i, so that the first weights, which
    have learnt nothing, are forgotten soon.  With a decay of 0 nothing is averaged: `update` does
    nothing, and `copy` brings the present weights whenever they are needed.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Copy `network`; the copy has no gradients and is in evaluation mode for good.

        Parameters
        ----------
        network
            On its device already.
        decay
            Highest decay, 0-1.
        """
        super().__init__(network, use_buffers=True)
        self.decay = decay
        self._pairs: list[tuple[Tensor, Tensor]] = []
        """Each tensor of the average and of the network that it follows."""
        self.eval().requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self, network: nn.Module, iteration: int) -> None:
        """Move the average towards the weights of `network` after step `iteration`, from 0.

        It is the same network each time, which loads and moves its weights in place.
        """
        if self.decay > 0:
            self._move(network, 1 - min(self.decay, (1 + iteration) / (10 + iteration)))

    @torch.no_grad()
    def copy(self, network: nn.Module) -> None:
        """Take the weights of `network` over if nothing is averaged."""
        if self.decay == 0:
            self._move(network, 1.0)

    def _move(self, network: nn.Module, weight: float) -> None:
        # Not `update_parameters`, which reads its counter of updates from the GPU at each step,
        # starts with a plain copy and would round the average of integer statistics.
        # To list the tensors of a large network takes tens of milliseconds.  They stay the same
        # once it trains; before, normalisation that is synchronised is put in its place.
        if not self._pairs:
            self._pairs = list(zip(_state(self.module), _state(network), strict=True))
        floats = [pair for pair in self._pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_([own for own, _ in floats], [new for _, new in floats], weight)
        for own, new in self._pairs:
            if not own.is_floating_point():
                own.copy_(new)


def _state(network: nn.Module) -> chain[Tensor]:
    return chain(network.parameters(), network.buffers())
