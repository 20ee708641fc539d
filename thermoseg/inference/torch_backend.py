"""Running a network with PyTorch: CUDA where there is one, else the CPU."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from thermoseg.errors import ModelError
from thermoseg.inference.torch_stage import Replayed, TorchStage
from thermoseg.preprocess import Normalisation


class TorchCpuRunner:
    """A network in float32 on the CPU: slower than OpenVINO, but it runs wherever PyTorch does."""

    def __init__(self, network: nn.Module) -> None:
        self._network = _channels_last(network.eval())

    @property
    def backend(self) -> str:
        """Always `torch CPU`."""
        return "torch CPU"

    def probabilities(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network; see `thermoseg.inference.runner.Runner`."""
        with torch.inference_mode():
            inputs = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
            answer = self._network(inputs).softmax(dim=1)
        return np.ascontiguousarray(answer.numpy())


class TorchCudaRunner:
    """A network in half precision on a GPU, channels last, replayed as one captured CUDA graph.

    One graph is captured per batch size on first use, and those of `TorchStage` per frame size.
    """

    def __init__(self, network: nn.Module, device: int = 0) -> None:
        """Move the network to the GPU.

        Raises
        ------
        ModelError
            If there is no usable CUDA device of this number.
        """
        if not torch.cuda.is_available() or device >= torch.cuda.device_count():
            raise ModelError(
                f"PyTorch finds no CUDA device {device}; use another backend, or install a "
                "PyTorch with CUDA"
            )
        self._device = torch.device("cuda", device)
        self._network = _channels_last(network.eval().to(self._device, torch.float16))
        self._captured: dict[tuple[int, ...], tuple[Tensor, Replayed]] = {}

    @property
    def backend(self) -> str:
        """Library and device that run the network, such as `torch cuda:0`."""
        return f"torch {self._device}"

    def open_stage(self, size: tuple[int, int], normalisation: Normalisation) -> TorchStage:
        """Prepare to cut and paint on the GPU; see `thermoseg.inference.stage.StagingRunner`."""
        return TorchStage(self._network, self._device, torch.float16, size, normalisation)

    def probabilities(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network; see `thermoseg.inference.runner.Runner`."""
        with torch.inference_mode(), torch.cuda.device(self._device):
            if images.shape not in self._captured:
                self._captured[images.shape] = self._capture(images.shape)
            inputs, replayed = self._captured[images.shape]
            inputs.copy_(torch.from_numpy(images))
            return replayed.run()[0].cpu().numpy()

    def _capture(self, shape: tuple[int, ...]) -> tuple[Tensor, Replayed]:
        inputs = torch.zeros(shape, dtype=torch.float16, device=self._device).contiguous(
            memory_format=torch.channels_last
        )

        def answer() -> tuple[Tensor, ...]:
            logits: Tensor = self._network(inputs)
            return (logits.float().softmax(dim=1).contiguous(),)

        return inputs, Replayed("the network", answer, self._device)


def _channels_last(network: nn.Module) -> nn.Module:
    """Reorder the weights in place; PyTorch's own annotations lack this argument."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
