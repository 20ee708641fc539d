"""TiAug and SAM-CL for somebody else's training loop, in five lines.

The loop, its network, data and optimiser stay whoever's they are; see "In your own loop" in the
README.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from thermoseg.preprocess import Normalisation, normalise
from trainer.losses import RegionMutualInformation, rmi_loss
from trainer.metrics import NO_LABEL
from trainer.samcl import SamClLoss, Triplets
from trainer.tiaug import DEFAULT_SHAPE, TiAug, TiAugConfig


class SamClOptimizer:
    """Augments batches, computes the loss of the paper, and takes the steps of an optimiser.

    The weights of SAM-CL's auxiliary network join the optimiser as a parameter group of their own,
    so build learning-rate schedules afterwards.  With `seed`, everything drawn here repeats.
    """

    def __init__(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        num_classes: int = 6,
        *,
        tiaug: TiAugConfig | None = None,
        shape: tuple[int, int] = DEFAULT_SHAPE,
        normalisation: Normalisation = "minmax",
        weight: float = 0.5,
        margin: float = 1.0,
        triplets: Triplets = "place",
        temperature: float = 1.0,
        seed: int = 0,
    ) -> None:
        """Join a loop.

        Parameters
        ----------
        network
            Maps (n, 1, h, w) in [-1, 1] to logits (n, num_classes, h, w); already on its device.
        optimiser
            Optimiser of the network's weights.
        num_classes
            Channels of the logits.
        tiaug
            Probabilities and ranges; the paper's when None.
        shape
            Height and width of the pictures that `tiaug` gives, pixels.
        normalisation
            How temperatures become [-1, 1]; the paper's is "minmax".
        weight
            Weight of SAM-CL beside RMI; the paper's is 0.5.
        margin, triplets, temperature
            As in `trainer.samcl.SamClLoss`.
        seed
            Seed of augmentation, class swaps and the auxiliary network's first weights.
        """
        self.optimiser = optimiser
        self.normalisation: Normalisation = normalisation
        self.weight = weight
        self._device = next(network.parameters()).device
        self._tiaug = TiAug(TiAugConfig() if tiaug is None else tiaug, shape)
        self._rng = np.random.default_rng(seed)
        swaps = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            loss = SamClLoss(num_classes, margin, triplets, temperature, swaps)
        self._sam_cl = loss.to(self._device)
        optimiser.add_param_group({"params": list(self._sam_cl.parameters())})

    def tiaug(
        self, celsius: ArrayLike | Tensor | Sequence[ArrayLike], labels: ArrayLike | Tensor
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch and normalise it for the network.

        Parameters
        ----------
        celsius
            (n, h, w) or (n, 1, h, w), or n pictures (h, w) of any sizes, °C; left untouched.
        labels
            Labels of the same pictures, integer; negative ones and 255 mark ignored pixels.

        Returns
        -------
        Images (n, 1, height, width) float32 in [-1, 1] and labels (n, height, width) int64 on the
        network's device, height and width being `shape`.

        Raises
        ------
        ValueError
            If pictures and labels do not fit each other.
        """
        pictures, masks = _pictures(celsius), _pictures(labels)
        shapes = [picture.shape for picture in pictures], [mask.shape for mask in masks]
        if shapes[0] != shapes[1]:
            raise ValueError(f"pictures and labels must be of the same shapes, got {shapes}")
        if not pictures:
            raise ValueError("a batch must have at least one picture, got none")
        images, targets = [], []
        for picture, mask in zip(pictures, masks, strict=True):
            known = np.where((mask < 0) | (mask > NO_LABEL), NO_LABEL, mask).astype(np.uint8)
            augmented, target = self._tiaug(picture.astype(np.float32), known, self._rng)
            images.append(normalise(augmented, self.normalisation))
            targets.append(target)
        return (
            torch.from_numpy(np.stack(images)[:, None]).to(self._device),
            torch.from_numpy(np.stack(targets).astype(np.int64)).to(self._device),
        )

    def sam_cl_loss(self, predictions: Tensor, targets: ArrayLike | Tensor) -> Tensor:
        """Compute RMI + weight · SAM-CL.

        Parameters
        ----------
        predictions
            (n, classes, h, w), logits of the network.
        targets
            (n, h, w), integer; labels outside the classes are ignored.

        Raises
        ------
        ValueError
            If the shapes do not match, or the pictures are smaller than 7×7.
        """
        if not isinstance(targets, Tensor):
            targets = np.ascontiguousarray(targets)
        labels = torch.as_tensor(targets, device=predictions.device)
        regions = RegionMutualInformation(predictions, labels)
        rmi = rmi_loss(predictions, labels, regions)
        sam_cl: Tensor = self._sam_cl(predictions, labels, regions)
        return rmi + self.weight * sam_cl

    def step(self, loss: Tensor) -> None:
        """Go one step of the optimiser down the gradient of `loss`."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold beside the network and the optimiser."""
        swaps = self._sam_cl.generator
        return {
            "auxiliary": self._sam_cl.state_dict(),
            "swaps": None if swaps is None else swaps.get_state(),
            "augmentation": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`.

        Raises
        ------
        KeyError
            If it is no state of this class.
        """
        self._sam_cl.load_state_dict(state["auxiliary"])
        if self._sam_cl.generator is not None:
            self._sam_cl.generator.set_state(state["swaps"])
        self._rng.bit_generator.state = state["augmentation"]


def _pictures(batch: ArrayLike | Tensor | Sequence[ArrayLike]) -> list[NDArray[Any]]:
    """Take a batch apart into arrays (h, w)."""
    if isinstance(batch, Tensor):
        batch = batch.detach().cpu().numpy()
    pictures = [
        picture.detach().cpu().numpy() if isinstance(picture, Tensor) else np.asarray(picture)
        for picture in batch  # type: ignore[union-attr]
    ]
    pictures = [
        picture[0] if picture.ndim == 3 and len(picture) == 1 else picture for picture in pictures
    ]
    for picture in pictures:
        if picture.ndim != 2:
            raise ValueError(f"each picture of a batch must be (h, w), got {picture.shape}")
    return pictures
