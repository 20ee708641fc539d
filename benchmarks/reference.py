"""Costs of the authors' code, measured on 2 cores of a shared machine: use them as ratios."""

from typing import Final

FRAME_MS: Final = 3151.0
"""Authors' Attention U-Net, float32 PyTorch, one frame of 512×640."""

FRAME_OPENVINO_MS: Final = 1406.0
"""The same network and frame in OpenVINO, float32."""

TIAUG_MS: Final = 38.6
"""Authors' transforms, one picture of 256×320."""

RMI_MS: Final = 341.0
"""Authors' RMI loss forward and backward, logits of 16×6×256×320."""
