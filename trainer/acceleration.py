"""Settings that make training fast on a GPU and change nothing on a CPU."""

import copy
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)


def tune_backends(device: torch.device) -> None:
    """Let a GPU multiply in TF32 and try out its convolutions; a CPU is left as it is.

    TF32 keeps the range of float32 with 10 bits of its mantissa (NVIDIA, Ampere whitepaper, 2020).
    Trying out pays because all batches of a run have the same shape.
    """
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True


def compile_network(
    network: nn.Module,
    images: Tensor,
    autocast: Callable[[], AbstractContextManager[object]],
) -> bool:
    """Compile `network` in place; leave it as it is, and say so once, where that fails.

    A copy is compiled and tried first, forward and backward, because a compiler shows what it
    cannot do no sooner than with its first batch.

    Parameters
    ----------
    network
        On its device; keeps its weights, statistics and the names of both.
    images
        (n, 1, h, w), a batch as it will come.
    autocast
        Opens the precision of the run.

    Returns
    -------
    Whether it is compiled.
    """
    trial = copy.deepcopy(network).train()
    trial.compile()
    try:
        with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
            with autocast():
                logits = trial(images)
            logits.float().sum().backward()
    except (RuntimeError, ImportError, OSError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        log.warning("run.compile: the network is trained without it (%s)", said[0])
        return False
    network.compile()
    return True
