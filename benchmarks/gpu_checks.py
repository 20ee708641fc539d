"""What must be right on a GPU, as plain functions: the report calls them, and so do the tests."""

import copy
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu_pictures import (
    LabelledFrame,
    labelled_phantoms,
    phantom_frames,
    read_faces,
)
from benchmarks.gpu_report import CheckError, Findings, Options
from thermoseg.inference.choose import DEFAULT_MODEL
from thermoseg.inference.face_segmenter import FaceSegmenter
from thermoseg.inference.runner import Runner
from thermoseg.inference.stage import Stage
from thermoseg.inference.torch_backend import TorchCpuRunner, TorchCudaRunner
from thermoseg.inference.torch_stage import TorchStage
from thermoseg.labels import NUM_CLASSES
from thermoseg.models import describe_model, find_model, load_model
from thermoseg.networks import NETWORKS, build
from thermoseg.phantom.training import draw_picture
from thermoseg.preprocess import Box, Normalisation, normalise
from trainer.checkpoint import load_checkpoint
from trainer.config import ObjectiveConfig
from trainer.metrics import Confusion
from trainer.objective import Objective

ROOT: Final = Path(__file__).parents[1]
MOST_IOU_APART: Final = 0.003
"""Half precision may cost so much mean IoU on labelled pictures, or gain it."""
LEAST_SAME_LABELS: Final = 0.995
"""Share of the pixels that get the same label.  A network with random weights decides many by the
last bit: with float16 emulated on a CPU, HRNet gave 0.9973 and Attention U-Net 0.9998."""
MOST_LOSS_APART: Final = 0.02
"""Of the loss in mixed precision from the one in float32, relative."""
LEAST_COSINE: Final = {"cuda": 0.95, "cpu": 0.8}
"""Between the gradients of RMI in mixed precision and in float32: emulated on a CPU it was 0.990
with float16, which GPUs use, and 0.914 with bfloat16.  SAM-CL says nothing here: it compares what
is labelled wrongly, and a fresh network labels by the last bit."""
MOST_WEIGHTS_APART: Final = {"cuda": 1e-3, "cpu": 1e-5}
"""Between runs that should make the same weights; on a GPU the order of sums is not fixed."""
CHILD_TIMEOUT_S: Final = 100.0
SMALL_PX: Final = (64, 96)
"""Height and width of the random pictures."""

RECIPE: Final = """
seed = 3
[network]
name = "unet"
width = 4
[[sources]]
kind = "phantom"
pictures = 16
[stream]
height = 48
width = 48
workers = 0
lanes = 1
[objective]
rmi = 1.0
sam_cl = 0.5
[optimiser]
name = "sgd"
learning_rate = 0.01
[run]
iterations = 8
batch = 4
threads = 1
validate_every = 4
checkpoint_every = 2
tensorboard = false
[validation]
pictures = 4
"""
"""A run of seconds with the paper's losses."""


class StagedCpuRunner(TorchCpuRunner):
    """Offers on the CPU, in float32, the stage that otherwise only a GPU has."""

    def open_stage(self, size: tuple[int, int], normalisation: Normalisation) -> Stage:
        """Prepare the stage; see `thermoseg.inference.stage.StagingRunner`."""
        cpu = torch.device("cpu")
        return TorchStage(self._network, cpu, torch.float32, size, normalisation)


def runner_on(device: str, network: nn.Module) -> TorchCudaRunner | StagedCpuRunner:
    """Make the runner that is to be judged."""
    return TorchCudaRunner(network) if device == "cuda" else StagedCpuRunner(network)


def random_network(name: str) -> nn.Module:
    """Build a network with random weights and the statistics of some training."""
    torch.manual_seed(9)
    network = build(name, width=8)
    with torch.no_grad():
        for _ in range(6):
            network(torch.randn(4, 1, *SMALL_PX))
    return network.eval()


def same_labels(name: str, device: str) -> float:
    """Return the share of pixels that a network labels as on the CPU in float32.

    Raises
    ------
    CheckError
        If it is too small.
    """
    images = np.random.default_rng(6).uniform(-1, 1, (4, 1, *SMALL_PX)).astype(np.float32)
    expected = TorchCpuRunner(random_network(name)).probabilities(images).argmax(axis=1)
    found = runner_on(device, random_network(name)).probabilities(images).argmax(axis=1)
    share = float((found == expected).mean())
    if share < LEAST_SAME_LABELS:
        raise CheckError(f"{name}: {share:.2%} of the labels are those of the CPU; see its layers")
    return share


def check_networks(options: Options, findings: Findings) -> None:
    """Compare the labels of every network with those of the CPU, on random pictures."""
    for name in ["compact", "attention_unet"] if options.quick else sorted(NETWORKS):
        findings.add(f"{name}, same labels", 100 * same_labels(name, options.device), "%")


