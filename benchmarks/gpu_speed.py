"""How fast a GPU runs networks, and a live session with one."""

import copy
import itertools
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.gpu_checks import runner_on
from benchmarks.gpu_pictures import ReplayCamera, phantom_frames
from benchmarks.gpu_report import CheckError, Findings, Options
from benchmarks.timing import median_ms
from thermoseg.inference.choose import DEFAULT_MODEL, choose_segmenter
from thermoseg.inference.stage import Stage
from thermoseg.models import find_model, load_model
from thermoseg.networks import build
from thermoseg.preprocess import Box, normalise
from thermoseg.session import Session

SIZE: Final = (512, 640)
"""Height and width of the frames, pixels."""
SMALL: Final = (120, 160)
"""The same in a quick run."""
MOST_COMPACT_MS: Final = 2.0
LEAST_SPEED_UP: Final = 5.0


def measure_frames(options: Options, findings: Findings) -> None:
    """Time one frame through `face-compact` and the full Attention U-Net, all of it at full size.

    The frame goes up, is normalised, run and labelled there; labels and confidence come down.  The
    reference is what one would write first: the same in float32, without a graph, and without the
    normalising, which is left out in its favour.
    """
    size, runs = (SMALL, 3) if options.quick else (SIZE, 100)
    compact = load_model(find_model(DEFAULT_MODEL))[0]
    torch.manual_seed(0)
    full = build("attention_unet", width=4 if options.quick else 64).eval()
    frames = [frame.celsius for frame in phantom_frames(4, *size, seed=3)]
    found: dict[str, tuple[float, float]] = {}
    for name, network in (("face-compact", compact), ("Attention U-Net", full)):
        eager_ms = time_eagerly(network, frames, options.device, runs)
        stage = runner_on(options.device, network).open_stage(size, "percentile")
        staged_ms = time_stage(stage, frames, runs)
        found[name] = eager_ms, staged_ms
        findings.add(f"{name}, eager float32", eager_ms, "ms")
        findings.add(f"{name}, stage", staged_ms, "ms")
        findings.add(f"{name}, times as fast", eager_ms / staged_ms, "×")
    findings.aim(
        "face-compact, one frame", found["face-compact"][1], MOST_COMPACT_MS, "ms", at_most=True
    )
    eager_ms, staged_ms = found["Attention U-Net"]
    findings.aim(
        "Attention U-Net, beside eager", eager_ms / staged_ms, LEAST_SPEED_UP, "×", at_most=False
    )
    segmenter = choose_segmenter(DEFAULT_MODEL, backend_of(options.device))
    moving = iter(phantom_frames(2 * runs + 1, *size, seed=3))
    live_ms = median_ms(lambda: segmenter.segment(next(moving)), min(runs, 50))
    findings.add("face-compact, following a face", live_ms, "ms")


def time_eagerly(
    network: nn.Module, frames: list[NDArray[np.float32]], device: str, runs: int
) -> float:
    """Time upload, network in float32, labels and download of pictures normalised before."""
    own = copy.deepcopy(network).eval().to(device)
    images = itertools.cycle(torch.from_numpy(normalise(frame))[None, None] for frame in frames)

    def body() -> None:
        with torch.inference_mode():
            confidence, labels = own(next(images).to(device)).softmax(dim=1).max(dim=1)
            labels.to("cpu", torch.uint8)
            confidence.to("cpu")

    return median_ms(body, runs)


def time_stage(stage: Stage, frames: list[NDArray[np.float32]], runs: int) -> float:
    """Time showing a frame and looking at all of it; both end when the labels are there."""
    whole = Box(0, 0, *frames[0].shape)
    upcoming = itertools.cycle(frames)

    def body() -> None:
        stage.show(next(upcoming))
        stage.look(whole)

    return median_ms(body, runs)


def backend_of(device: str) -> str:
    """Return what `choose_segmenter` calls PyTorch on a device."""
    return "cuda" if device == "cuda" else "torch"


def run_session(options: Options, findings: Findings) -> None:
    """Capture, record and segment without a window, from frames that were drawn beforehand.

    Raises
    ------
    CheckError
        If a frame that came was not recorded.
    """
    size, rate_hz, seconds = (SMALL, 10.0, 2.0) if options.quick else (SIZE, 60.0, 20.0)
    camera = ReplayCamera(phantom_frames(60 if not options.quick else 5, *size, seed=3), rate_hz)
    segmenter = choose_segmenter(DEFAULT_MODEL, backend_of(options.device))
    with tempfile.TemporaryDirectory(prefix="thermoseg-gpu-") as folder:
        session = Session(camera, segmenter, address="replay")
        session.start_recording(Path(folder) / "session.h5")
        with session:
            session.wait_opened(10.0)
            # The first frame has to wait until graphs are captured.
            time.sleep(seconds / 4)
            warm = session.look().counts
            time.sleep(seconds)
            hot = session.look().counts
        counts = session.look().counts
    findings.add("frames", f"{size[1]}×{size[0]} at {rate_hz:.0f}/s, {segmenter.backend}")
    findings.add("captured", float(counts.captured))
    findings.add("recorded", float(counts.recorded))
    findings.add("dropped", float(counts.dropped))
    segmented_hz = (hot.segmented - warm.segmented) / (hot.seconds - warm.seconds)
    findings.add("segmented once warm", segmented_hz, "per s")
    findings.add("frame to mask, median", counts.latency_p50_ms, "ms")
    findings.add("frame to mask, 95 %", counts.latency_p95_ms, "ms")
    findings.aim("frames segmented", segmented_hz, 0.99 * rate_hz, "per s", at_most=False)
    if counts.dropped or counts.recorded != counts.captured:
        raise CheckError(f"{counts.captured - counts.recorded} frames were not recorded")
