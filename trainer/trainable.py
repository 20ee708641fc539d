"""Network, objective, optimiser and average: what training changes, built from the settings."""

from dataclasses import dataclass
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor

from thermoseg.labels import NUM_CLASSES
from trainer.acceleration import compile_network
from trainer.adversarial import Critics
from trainer.config import TrainingConfig, under_key
from trainer.objective import Objective
from trainer.optimiser import MovingAverage, build_optimiser, load_optimiser
from trainer.own_network import build_network
from trainer.parallel import synchronise_batch_norm
from trainer.widening import load_start


@dataclass(frozen=True, slots=True)
class Trainable:
    """The network with what learns beside it, on the device of the run."""

    network: Any
    """The network as Fabric wraps it; `network.module` is the plain one."""
    optimiser: Any
    """The optimiser as Fabric wraps it, of the network's weights and the objective's."""
    objective: Objective
    critics: Critics | None
    average: MovingAverage
    """Average of the weights, which is validated and exported."""
    has_scaler: bool
    """Whether losses are scaled for half precision, which skips steps that are not finite."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold of all parts; those of "critics" may be empty."""
        self.average.copy(self.network.module)
        return {
            "network": self.network.state_dict(),
            "averaged": self.average.module.state_dict(),
            "objective": self.objective.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "critics": {} if self.critics is None else self.critics.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to what `state_dict` returned.

        Raises
        ------
        KeyError, RuntimeError, ValueError
            If it is of other parts.
        """
        self.network.load_state_dict(state["network"])
        self.average.module.load_state_dict(state["averaged"])
        self.objective.load_state_dict(state["objective"])
        load_optimiser(self.optimiser, state["optimiser"])
        if self.critics is not None:
            self.critics.load_state_dict(state["critics"])


def build_trainable(config: TrainingConfig, fabric: Fabric) -> Trainable:
    """Build all parts with their first weights.

    Parameters
    ----------
    config
        Settings of the run.
    fabric
        Fabric of the run: device, precision and processes.

    Raises
    ------
    ConfigError
        If the network or the start weights do not fit.
    """
    run, device = config.run, fabric.device
    with under_key("network"):
        network = build_network(config.network, (config.stream.height, config.stream.width))
    if run.init_from is not None:
        with under_key("run.init_from"):
            load_start(network, run.init_from)
    if run.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = network.to(device)
    # A network of its own, so that validating it disturbs nothing.
    average = MovingAverage(network, config.optimiser.ema)
    if fabric.world_size > 1:
        network = synchronise_batch_norm(network, device)
    # Not set up by Fabric, which would round its input to half precision.
    objective = Objective(config.objective, NUM_CLASSES, network).to(device)
    critics = None
    if config.objective.seg_an > 0 or config.objective.seg_gan > 0:
        critics = Critics(config.objective, NUM_CLASSES).to(device)
    # Fabric cannot clip what a fused optimiser unscales itself.
    clips_scaled = run.precision == "16-mixed" and config.optimiser.clip > 0
    fused = device.type == "cuda" and not clips_scaled
    optimiser = build_optimiser(config.optimiser, [network, objective], fused=fused)
    if run.compile:
        images = fabric.strategy.precision.convert_input(_blank_batch(config, device))
        compile_network(network, images, fabric.autocast)
    prepared: tuple[Any, Any] = fabric.setup(network, optimiser)
    has_scaler = bool(fabric.strategy.precision.state_dict())
    return Trainable(*prepared, objective, critics, average, has_scaler)


def to_device(images: Tensor, device: torch.device, *, channels_last: bool) -> Tensor:
    """Move images (n, 1, h, w) to the device without waiting for it, in the network's layout."""
    images = images.to(device, non_blocking=True)
    return images.contiguous(memory_format=torch.channels_last) if channels_last else images


def _blank_batch(config: TrainingConfig, device: torch.device) -> Tensor:
    images = torch.zeros(config.run.batch, 1, config.stream.height, config.stream.width)
    return to_device(images, device, channels_last=config.run.channels_last)
