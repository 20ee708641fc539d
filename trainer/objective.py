"""What training minimises: a weighted sum of losses, as configured."""

import torch
from torch import Tensor, nn

from trainer.config import ObjectiveConfig
from trainer.losses import bce_loss, cross_entropy, dice_loss, rmi_loss
from trainer.samcl import SamClLoss


class Objective(nn.Module):
    """Weighted sum of the losses whose weight is not zero; owns SAM-CL's auxiliary network."""

    class_weights: Tensor | None

    def __init__(self, config: ObjectiveConfig, num_classes: int) -> None:
        super().__init__()
        self.config = config
        self.sam_cl = SamClLoss(num_classes, config.margin) if config.sam_cl > 0 else None
        weights = torch.tensor(config.class_weights) if config.class_weights else None
        self.register_buffer("class_weights", weights)

    def forward(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum, and each part by name, detached and unweighted.

        Parameters
        ----------
        logits
            (n, classes, h, w).
        labels
            (n, h, w), integer.
        """
        config, parts = self.config, dict[str, Tensor]()
        total = torch.zeros((), device=logits.device)
        if config.cross_entropy > 0:
            parts["cross_entropy"] = cross_entropy(logits, labels, self.class_weights)
            total = total + config.cross_entropy * parts["cross_entropy"]
        if config.bce > 0:
            parts["bce"] = bce_loss(logits, labels, self.class_weights)
            total = total + config.bce * parts["bce"]
        if config.dice > 0:
            parts["dice"] = dice_loss(logits, labels)
            total = total + config.dice * parts["dice"]
        if config.rmi > 0:
            parts["rmi"] = rmi_loss(logits, labels)
            total = total + config.rmi * parts["rmi"]
        if self.sam_cl is not None:
            parts["sam_cl"] = self.sam_cl(logits, labels)
            total = total + config.sam_cl * parts["sam_cl"]
        return total, {name: part.detach() for name, part in parts.items()}
