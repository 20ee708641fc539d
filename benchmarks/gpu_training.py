"""How fast a GPU trains, where the time of a step goes, and how fast pictures are made for it."""

import math
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from torch.profiler import DeviceType

from benchmarks.gpu_checks import ROOT
from benchmarks.gpu_report import Findings, Options
from thermoseg.labels import NUM_CLASSES
from thermoseg.networks import build
from thermoseg.phantom.training import draw_person, draw_picture
from trainer.config import PhantomConfig, TrainingConfig, load_config
from trainer.datasets import BatchStream, open_loader
from trainer.loop import Training
from trainer.objective import Objective
from trainer.optimiser import build_optimiser
from trainer.progress import Progress
from trainer.tiaug import TiAug, TiAugConfig

PAPER: Final = ROOT / "assets" / "training" / "paper.toml"
PAPER_ITERATIONS: Final = 40_000
LEAST_IMAGES_PER_S: Final = 356.0
"""40,000 iterations of 16 pictures in half an hour."""
DRAWN_PICTURES: Final = 64
"""Phantoms that training takes turns with, because reading a data set costs next to nothing."""


def paper_config(options: Options, sam_cl: float) -> TrainingConfig:
    """Return `paper.toml` on phantoms, as many of its pictures are made at once as there are cores.

    Parameters
    ----------
    sam_cl
        Weight of that loss; the paper's is 0.5.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4
    workers = max(1, min(cores - 2, 12))
    settings = [f"objective.sam_cl={sam_cl}", f"run.accelerator={options.device}"]
    settings += [f"stream.workers={workers}", f"stream.lanes={workers}", "run.tensorboard=false"]
    settings += ["run.validate_every=1000000", "run.checkpoint_every=1000000"]
    settings += ["validation.pictures=4"]
    if options.device == "cpu":
        settings += ["run.precision=32-true"]
    if options.quick:
        settings += ["network.width=4", "stream.height=48", "stream.width=48", "run.batch=4"]
        settings += ["stream.workers=0", "stream.lanes=1", "run.threads=1"]
    phantoms = PhantomConfig(kind="phantom", pictures=8 if options.quick else DRAWN_PICTURES)
    config = load_config(PAPER, tuple(settings))
    return config.model_copy(update={"sources": (phantoms,)})


def measure_training(options: Options, findings: Findings) -> None:
    """Train `paper.toml` for a while with RMI alone and with SAM-CL, and take its own figures."""
    for name, sam_cl in (("RMI", 0.0), ("RMI and SAM-CL", 0.5)):
        config = paper_config(options, sam_cl)
        length = {"iterations": 6} if options.quick else {"iterations": None, "minutes": 0.5}
        config = config.model_copy(update={"run": config.run.model_copy(update=length)})
        beats = list[Progress]()
        began_s = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="thermoseg-gpu-") as folder:
            training = Training(config, Path(folder), beats.append)
            outcome = training.fit()
            training.close()
        mean = outcome.iteration * config.run.batch / (time.monotonic() - began_s)
        # The first figures hold the start of the workers, which draw their pictures once.
        measured = [beat for beat in beats if beat.images_per_s > 0]
        late = measured[len(measured) // 2 :]
        rate = statistics.median(beat.images_per_s for beat in late) if late else mean
        waited = statistics.median(beat.waiting for beat in late) if late else math.nan
        findings.add(f"{name}, images", rate, "per s")
        findings.add(f"{name}, waiting for batches", 100 * waited, "% of the time")
        minutes = PAPER_ITERATIONS * 16 / rate / 60
        findings.add(f"{name}, 40,000 iterations of 16", minutes, "min")
        findings.aim(f"training with {name}", rate, LEAST_IMAGES_PER_S, "images/s", at_most=False)


class Stopwatch:
    """Seconds by part of a step; each part waits for the device to be done."""

    def __init__(self, device: str) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._cuda = device == "cuda"

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time inside for `name`, in the profile too."""
        began_s = time.perf_counter()
        with torch.profiler.record_function(name):
            yield
            if self._cuda:
                torch.cuda.synchronize()
        self.seconds[name] += time.perf_counter() - began_s


def profile_training(options: Options, findings: Findings) -> None:
    """Take steps of `paper.toml` apart, and name the operations that cost most."""
    config = paper_config(options, 0.5)
    device, warm, steps = options.device, 2 if options.quick else 15, 2 if options.quick else 20
    torch.manual_seed(config.seed)
    # What `paper.toml` names is one of ours.
    network = build(config.network.name, width=config.network.width).to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub
    objective = Objective(config.objective, NUM_CLASSES, network).to(device)
    optimiser = build_optimiser(config.optimiser, [network, objective], fused=device == "cuda")
    scaler = torch.amp.GradScaler(device, enabled=device == "cuda")
    batches = iter(open_loader(BatchStream(config), config, 0))
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)

    def step(watch: Stopwatch) -> None:
        with watch.part("waiting for a batch"):
            images, labels = next(batches)
        with watch.part("upload"):
            images = images.to(device).contiguous(memory_format=torch.channels_last)
            labels = labels.to(device)
        with watch.part("forward"), torch.autocast(device, torch.float16, device == "cuda"):
            logits = network(images)
        with watch.part("losses"):
            loss = objective(logits.float(), labels)[0]
        with watch.part("backward"):
            scaler.scale(loss).backward()
        with watch.part("optimiser"):
            scaler.step(optimiser)
            scaler.update()
            optimiser.zero_grad(set_to_none=True)

    for _ in range(warm):
        step(Stopwatch(device))
    watch = Stopwatch(device)
    for _ in range(steps):
        step(watch)
    for name, seconds in watch.seconds.items():
        findings.add(name, 1000 * seconds / steps, "ms a step")
    if device == "cuda":
        findings.add("memory at most", torch.cuda.max_memory_allocated() / 1e9, "GB")
    with torch.profiler.profile(activities=activities) as profile:
        for _ in range(2):
            step(Stopwatch(device))
    for name, cost_ms in costly_operations(profile, device)[:12]:
        findings.add(f"`{name}`", cost_ms / 2, "ms a step")


def costly_operations(profile: torch.profiler.profile, device: str) -> list[tuple[str, float]]:
    """Return operations and the milliseconds that each took itself, the costliest first."""
    key = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    # Kernels and the marks of `Stopwatch` stand beside the operations that their time is part of.
    costs = [
        (event.key.replace("|", "/")[:80], getattr(event, key) / 1000)
        for event in profile.key_averages()
        if event.device_type == DeviceType.CPU and not event.is_user_annotation
    ]
    return sorted(costs, key=lambda cost: -cost[1])


def measure_generation(options: Options, findings: Findings) -> None:
    """Time what makes training pictures, in processor time of one core."""
    runs = 3 if options.quick else 40
    height, width = 256, 320
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        rng = np.random.default_rng(1)
        person = draw_person(rng)
        tiaug = TiAug(TiAugConfig(), (height, width))
        picture = draw_picture(rng, height, width, person)
        bodies: dict[str, Callable[[], object]] = {
            "phantom, somebody known": lambda: draw_picture(rng, height, width, person),
            "phantom, somebody new": lambda: draw_picture(rng, height, width, draw_person(rng)),
            "TiAug": lambda: tiaug(*picture, rng),
        }
        for name, body in bodies.items():
            body()
            began_s = time.process_time()
            for _ in range(runs):
                body()
            spent_s = time.process_time() - began_s
            findings.add(name, runs / spent_s, "images/s per core")
    finally:
        cv2.setNumThreads(threads)
