"""Memory of a batch: measured before training, and in plain words when it ran out."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

import psutil
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from thermoseg.errors import TrainingError
from trainer.config import TrainingConfig
from trainer.datasets import to_tensors
from trainer.parallel import processes_here
from trainer.run_folder import LAST
from trainer.sources import Picture

GROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
GROUP_USE: Final = Path("/sys/fs/cgroup/memory.current")
"""Files with the memory that Linux allows a container, bytes, and how much of it is used."""

OUT_OF_MEMORY: Final = ("can't allocate memory", "not enough memory", "out of memory")
"""Parts of what PyTorch says then, on CPUs and on GPUs."""
WORKER_GONE: Final = ("DataLoader worker", "DataLoader timed out")
PEER_GONE: Final = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")
"""Parts of what PyTorch says when a process of the same run has ended."""


def kept_bytes(forward: Callable[[], Tensor], network: nn.Module) -> int:
    """Measure what a forward pass keeps for the backward pass, without the weights themselves.

    Parameters
    ----------
    forward
        Computes a loss.
    network
        Whose weights do not count.
    """
    own = {value.untyped_storage().data_ptr() for value in network.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        # One storage is kept for several operations but takes its place only once.
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = forward()
    total = sum(kept.values())
    del loss
    return total


def refuse_too_large_a_batch(
    config: TrainingConfig,
    network: nn.Module,
    objective: nn.Module,
    picture: Picture,
    fabric: Fabric,
) -> None:
    """Make sure that a batch fits into the memory that is free.

    One picture is learnt from to see what it needs, changing neither weights nor statistics.

    Parameters
    ----------
    config
        Settings of the run.
    network, objective
        On the device of the run; they are in training mode afterwards.
    picture
        Normalised, with its labels.
    fabric
        Fabric of the run: device and precision.

    Raises
    ------
    TrainingError
        If it does not fit.
    """
    device = fabric.device
    images, labels = to_tensors([picture])
    network.eval()
    objective.eval()

    def forward() -> Tensor:
        with fabric.autocast():
            logits = network(images.to(device))
        total: Tensor = objective(logits.float(), labels.to(device))[0]
        return total

    # Compiling for a single picture would take as long as for the batches to come.
    eager = torch.compiler.set_stance("force_eager") if config.run.compile else nullcontext()
    with eager, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        each = max(kept_bytes(forward, network), 1)
    network.train()
    objective.train()
    # Processes on one machine share its memory, but not its GPUs.
    free = free_bytes(device) // (processes_here() if device.type == "cpu" else 1)
    batch, stream = config.run.batch, config.stream
    if batch * each > free:
        raise TrainingError(
            f"run.batch: {batch} pictures of {stream.height} x {stream.width} need about "
            f"{batch * each / 1e9:.1f} GB to learn from and {free / 1e9:.1f} GB are free; "
            f"lower it to {max(free // each, 1)}, or network.width, or the size in stream"
        )


def free_bytes(device: torch.device) -> int:
    """Return how much more memory `device` can give this process."""
    if device.type == "cuda":
        spare = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + spare
    free = int(psutil.virtual_memory().available)
    try:
        limit, use = GROUP_LIMIT.read_text().strip(), int(GROUP_USE.read_text())
    except (OSError, ValueError):
        return free  # no Linux, or no limit
    return free if limit == "max" else min(free, max(int(limit) - use, 0))


def used_bytes(device: torch.device) -> int:
    """Return what training uses: of a GPU the most so far, else this process and its workers."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    own = psutil.Process(os.getpid())
    total = int(own.memory_info().rss)
    for child in own.children(recursive=True):
        try:
            total += int(child.memory_info().rss)
        except psutil.Error:
            continue  # it has just ended
    return total


@contextmanager
def in_plain_words(batch: int, folder: Path) -> Iterator[None]:
    """Turn what PyTorch says of lost memory, workers and processes into one sentence.

    Parameters
    ----------
    batch
        `run.batch` of the run.
    folder
        Folder of the run.

    Raises
    ------
    TrainingError
        If something of the kind happens inside; everything else passes as it is.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        said = str(error)
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or _any(OUT_OF_MEMORY, said):
            raise TrainingError(
                f"out of memory with run.batch = {batch}; start anew with a smaller run.batch, "
                f"network.width or stream.height and stream.width, and with run.init_from = "
                f"{folder / LAST} if there is one"
            ) from error
        if "shared memory" in said:
            raise TrainingError(
                f"the shared memory for batches is full; lower stream.workers or run.batch, or "
                f"enlarge /dev/shm, and go on with --resume {folder}"
            ) from error
        if _any(WORKER_GONE, said):
            raise TrainingError(
                f"a process that makes batches has died ({said.splitlines()[0]}), most likely for "
                f"want of memory; free some, or lower stream.workers or stream.window, and go on "
                f"with --resume {folder}"
            ) from error
        if _any(PEER_GONE, said):
            raise TrainingError(
                f"another process of this run has ended; see what it says, then go on with "
                f"--resume {folder}"
            ) from error
        raise


def _any(marks: tuple[str, ...], said: str) -> bool:
    return any(mark.lower() in said.lower() for mark in marks)
