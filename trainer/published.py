"""Tables 1 and 2 of Joshi et al., BMVC 2022, as data: what each row trains, and what it reached."""

from dataclasses import dataclass
from typing import Final

from thermoseg.errors import ConfigError

LOSS_WEIGHTS: Final = {
    "bce": 1.0,
    "dice": 1.0,
    "seg_an": 1.0,
    "seg_gan": 1.0,
    "rmi": 1.0,
    "contrastive": 0.1,
    "sam_cl": 0.5,
}
"""Weight of each loss in the sum; SAM-CL's is the paper's, that of the contrast between pixels
ContrastiveSeg's (Wang et al., ICCV 2021), and the others stand alone or first."""

SUPERVISION: Final = {"seg_an": "dice", "seg_gan": "dice"}
"""Loss that goes along with an adversarial one whose row names no other.  SegAN's released code
adds DICE (its paper does not); SegGAN starts from a segmentation network trained beforehand, by a
loss that its abstract does not name."""

TIAUG: Final = "tiaug"
"""Part of a learning strategy that changes the pictures instead of the loss."""

FULL: Final = "rmi+tiaug+sam_cl"
"""The paper's own method; Table 1 calls it SAM-CL."""


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of a table: a network and how it learns."""

    network: str
    """A name that `thermoseg.networks.build` knows."""
    learning: str
    """Losses, and `tiaug` for TiAug's objects and noise, joined by "+"."""
    published_percent: float | None = None
    """Mean intersection over union on the Thermal Face Database; None for a row of your own."""

    def __post_init__(self) -> None:
        parts = self.learning.split("+")
        unknown = [part for part in parts if part not in LOSS_WEIGHTS and part != TIAUG]
        if unknown or set(parts) <= {TIAUG} or len(set(parts)) < len(parts):
            raise ConfigError(
                f"{self.name}: is no learning strategy; join {', '.join(LOSS_WEIGHTS)} and "
                f'{TIAUG} by "+"'
            )

    @property
    def name(self) -> str:
        """Return network and learning as `--rows` takes them."""
        return f"{self.network}/{self.learning}"

    @property
    def weights(self) -> dict[str, float]:
        """Return the weight of each loss of this row, what it needs besides with it."""
        losses = [part for part in self.learning.split("+") if part in LOSS_WEIGHTS]
        if set(losses) <= set(SUPERVISION):
            losses += dict.fromkeys(SUPERVISION[part] for part in losses)
        return {part: LOSS_WEIGHTS[part] for part in losses}

    @property
    def has_tiaug(self) -> bool:
        """Return whether pictures get TiAug's objects and noise."""
        return TIAUG in self.learning.split("+")


def _rows(columns: tuple[str, ...], percents: dict[str, tuple[float, ...]]) -> tuple[Row, ...]:
    return tuple(
        Row(network, learning, percent)
        for network, values in percents.items()
        for learning, percent in zip(columns[-len(values) :], values, strict=True)
    )


# The same strategy has slightly different figures in the two tables; both are as printed.
TABLES: Final = {
    1: _rows(
        ("bce", "dice", "seg_an", "seg_gan", "rmi", "rmi+contrastive", FULL),
        {
            "unet": (67.64, 75.00, 76.79, 75.50, 81.35, 81.24, 82.11),
            "attention_unet": (66.61, 75.14, 76.75, 76.24, 81.39, 81.50, 82.85),
            "deeplabv3plus_resnet101": (75.85, 74.45, 79.29),
            "hrnetv2_w48": (78.46, 78.36, 78.97),
        },
    ),
    2: _rows(
        ("rmi", "rmi+tiaug", FULL),
        {
            "unet": (81.36, 81.91, 82.11),
            "attention_unet": (81.39, 82.29, 82.85),
            "hrnetv2_w48": (78.13, 78.87, 78.97),
            "deeplabv3plus_resnet101": (75.85, 78.07, 78.12),
            "deeplabv3plus_xception65": (76.55, 77.31, 77.85),
        },
    ),
}
"""Rows of each table, in its order."""
