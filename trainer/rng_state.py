"""The random generators of a training process: seeding them, and their states in checkpoints."""

import random
from typing import Any

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed all generators that a network might draw from; batches have generators of their own."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - whatever a user's own network uses


def read_rng_state(device: torch.device) -> dict[str, Any]:
    """Return the states of all generators as numbers, texts and tensors.

    Parameters
    ----------
    device
        Device of the network; a GPU has a generator of its own.
    """
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - see seed_everything
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "numpy": [str(kind), torch.from_numpy(np.asarray(keys, np.int64)), *rest],
        "python": random.getstate(),
    }


def restore_rng_state(state: dict[str, Any], device: torch.device) -> None:
    """Set all generators to what `read_rng_state` returned.

    Raises
    ------
    KeyError
        If a generator is missing.
    """
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    random.setstate(state["python"])
