"""A training run in a process of its own, to be killed or to be one of two on the same GPU."""

import argparse
import functools
import os
import signal
from pathlib import Path

import torch
from lightning.fabric.strategies.ddp import DDPStrategy

from trainer import parallel
from trainer.config import load_config
from trainer.loop import Training
from trainer.progress import Progress


def main() -> int:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_child", description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--kill-at", type=int, default=0, help="first validation to die in")
    arguments = parser.parse_args()

    # The same sums in the same order each time, as far as the GPU offers it.
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    # NCCL refuses two processes on one GPU.
    gloo = functools.partial(DDPStrategy, process_group_backend="gloo")
    vars(parallel)["DDPStrategy"] = gloo

    def report(progress: Progress) -> None:
        if 0 < arguments.kill_at <= progress.iteration and progress.scores:
            os.kill(os.getpid(), signal.SIGKILL)

    config = load_config(arguments.recipe, tuple(arguments.set))
    training = Training(config, arguments.folder, report)
    if arguments.resume:
        training.resume()
    training.fit()
    training.close()
    return 0


if __name__ == "__main__":
    parallel.end_process(main())
