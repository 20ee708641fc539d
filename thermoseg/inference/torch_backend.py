"""Running a network with PyTorch: CUDA where there is one, else the CPU."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from thermoseg.errors import ModelError

WARM_UP_RUNS: Final = 3
"""Before a CUDA graph is captured, as the PyTorch documentation asks."""


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

    A graph costs one launch in place of some hundred, which is most of the time of a small
    network.  One is captured per batch size on first use.
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
        self._captured: dict[tuple[int, ...], _CapturedRun] = {}

    @property
    def backend(self) -> str:
        """Such as `torch cuda:0`."""
        return f"torch {self._device}"

    def probabilities(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network; see `thermoseg.inference.runner.Runner`."""
        with torch.inference_mode(), torch.cuda.device(self._device):
            if images.shape not in self._captured:
                self._captured[images.shape] = _CapturedRun(
                    self._network, images.shape, self._device
                )
            return self._captured[images.shape].run(images)


class _CapturedRun:
    """The graph of one run with its fixed input and output memory."""

    def __init__(self, network: nn.Module, shape: tuple[int, ...], device: torch.device) -> None:
        self._input = torch.zeros(shape, dtype=torch.float16, device=device).contiguous(
            memory_format=torch.channels_last
        )
        side_stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        side_stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side_stream):
            for _ in range(WARM_UP_RUNS):
                _answer(network, self._input)
        torch.cuda.current_stream(device).wait_stream(side_stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = _answer(network, self._input)

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        self._input.copy_(torch.from_numpy(images))
        self._graph.replay()
        return self._output.cpu().numpy()


def _channels_last(network: nn.Module) -> nn.Module:
    """Reorder the weights in place; PyTorch's own annotations lack this argument."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _answer(network: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = network(images)
    return logits.float().softmax(dim=1).contiguous()
