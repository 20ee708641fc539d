"""The stage on a GPU: a frame goes up, labels and confidence come down, the rest stays there.

Two fixed sequences of operations, each captured as a CUDA graph per shape of frame: one cuts,
normalises, runs the network and picks labels; the other lays an answer over the frame.  What
changes from frame to frame, the boxes too, is numbers in fixed memory.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from thermoseg.inference.resampling import cut_weights, paste_weights
from thermoseg.inference.stage import Kept, Look
from thermoseg.labels import NUM_CLASSES
from thermoseg.preprocess import CLIPPED_PERCENT, FLAT_SPAN, Box, Normalisation

log = logging.getLogger(__name__)

WARM_UP_RUNS: Final = 3
"""Runs before a CUDA graph is captured, as the PyTorch documentation asks."""


def normalise_tensor(celsius: Tensor, method: Normalisation) -> Tensor:
    """Stretch the temperatures of one image to [-1, 1] as `thermoseg.preprocess.normalise` does.

    No step waits for the GPU or depends on a number that is there, so it can be captured.

    Parameters
    ----------
    celsius
        (h, w) float32, °C or relative counts.

    Returns
    -------
    (h, w) float32 in [-1, 1]; all zeros for a constant image; zero where `celsius` is not finite.
    """
    # How many pixels are finite is known to the GPU alone, and to ask would wait for it.  So pixels
    # that are not finite go to the far end of each order, and the percentiles, which never lie
    # deeper than `most` from their end, are `gather`ed from a `topk` at a rank that is a tensor
    # itself.  Middle and span are float64, as in NumPy, or both would differ in the last digit.
    finite = celsius.isfinite()
    high_last = celsius.masked_fill(~finite, torch.inf).flatten()
    low_last = celsius.masked_fill(~finite, -torch.inf).flatten()
    if method == "minmax":
        low, high = high_last.amin().double(), low_last.amax().double()
    else:
        most = round(CLIPPED_PERCENT / 100 * (celsius.numel() - 1)) + 1
        last = (finite.sum() - 1).clamp(min=0)
        rank = (CLIPPED_PERCENT / 100 * last.double()).round().long().view(1)
        low = high_last.topk(most, largest=False).values.gather(0, rank).double()
        high = low_last.topk(most).values.gather(0, rank).double()
    span = high - low
    image = (celsius - ((low + high) / 2).float()) * (2 / span).float()
    return image.clamp(-1, 1).masked_fill(~(finite & (span > FLAT_SPAN)), 0.0)


def resample(celsius: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Cut a box out of an image with the matrices of `cut_weights`.

    A pixel that is not finite spoils those made of it and, unlike in a plain product of matrices,
    no other.

    Parameters
    ----------
    celsius
        (height, width).
    rows, columns
        (h, height) and (w, width).

    Returns
    -------
    (h, w), NaN where a pixel that is not finite takes part.
    """
    # 0 · NaN is NaN, so in a product of matrices one dead pixel would spoil its whole row and
    # column.  It takes part as 0, and a second plane carries how much of such pixels is in each
    # result.
    finite = celsius.isfinite()
    planes = torch.stack((celsius.masked_fill(~finite, 0.0), (~finite).to(celsius.dtype)))
    cut, spoilt = (rows @ planes @ columns.T).unbind()
    return cut.masked_fill(spoilt > 0, torch.nan)