def check_stage(options: Options, findings: Findings) -> None:
    """Compare the stage's looks and pictures with the CPU's, and see that graphs are captured.

    Raises
    ------
    CheckError
        If labels differ or a graph was not captured.
    """
    shape = (120, 160) if options.quick else (512, 640)
    model = describe_model(find_model(DEFAULT_MODEL))
    plain = FaceSegmenter(TorchCpuRunner(load_model(model.path)[0]), model)
    staged = FaceSegmenter(runner_on(options.device, load_model(model.path)[0]), model)
    shares = []
    for frame in phantom_frames(4, *shape, seed=3):
        expected, found = plain.segment(frame), staged.segment(frame)
        shares.append(float((found.labels == expected.labels).mean()))
    findings.add("same labels while a face is followed", 100 * min(shares), "%")
    if min(shares) < LEAST_SAME_LABELS:
        raise CheckError(f"{min(shares):.2%} of the labels are those of the CPU; see torch_stage")
    if options.device == "cuda":
        stage = runner_on("cuda", load_model(model.path)[0]).open_stage((256, 320), "percentile")
        stage.show(np.zeros(shape, np.float32))
        stage.look(Box(0, 0, 256, 320))
        captured = isinstance(stage, TorchStage) and stage.captured
        findings.add("CUDA graphs", "captured" if captured else "not captured")
        if not captured:
            raise CheckError("no CUDA graph was captured; the log says why")


def labelled(options: Options) -> list[LabelledFrame]:
    """Return the faces of the folder that was named, or phantoms."""
    if options.faces:
        return read_faces(Path(options.faces))
    count, shape = (2, (120, 160)) if options.quick else (12, (512, 640))
    return labelled_phantoms(count, *shape)


def mean_iou(runner: Runner, pictures: list[LabelledFrame]) -> float:
    """Return the bundled model's mean over the face regions, each picture seen for itself."""
    model = describe_model(find_model(DEFAULT_MODEL))
    confusion = Confusion()
    for picture in pictures:
        labels = FaceSegmenter(runner, model).segment(picture.frame).labels
        confusion.add(picture.labels, labels)
    return confusion.scores().mean_iou


def check_accuracy(options: Options, findings: Findings) -> None:
    """Compare the bundled model's IoU with the one on the CPU, on labelled pictures.

    Raises
    ------
    CheckError
        If they are too far apart.
    """
    path = find_model(DEFAULT_MODEL)
    pictures = labelled(options)
    cpu = mean_iou(TorchCpuRunner(load_model(path)[0]), pictures)
    found = mean_iou(runner_on(options.device, load_model(path)[0]), pictures)
    findings.add("pictures", f"{len(pictures)} {'faces' if options.faces else 'phantoms'}")
    findings.add("mean IoU, CPU", cpu)
    findings.add(f"mean IoU, {options.device}", found)
    findings.add("apart", abs(found - cpu))
    if not abs(found - cpu) <= MOST_IOU_APART:
        raise CheckError(f"mean IoU is {found:.4f} and {cpu:.4f} on the CPU; see torch_stage")


def check_mixed_precision(options: Options, findings: Findings) -> None:
    """Compare loss and gradients in mixed precision with float32, and train a little in it.

    Raises
    ------
    CheckError
        If they are too far apart.
    """
    device = torch.device(options.device)
    half = torch.float16 if options.device == "cuda" else torch.bfloat16
    images, truth = training_batch(4, 64, 80)
    torch.manual_seed(0)
    network = build("compact", width=8).to(device)
    objective = Objective(ObjectiveConfig(rmi=1.0), NUM_CLASSES, network).to(device)
    found: list[tuple[float, Tensor]] = []
    for dtype in (None, half):
        own = copy.deepcopy(network)
        with torch.autocast(device.type, dtype=dtype or half, enabled=dtype is not None):
            logits = own(images.to(device))
        loss = objective(logits.float(), truth.to(device))[0]
        # As a gradient scaler does: small gradients would vanish in half precision.
        (1024 * loss).backward()
        gradients = [
            weight.grad.flatten() for weight in own.parameters() if weight.grad is not None
        ]
        found.append((loss.item(), torch.cat(gradients).double().cpu()))
    (full_loss, full), (loss_half, mixed) = found
    apart = abs(loss_half - full_loss) / abs(full_loss)
    cosine = torch.nn.functional.cosine_similarity(full, mixed, dim=0).item()
    findings.add("loss apart, relative", apart)
    findings.add("cosine between gradients", cosine)
    if not (apart <= MOST_LOSS_APART and cosine >= LEAST_COSINE[options.device]):
        raise CheckError(f"the loss is {apart:.1%} off and the gradients' cosine {cosine:.3f}")
    precision = "16-mixed" if options.device == "cuda" else "bf16-mixed"
    with tempfile.TemporaryDirectory(prefix="thermoseg-gpu-") as folder:
        settings = [f"run.precision={precision}", "run.iterations=4"]
        weights = train_apart(Path(folder), "mixed", options, settings)
    findings.add("trained in", precision)
    findings.add("weights", f"{len(weights)} tensors, all finite")


