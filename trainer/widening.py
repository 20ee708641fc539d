"""A trained network as the start of a wider one of the same kind.

Function-preserving widening after Chen, Goodfellow and Shlens, "Net2Net", ICLR 2016: every channel
is copied, and what is made of the copies is shared out among them, so that the wide network
begins with exactly the answers of the narrow one and only gets better from there.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from thermoseg.errors import TrainingError
from thermoseg.models import load_model
from trainer.checkpoint import load_checkpoint

UNEVENNESS = 0.1
"""Spread of the copies' weights; equal copies would get equal gradients and stay copies."""


def load_start(network: nn.Module, path: Path) -> None:
    """Start `network` with the weights of a model file or checkpoint, widened where it is wider.

    Raises
    ------
    ModelError, TrainingError
        If the file cannot be loaded, or its weights do not fit.
    """
    try:
        if path.suffix == ".safetensors":
            weights = load_model(path)[0].state_dict()
        else:
            weights = load_checkpoint(path)["averaged"]
        network.load_state_dict(widen(weights, network.state_dict()))
    except ValueError as error:
        raise TrainingError(
            f"{path}: its weights do not fit the network ({error}); set network.name as it was and "
            f"network.width to a multiple"
        ) from error


def widen(narrow: dict[str, Tensor], wide: dict[str, Tensor], seed: int = 0) -> dict[str, Tensor]:
    """Spread the weights of a network over one whose every level is k times as wide.

    Channel c becomes the neighbours kc … kc + k - 1, an order that concatenation keeps.

    Parameters
    ----------
    narrow
        State of the trained network.
    wide
        State of the network to start, for names and shapes; left untouched.
    seed
        Seed of the uneven weights among copies.

    Returns
    -------
    A state for the wide network with the same answers, up to rounding.

    Raises
    ------
    ValueError
        If names differ, or a size is no multiple of the narrow one.
    """
    if narrow.keys() != wide.keys():
        raise ValueError(
            "the networks have different layers, so one cannot be widened to the other"
        )
    generator = torch.Generator().manual_seed(seed)
    return {name: _spread(narrow[name], wide[name], name, generator) for name in wide}


def _spread(weight: Tensor, like: Tensor, name: str, generator: torch.Generator) -> Tensor:
    # Outputs are copied along axis 0.  Along axis 1 the copies of an input share its weight: random
    # parts that sum to 1, so that the sum over all copies, and with it the answer, stays.  Vectors
    # (biases, norms) have no inputs and are copied only.
    if weight.ndim != like.ndim or any(
        new % old for old, new in zip(weight.shape, like.shape, strict=True)
    ):
        raise ValueError(
            f"{name}: {tuple(like.shape)} is no multiple of {tuple(weight.shape)}; choose a width "
            f"that is"
        )
    if weight.ndim == 0:
        return weight.clone()
    spread = weight.repeat_interleave(like.shape[0] // weight.shape[0], dim=0)
    if weight.ndim < 2:
        return spread
    copies = like.shape[1] // weight.shape[1]
    weights = 1 + UNEVENNESS * torch.randn((*weight.shape[:2], copies), generator=generator)
    weights = (weights / weights.sum(2, keepdim=True)).flatten(1)
    weights = weights.repeat_interleave(like.shape[0] // weight.shape[0], dim=0)
    spread = spread.repeat_interleave(copies, dim=1)
    return spread * weights.view(*weights.shape, *[1] * (weight.ndim - 2))
