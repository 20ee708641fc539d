"""Several processes, on one machine or many, that together make the model one would make alone.

Each gets its part of the batch.  What depends on the whole batch is computed over the whole:
normalisation in the network (`SyncBatchNorm`) and, as long as it is affordable, the losses
(`gather_batch`).
"""

import atexit
import contextlib
import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any, Literal, NoReturn, cast

import numpy as np
import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy
from lightning.fabric.utilities.exceptions import MisconfigurationException
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from thermoseg.errors import ConfigError
from trainer.config import RunConfig

_has_joined = False
"""Whether this process has trained with others, parted from them or not."""


def choose_accelerator(run: RunConfig) -> Literal["cpu", "cuda"]:
    """Choose between the processor and GPUs, without opening either.

    Raises
    ------
    ConfigError
        If there is no such device, or it cannot do the precision.
    """
    has_cuda = torch.cuda.is_available()
    if run.accelerator == "cuda" and not has_cuda:
        raise ConfigError("run.accelerator: PyTorch finds no CUDA device here; write cpu or auto")
    if has_cuda and run.accelerator != "cpu":
        return "cuda"
    if run.precision == "16-mixed":
        raise ConfigError("run.precision: 16-mixed needs a GPU; write bf16-mixed or 32-true here")
    return "cpu"


def open_fabric(run: RunConfig) -> Fabric:
    """Choose the device and join the other processes, if there are any.

    `torchrun` says itself how many there are; SLURM must agree with `run.devices` and `run.nodes`,
    and without either the other processes of this machine are started here.

    Raises
    ------
    ConfigError
        If there is no such device, it cannot do the precision, or the numbers of processes
        contradict each other.
    """
    global _has_joined
    devices, nodes = run.devices, run.nodes
    if "TORCHELASTIC_RUN_ID" in os.environ:
        world, local = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
        if devices * nodes not in (1, world):
            raise ConfigError(
                f"run.devices: {devices} on {nodes} nodes are {devices * nodes} processes and "
                f"torchrun has started {world}; leave run.devices and run.nodes out"
            )
        devices, nodes = local, world // local
    accelerator = choose_accelerator(run)
    if accelerator == "cuda" and devices > torch.cuda.device_count():
        raise ConfigError(
            f"run.devices: {devices} are asked for and {torch.cuda.device_count()} are here; "
            f"lower it"
        )
    try:
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            precision=run.precision,
            strategy=DDPStrategy() if devices * nodes > 1 else "auto",
        )
        fabric.launch()
        _has_joined |= fabric.world_size > 1
    except (ValueError, RuntimeError, MisconfigurationException) as error:
        said = str(error).splitlines()[0]
        raise ConfigError(
            f"run.devices: {devices} processes on each of {nodes} nodes cannot start ({said}); "
            f"correct run.devices, run.nodes or the job that starts them"
        ) from error
    return fabric


def close_fabric() -> None:
    """Part from the other processes; `end_process` is how the program ends afterwards."""
    if distributed.is_initialized():
        # The destructor of a group keeps Python's lock while it waits for Gloo's threads, which
        # want that lock to give back their last tensors: the group has to outlive the program.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(distributed.group.WORLD))
        distributed.destroy_process_group()


def end_process(code: int) -> NoReturn:
    """End the program with exit status `code`, as a process that has trained with others must.

    A thread of Gloo may give back its last tensor at any time after a collective operation.  If
    that is while the interpreter is taken down, Python ends the thread, C++ does not let it, and
    the process aborts ("terminate called without an active exception", exit status -6) with all
    its work done.  So the interpreter is not taken down: what was registered with `atexit` is
    called, output is flushed, and the process ends.
    """
    if not _has_joined:
        sys.exit(code)
    atexit._run_exitfuncs()  # noqa: SLF001 - what sys.exit would call, and there is no other way
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed, or nobody reads
            stream.flush()
    os._exit(code)


def device_name(device: torch.device) -> str:
    """Return what a device is called: a GPU by its model, a CPU just so."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def processes_here() -> int:
    """Return how many processes of the run share this machine."""
    if not distributed.is_initialized():
        return 1
    here = os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_NTASKS_PER_NODE")
    return int(here) if here else distributed.get_world_size()


def agree(fabric: Fabric, stop: bool, *decided: float) -> tuple[bool, tuple[float, ...]]:
    """Let all processes go on in step.

    Parameters
    ----------
    stop
        Whether this process was asked to stop.
    decided
        Numbers that differ between processes, as clocks do.

    Returns
    -------
    Whether any process was asked to stop, and the numbers of the first process.
    """
    if fabric.world_size == 1:
        return stop, decided
    own = decided if fabric.global_rank == 0 else (0.0,) * len(decided)
    votes = torch.tensor([float(stop), *own], dtype=torch.float64, device=fabric.device)
    distributed.all_reduce(votes)
    asked, *first = votes.tolist()
    return asked > 0, tuple(first)


def add_up(fabric: Fabric, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sum of the counts of all processes."""
    if fabric.world_size == 1:
        return counts
    whole = torch.from_numpy(counts).to(fabric.device)
    distributed.all_reduce(whole)
    return whole.cpu().numpy()