def check_resume(options: Options, findings: Findings) -> None:
    """Kill a run in its middle, resume it, and compare with a run that was left alone.

    Raises
    ------
    CheckError
        If the weights are too far apart.
    """
    with tempfile.TemporaryDirectory(prefix="thermoseg-gpu-") as name:
        folder = Path(name)
        expected = train_apart(folder, "whole", options)
        run_children(folder, "killed", options, ["--kill-at", "4"], expected_code=-9)
        reached = load_checkpoint(folder / "killed")["iteration"]
        found = train_apart(folder, "killed", options, resume=True)
    findings.add("killed after iteration", float(reached))
    if reached != 4:
        raise CheckError(f"the killed run had saved iteration {reached} and not 4")
    compare_weights(found, expected, options.device, findings)


def check_two_processes(options: Options, findings: Findings) -> None:
    """Let two processes train on the one device over gloo, and compare with one of twice the batch.

    Raises
    ------
    CheckError
        If the weights are too far apart.
    """
    settings = ["run.iterations=3", "run.validate_every=3"]
    with tempfile.TemporaryDirectory(prefix="thermoseg-gpu-") as name:
        folder = Path(name)
        expected = train_apart(folder, "one", options, settings)
        found = train_apart(folder, "two", options, [*settings, "run.batch=2"], processes=2)
    compare_weights(found, expected, options.device, findings)


def training_batch(count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Draw phantoms to learn from: (n, 1, h, w) in [-1, 1] and (n, h, w) labels."""
    pictures = [draw_picture(np.random.default_rng(seed), height, width) for seed in range(count)]
    images = np.stack([normalise(celsius) for celsius, _ in pictures])[:, None]
    return torch.from_numpy(images), torch.from_numpy(np.stack([labels for _, labels in pictures]))


def compare_weights(
    found: dict[str, Tensor], expected: dict[str, Tensor], device: str, findings: Findings
) -> None:
    """Note how far apart two sets of weights are.

    Raises
    ------
    CheckError
        If that is too far.
    """
    apart = max(
        float((found[name].double() - value.double()).abs().max())
        for name, value in expected.items()
    )
    findings.add("largest difference of a weight", apart)
    findings.add("equal bit for bit", "yes" if apart == 0 else "no")
    if not apart <= MOST_WEIGHTS_APART[device]:
        raise CheckError(f"weights that should be equal are {apart:.2g} apart")


def train_apart(
    folder: Path,
    name: str,
    options: Options,
    settings: list[str] | None = None,
    *,
    resume: bool = False,
    processes: int = 1,
) -> dict[str, Tensor]:
    """Run `RECIPE` in processes of its own and return the weights it came to.

    Raises
    ------
    CheckError
        If a process fails, or a weight is not finite.
    """
    arguments = [f"--set={setting}" for setting in settings or []]
    arguments += ["--resume"] if resume else []
    run_children(folder, name, options, arguments, processes=processes)
    weights: dict[str, Tensor] = {
        key: value.cpu()
        for key, value in load_checkpoint(folder / name)["network"].items()
        if value.is_floating_point()
    }
    unfinite = [key for key, value in weights.items() if not bool(value.isfinite().all())]
    if unfinite:
        raise CheckError(f"{unfinite[0]} is not finite after training")
    return weights


def run_children(
    folder: Path,
    name: str,
    options: Options,
    arguments: list[str],
    *,
    processes: int = 1,
    expected_code: int = 0,
) -> None:
    """Run `benchmarks.gpu_child` on `RECIPE` into `folder`/`name`, and see how it ends.

    Raises
    ------
    CheckError
        If it ends otherwise than expected, with the last line that it said.
    """
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.gpu_child", str(recipe), str(folder / name)]
    command += [f"--set=run.accelerator={options.device}", *arguments]
    # Two processes with as many threads each as there are cores only get into each other's way.
    own = {"OMP_NUM_THREADS": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    shared = {} if processes == 1 else _rendezvous(processes)
    with ExitStack() as stack:
        children = []
        for rank in range(processes):
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **own, **shared, "RANK": str(rank)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            stack.enter_context(child)
            stack.callback(child.kill)
            children.append(child)
        for child in children:
            try:
                said, _ = child.communicate(timeout=CHILD_TIMEOUT_S)
            except subprocess.TimeoutExpired as error:
                raise CheckError(f"training did not end within {CHILD_TIMEOUT_S:.0f} s") from error
            if child.returncode != expected_code:
                last = (said.strip() or "nothing").splitlines()[-1]
                raise CheckError(f"training ended with {child.returncode} and said: {last}")


def _rendezvous(processes: int) -> dict[str, str]:
    """Say where processes meet, each taken for a machine of its own so that all have GPU 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {
        "TORCHELASTIC_RUN_ID": "gpu",
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": "1",
        "LOCAL_RANK": "0",
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
