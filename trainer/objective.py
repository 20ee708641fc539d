"""What training minimises: a weighted sum of losses, as configured."""

import torch
from torch import Tensor, nn

from thermoseg.errors import ConfigError
from trainer.config import ObjectiveConfig
from trainer.contrastive_seg import FeatureTap, PixelContrast
from trainer.losses import RegionMutualInformation, bce_loss, cross_entropy, dice_loss, rmi_loss
from trainer.parallel import gather_batch
from trainer.samcl import SamClLoss


class Objective(nn.Module):
    """Weighted sum of the losses whose weight is not zero.

    Owns what SAM-CL and the contrast between pixels learn beside the network.  The adversarial
    losses, which are learnt against it, are `trainer.adversarial.Critics`.
    """

    class_weights: Tensor | None

    def __init__(
        self, config: ObjectiveConfig, num_classes: int, network: nn.Module | None = None
    ) -> None:
        """Build the parts.

        Parameters
        ----------
        config
            Weight and settings of each loss.
        num_classes
            Channels of the logits.
        network
            Whose logits will come; needed for `config.contrastive` only, which looks into it.

        Raises
        ------
        ConfigError
            If pixels are to be contrasted and the network has no place to take them from.
        """
        super().__init__()
        self.config = config
        self.sam_cl = (
            SamClLoss(num_classes, config.margin, config.triplets, config.temperature)
            if config.sam_cl > 0
            else None
        )
        self.contrast, self._tap = None, None
        if config.contrastive > 0:
            if network is None:
                raise ConfigError(
                    "objective.contrastive: compares features of the network; give the network"
                )
            self._tap = FeatureTap(network, num_classes)
            self.contrast = PixelContrast(
                num_classes,
                self._tap.channels,
                config.contrastive_channels,
                config.contrastive_memory,
                config.contrastive_temperature,
            )
        weights = torch.tensor(config.class_weights) if config.class_weights else None
        self.register_buffer("class_weights", weights)

    def forward(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum, and each part by name, detached and unweighted.

        Parameters
        ----------
        logits
            (n, classes, h, w), right after the network has computed them; in a parallel run its
            own part of the batch or the whole.
        labels
            (n, h, w), integer; negative ones and those not below the classes are ignored.
        """
        # RMI and SAM-CL's finest scale compare the same neighbourhoods: these are computed once.
        # In a parallel run logits and labels may be the whole batch while the tapped features are
        # this process's own; they are gathered, or pixels would be contrasted within a fraction of
        # the batch.
        config, parts = self.config, dict[str, Tensor]()
        if config.cross_entropy > 0:
            parts["cross_entropy"] = cross_entropy(logits, labels, self.class_weights)
        if config.bce > 0:
            parts["bce"] = bce_loss(logits, labels, self.class_weights)
        if config.dice > 0:
            parts["dice"] = dice_loss(logits, labels)
        if config.rmi > 0 or self.sam_cl is not None:
            regions = RegionMutualInformation(logits, labels)
            if config.rmi > 0:
                parts["rmi"] = rmi_loss(logits, labels, regions)
            if self.sam_cl is not None:
                parts["sam_cl"] = self.sam_cl(logits, labels, regions)
        if self.contrast is not None and self._tap is not None:
            features = self._tap.take()
            if len(features) < len(logits):
                features = gather_batch(features)
            parts["contrastive"] = self.contrast(features, logits, labels)
        total = torch.zeros((), device=logits.device)
        for name, part in parts.items():
            total = total + getattr(config, name) * part
        return total, {name: part.detach() for name, part in parts.items()}
