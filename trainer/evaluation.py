"""Predicting labels and counting how they agree with the truth: the one way to evaluate a network.

The training loop, `thermoseg-train evaluate` and the tables of the paper all come here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trainer.config import RunConfig
from trainer.datasets import to_tensors
from trainer.metrics import Confusion
from trainer.sources import Picture


def choose_device(run: RunConfig) -> torch.device:
    """Choose where a network is evaluated: on a GPU if there is one and the run may use it."""
    has_gpu = torch.cuda.is_available() and run.accelerator != "cpu"
    return torch.device("cuda" if has_gpu else "cpu")


def predict(
    network: nn.Module,
    pictures: Sequence[Picture],
    batch: int,
    device: torch.device,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Iterator[NDArray[np.uint8]]:
    """Yield the predicted labels (h, w) of each picture, in order.

    Parameters
    ----------
    network
        On `device` and in evaluation mode.
    pictures
        Normalised, (h, w) float32, with any labels.
    batch
        Pictures that pass the network together.
    autocast
        Opens the precision; float32 without it.
    """
    for first in range(0, len(pictures), batch):
        images, _ = to_tensors(list(pictures[first : first + batch]))
        # Left before each yield: inference mode would hold for whoever takes the labels, too.
        with torch.inference_mode(), autocast():
            labels = network(images.to(device)).argmax(1).to("cpu", torch.uint8)
        yield from labels.numpy()


def count_pixels(pictures: Iterable[Picture], predicted: Iterable[NDArray[np.uint8]]) -> Confusion:
    """Count pixels by true and predicted label.

    Raises
    ------
    ValueError
        If there are not as many predictions as pictures, or a size differs.
    """
    confusion = Confusion()
    for (_, truth), labels in zip(pictures, predicted, strict=True):
        confusion.add(truth, labels)
    return confusion


def evaluate(
    network: nn.Module, pictures: Sequence[Picture], batch: int, device: torch.device
) -> Confusion:
    """Move `network` to `device` and compare its predictions with the true labels.

    Parameters
    ----------
    network, pictures, batch, device
        As in `predict`; the network stays on `device` and in evaluation mode.
    """
    network.to(device).eval()
    return count_pixels(pictures, predict(network, pictures, batch, device))