class Replayed:
    """A function of tensors in fixed memory: a captured CUDA graph, or the function itself.

    A graph costs one launch in place of some hundred, which is most of the time of a small
    network.  Where it cannot be captured the function is called each time, which is only slower.
    """

    def __init__(
        self, name: str, function: Callable[[], tuple[Tensor, ...]], device: torch.device
    ) -> None:
        """Warm up and capture on a GPU; elsewhere do nothing yet.

        Parameters
        ----------
        name
            For the log.
        function
            Reads tensors that stay where they are; it may neither wait for the GPU nor allocate
            memory on the host.
        """
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        self._outputs: tuple[Tensor, ...] = ()
        if device.type != "cuda":
            return
        try:
            self._capture(device)
        except RuntimeError as error:
            self._graph = None
            log.warning("%s runs without a CUDA graph (%s)", name, str(error).splitlines()[0])

    @property
    def captured(self) -> bool:
        """Whether a CUDA graph is replayed."""
        return self._graph is not None

    def run(self) -> tuple[Tensor, ...]:
        """Return the outputs, which are valid until the next run."""
        if self._graph is None:
            return self._function()
        self._graph.replay()
        return self._outputs

    def _capture(self, device: torch.device) -> None:
        # One stream for both, because libraries open their handles per stream, and may not do so
        # while a graph is captured.
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        before, benchmark = torch.cuda.current_stream(device), torch.backends.cudnn.benchmark
        stream.wait_stream(before)
        try:
            # The fastest algorithms are sought during the warm-up, and the graph keeps them.
            torch.backends.cudnn.benchmark = True
            with torch.cuda.stream(stream):
                for _ in range(WARM_UP_RUNS):
                    self._function()
            before.wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            # What other threads do with the GPU meanwhile must not spoil the capture.
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                self._outputs = self._function()
        finally:
            torch.backends.cudnn.benchmark = benchmark
            # A capture that fails leaves its stream the current one.
            torch.cuda.set_stream(before)
        self._graph = graph