class _Sum(torch.autograd.Function):
    """Sum of a tensor over all processes; so is its gradient."""

    @staticmethod
    def forward(_: Any, part: Tensor) -> Tensor:  # noqa: ANN401 - PyTorch gives it no public type
        whole = part.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        whole = gradients[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(whole)
        return whole


class _Gather(torch.autograd.Function):
    """The parts of all processes one after the other.

    Every process goes on to compute the same from it, so the gradient of its own part is known to
    it without asking.  Gradients are averaged over the processes later; the factor makes their
    sum of it.
    """

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:  # noqa: ANN401
        parts = [torch.empty_like(part) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, part)
        ctx.size = len(part)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        first = distributed.get_rank() * ctx.size
        own = gradients[0][first : first + ctx.size]
        return own * distributed.get_world_size()


def gather_batch(part: Tensor) -> Tensor:
    """Join the parts (n, …) of all processes to the whole batch (processes · n, …).

    Differentiable, if every process computes the same loss of the whole and the gradients of the
    weights are averaged over the processes.  With one process it returns `part` itself.
    """
    if not (distributed.is_initialized() and distributed.get_world_size() > 1):
        return part
    return cast("Tensor", _Gather.apply(part.contiguous()))  # type: ignore[no-untyped-call]


def average(fabric: Fabric, tensors: list[Tensor]) -> None:
    """Replace each tensor by its mean over all processes."""
    if fabric.world_size == 1 or not tensors:
        return
    flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    flat /= fabric.world_size
    first = 0
    for tensor in tensors:
        tensor.copy_(flat[first : first + tensor.numel()].view_as(tensor))
        first += tensor.numel()


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation with mean and variance of the batch of all processes.

    PyTorch's class of this name works on CUDA only, where it is used instead.
    """

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - the name is PyTorch's
        if input.ndim < 2:
            raise ValueError(f"at least (n, channels) is needed, got {tuple(input.shape)}")

    def forward(self, features: Tensor) -> Tensor:
        """Normalise (n, channels, …), which every process must call together."""
        self._check_input_dim(features)
        if not self.training:
            return super().forward(features)
        with torch.autocast(features.device.type, enabled=False):
            is_half = features.dtype in (torch.float16, torch.bfloat16)
            return self._normalise(features.float() if is_half else features).to(features.dtype)

    def _normalise(self, features: Tensor) -> Tensor:
        # Two sums over all processes, both differentiable: first Σx and the number of pixels
        # together, then Σ(x - m)².  E[x²] - m² would need one, but cancels to rounding noise where
        # the mean is large against the deviation.  The running variance is the unbiased one, as in
        # PyTorch.
        dims = [0, *range(2, features.ndim)]
        shape = [1, -1, *[1] * (features.ndim - 2)]
        own = features.new_full((1,), features.numel() / features.shape[1])
        sums = _sum(torch.cat([features.sum(dims), own]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = features - mean.view(shape)
        variance = _sum(centred.square().sum(dims)) / count
        if self.running_mean is not None and self.running_var is not None:
            with torch.no_grad():
                momentum = self._count_batch()
                self.running_mean.lerp_(mean, momentum)
                self.running_var.lerp_(variance * count / (count - 1), momentum)
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        if not self.affine:
            return normal
        return normal * self.weight.view(shape) + self.bias.view(shape)

    def _count_batch(self) -> float:
        """Count the batch; return its weight in the running statistics."""
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            if self.momentum is None:
                return 1 / float(self.num_batches_tracked)
        return 0.0 if self.momentum is None else self.momentum


def synchronise_batch_norm(network: nn.Module, device: torch.device) -> nn.Module:
    """Let every batch normalisation in `network` look at the batch of all processes.

    Names, weights and statistics stay, so the weights load into the network as it was.

    Parameters
    ----------
    network
        Changed in place, but for its outermost module.
    device
        Device of the run, which may be a CPU on a machine that has a GPU.
    """
    if device.type == "cuda":
        convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
        return convert(network)
    for name, child in network.named_children():
        if isinstance(child, _BatchNorm):
            shared = SyncBatchNorm(
                child.num_features,
                child.eps,
                child.momentum,
                child.affine,
                child.track_running_stats,
            )
            for like in (*child.parameters(), *child.buffers()):
                shared.to(like.device, like.dtype)
                break
            shared.load_state_dict(child.state_dict())
            setattr(network, name, shared)
        else:
            synchronise_batch_norm(child, device)
    return network


def _sum(part: Tensor) -> Tensor:
    return cast("Tensor", _Sum.apply(part))  # type: ignore[no-untyped-call]