class TorchStage:
    """Cuts, looks and paints where the network is; see `thermoseg.inference.stage.Stage`."""

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        dtype: torch.dtype,
        size: tuple[int, int],
        normalisation: Normalisation,
    ) -> None:
        """Prepare a stage; memory is taken with the first frame.

        Parameters
        ----------
        network
            In evaluation mode on `device`, of `dtype`, its weights with channels last.
        size
            Height and width of the network's input, pixels.
        """
        self._network = network
        self._device = device
        self._dtype = dtype
        self._size = size
        self._normalisation: Normalisation = normalisation
        self._static: _StaticTensors | None = None

    @property
    def captured(self) -> bool:
        """Whether CUDA graphs are replayed for the frames that are shown."""
        return self._static is not None and self._static.captured

    def show(self, celsius: NDArray[np.float32]) -> None:
        """Take the next frame; see `Stage`."""
        with torch.inference_mode(), self._on_device():
            shape = (celsius.shape[0], celsius.shape[1])
            if self._static is None or self._static.shape != shape:
                self._static = _StaticTensors(
                    self._answer, shape, self._size, self._normalisation, self._device
                )
            self._static.show(celsius)

    def look(self, box: Box) -> Look:
        """Run the network on a part of the frame; see `Stage`."""
        with torch.inference_mode(), self._on_device():
            return self._shown().look(box)

    def keep_background(self, look: Look) -> None:
        """Keep the background's probability; see `Stage`."""
        with torch.inference_mode(), self._on_device():
            self._shown().keep_background(look)

    def compose(
        self, answers: Sequence[tuple[Look, Kept]]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Paint faces onto the background; see `Stage`."""
        with torch.inference_mode(), self._on_device():
            return self._shown().compose(answers)

    def _answer(self, image: Tensor) -> Tensor:
        """Return the probabilities, (classes, h, w) float32, for an input (h, w)."""
        inputs = image[None, None].to(self._dtype, memory_format=torch.channels_last)
        logits: Tensor = self._network(inputs)
        return logits[0].float().softmax(dim=0)

    def _on_device(self) -> torch.cuda.device:
        # -1 changes nothing, which is what a CPU needs.
        return torch.cuda.device(self._device.index if self._device.type == "cuda" else -1)

    def _shown(self) -> "_StaticTensors":
        if self._static is None:
            raise RuntimeError("no frame was shown; call show first")
        return self._static


class _StaticTensors:
    """Static input and output tensors of the CUDA graphs for frames of one shape."""

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        shape: tuple[int, int],
        size: tuple[int, int],
        normalisation: Normalisation,
        device: torch.device,
    ) -> None:
        self.shape = shape
        self._network = network
        self._size = size
        self._normalisation: Normalisation = normalisation
        self._device = device

        def floats(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.float32, device=device)

        # A CUDA graph replays kernels on the addresses that it was captured with: all that goes in
        # or comes out lies in tensors that are made once and copied into.  The host's side is
        # pinned, or the copies would not run beside the CPU.
        self._frame = floats(*shape)
        self._cut_rows, self._cut_columns = floats(size[0], shape[0]), floats(size[1], shape[1])
        self._paste_rows, self._paste_columns = floats(shape[0], size[0]), floats(shape[1], size[1])
        self._answer = floats(NUM_CLASSES, *size)
        self._kept = torch.ones((NUM_CLASSES, *size), dtype=torch.bool, device=device)
        self._labels = torch.zeros(shape, dtype=torch.uint8, device=device)
        self._confidence, self._background = floats(*shape), floats(*shape)
        self._staged_frame = self._pinned(shape, torch.float32)
        self._staged_kept = self._pinned((NUM_CLASSES, *size), torch.bool)
        self._seen = self._pinned(size, torch.uint8), self._pinned(size, torch.float32)
        self._painted = self._pinned(shape, torch.uint8), self._pinned(shape, torch.float32)
        self._cut_box: Box | None = None
        self._paste_box: Box | None = None
        self._look = Replayed("the network", self._compute_look, device)
        self._paint = Replayed("painting", self._compute_paint, device)

    @property
    def captured(self) -> bool:
        return self._look.captured and self._paint.captured

    def show(self, celsius: NDArray[np.float32]) -> None:
        # Whoever shows a frame has had the labels of the one before, so its copy has ended.
        np.copyto(self._staged_frame.numpy(), celsius)
        self._frame.copy_(self._staged_frame, non_blocking=True)

    def look(self, box: Box) -> Look:
        if box != self._cut_box:
            rows, columns = cut_weights(box, self.shape, self._size)
            self._cut_rows.copy_(torch.from_numpy(rows))
            self._cut_columns.copy_(torch.from_numpy(columns))
            self._cut_box = box
        answer, labels, confidence = self._look.run()
        own = answer.clone()  # the next look writes over `answer`
        return Look(box, *self._fetch(self._seen, labels, confidence), own)

    def keep_background(self, look: Look) -> None:
        self._paste_into(look.box)
        self._background.copy_(self._paste_rows @ look.answer[0] @ self._paste_columns.T)

    def compose(
        self, answers: Sequence[tuple[Look, Kept]]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        self._labels.zero_()
        self._confidence.copy_(self._background)
        for number, (look, kept) in enumerate(answers):
            self._paste_into(look.box)
            if number:
                self._wait()  # until the memory that `kept` is staged in is free again
            np.copyto(self._staged_kept.numpy(), kept)
            self._kept.copy_(self._staged_kept, non_blocking=True)
            self._answer.copy_(look.answer)
            labels, confidence = self._paint.run()
            self._labels.copy_(labels)
            self._confidence.copy_(confidence)
        return self._fetch(self._painted, self._labels, self._confidence)

    def _compute_look(self) -> tuple[Tensor, ...]:
        cut = resample(self._frame, self._cut_rows, self._cut_columns)
        answer = self._network(normalise_tensor(cut, self._normalisation))
        confidence, labels = answer.max(dim=0)
        return answer, labels.to(torch.uint8), confidence

    def _compute_paint(self) -> tuple[Tensor, ...]:
        # The same rule as `HostStage.compose`, written with masks over the whole frame: shapes that
        # depend on the box could not be captured.  Outside the box all weights are 0 and every
        # class would win with 0.
        planes = self._paste_rows @ (self._answer * self._kept) @ self._paste_columns.T
        confidence, labels = planes.max(dim=0)
        inside = self._paste_rows.any(dim=1)[:, None] & self._paste_columns.any(dim=1)
        surer = (labels != 0) & (confidence > self._confidence)
        wins = inside & ((self._labels == 0) | surer)
        return (
            torch.where(wins, labels.to(torch.uint8), self._labels),
            torch.where(wins, confidence, self._confidence),
        )

    def _paste_into(self, box: Box) -> None:
        """Set the weights with which the next answer is pasted into `box`."""
        if box != self._paste_box:
            rows, columns = paste_weights(box, self.shape, self._size)
            self._paste_rows.copy_(torch.from_numpy(rows))
            self._paste_columns.copy_(torch.from_numpy(columns))
            self._paste_box = box

    def _fetch(
        self, staged: tuple[Tensor, Tensor], labels: Tensor, confidence: Tensor
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Bring labels and confidence down; the caller's own."""
        staged[0].copy_(labels, non_blocking=True)
        staged[1].copy_(confidence, non_blocking=True)
        self._wait()
        return staged[0].numpy().copy(), staged[1].numpy().copy()

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()

    def _pinned(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Take memory on the host that the GPU copies from and to by itself."""
        return torch.zeros(shape, dtype=dtype, pin_memory=self._device.type == "cuda")
