"""The training loop: set up, fit, validate, in that order; readable in one sitting."""

import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from thermoseg.errors import TrainingError
from thermoseg.labels import NUM_CLASSES
from thermoseg.models import load_model
from thermoseg.networks.build import build
from thermoseg.preprocess import normalise
from trainer.checkpoint import load_checkpoint, save_checkpoint
from trainer.config import OptimiserConfig, TrainingConfig
from trainer.contact_sheet import overlay_labels, save_sheet
from trainer.datasets import (
    PICTURE_ENDINGS,
    UPRIGHT,
    BatchStream,
    Picture,
    open_loader,
    read_picture,
    to_tensors,
    validation_pictures,
)
from trainer.metrics import Confusion, Scores
from trainer.objective import Objective
from trainer.tiaug import TiAug, TiAugConfig
from trainer.widening import widen

HEARTBEAT_S: Final = 1.0
"""Between two lines of `metrics.jsonl`."""
SMOOTHING: Final = 0.95
"""Of the losses and rates that are shown."""
MOST_LOOKED_AT: Final = 24
"""Unlabelled pictures on a sheet."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One heartbeat of a run."""

    iteration: int
    fraction: float
    """Of the run, 0-1."""
    losses: dict[str, float]
    """Smoothed, by name; "total" is what is minimised."""
    learning_rate: float
    images_per_s: float
    waiting: float
    """Share of the time spent waiting for batches; much of it asks for more workers."""
    left_s: float
    """Until the run ends, estimated."""
    scores: dict[str, Scores] = field(default_factory=dict)
    """By set; filled only right after a validation."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    iteration: int
    finished: bool
    """False when it was asked to stop before its end; it can be resumed."""
    scores: dict[str, Scores]


def learning_rate_share(config: OptimiserConfig, fraction: float) -> float:
    """Return the learning rate at `fraction` (0-1) of a run as a share of the highest.

    "poly" is (1 - f)^0.9, the schedule of the paper's code; "one_cycle" rises and falls along
    half cosines (Smith & Topin 2017); both others fall along one or not at all.
    """
    fraction = min(max(fraction, 0.0), 1.0)
    if fraction < config.warm_up:
        rise = (fraction + 1e-3) / (config.warm_up + 1e-3)
        return 0.5 - 0.5 * math.cos(math.pi * rise) if config.schedule == "one_cycle" else rise
    done = (fraction - config.warm_up) / (1 - config.warm_up)
    match config.schedule:
        case "cosine" | "one_cycle":
            share = 0.5 + 0.5 * math.cos(math.pi * done)
        case "poly":
            share = (1 - done) ** 0.9
        case _:
            return 1.0
    return config.final + (1 - config.final) * share


class Training:
    """One run in its folder: `last.ckpt`, `previous.ckpt`, `metrics.jsonl`, `sheets/`."""

    def __init__(
        self, config: TrainingConfig, folder: Path, report: Callable[[Progress], None]
    ) -> None:
        """Set everything up, without training yet.

        Parameters
        ----------
        config
            Of the run.
        folder
            Where the run is kept; made if missing.
        report
            Is told how it goes, about once a second and after each validation.

        Raises
        ------
        ConfigError
            If a source or the network does not fit.
        TrainingError
            If the start weights do not fit.
        """
        self._config = config
        self._folder = folder
        self._report = report
        self._stop = False
        self.iteration = 0
        self._trained_s = 0.0

        run = config.run
        if run.threads:
            torch.set_num_threads(run.threads)
        self._fabric = Fabric(
            accelerator=run.accelerator, devices=run.devices, precision=run.precision
        )
        self._fabric.launch()
        torch.manual_seed(config.seed)
        network = build(config.network.name, NUM_CLASSES, config.network.width)
        if run.init_from is not None:
            _load_start(network, run.init_from)
        if run.channels_last:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        objective = Objective(config.objective, NUM_CLASSES)
        optimiser = _build_optimiser(config.optimiser, [network, objective])
        self._network, self._optimiser = self._fabric.setup(network, optimiser)
        has_weights = any(True for _ in objective.parameters())
        self._objective = (
            self._fabric.setup_module(objective)
            if has_weights
            else objective.to(self._fabric.device)
        )
        self._averaged = {
            name: value.detach().clone() for name, value in self._network.state_dict().items()
        }

        self._stream = BatchStream(
            config, rank=self._fabric.global_rank, world=self._fabric.world_size
        )
        self._validation = validation_pictures(config)
        self._looked_at = _pictures_to_look_at(config)
        (folder / "sheets").mkdir(parents=True, exist_ok=True)

    def resume(self) -> None:
        """Go back to the newest checkpoint of the folder.

        Raises
        ------
        TrainingError
            If none can be loaded or it is of another network.
        """
        state = load_checkpoint(self._folder)
        try:
            self._network.load_state_dict(state["network"])
            self._objective.load_state_dict(state["objective"])
            self._optimiser.load_state_dict(state["optimiser"])
            for name, value in self._averaged.items():
                value.copy_(state["averaged"][name])
        except (KeyError, RuntimeError, ValueError) as error:
            raise TrainingError(
                f"{self._folder}: the checkpoint is of another network or objective; resume with "
                f"the settings it was started with"
            ) from error
        self.iteration = int(state["iteration"])
        self._trained_s = float(state["trained_s"])
        torch.set_rng_state(state["random_state"])

    def fit(self) -> Outcome:
        """Train until the end, or until SIGTERM or SIGINT asks to stop; save either way.

        Raises
        ------
        TrainingError
            If the loss is no longer finite, memory runs out, or nothing can be saved.
        """
        if self.iteration == 0:
            self._score(self._validation[:2])
        with _signals(self._ask_to_stop):
            try:
                self._fit()
            except torch.OutOfMemoryError as error:
                raise TrainingError(
                    f"out of memory with run.batch = {self._config.run.batch}; make it smaller"
                ) from error
        self.save()
        return Outcome(self.iteration, not self._stop, self._validate())

    def _fit(self) -> None:
        run, optimiser = self._config.run, self._config.optimiser
        before_s = time.monotonic() - self._trained_s
        saved_s = validated_s = beat_s = time.monotonic()
        shown: dict[str, float] = {}
        shown_rate = 0.0
        waited_s, beat_iteration = 0.0, self.iteration
        batches = iter(open_loader(self._stream, self._config, self.iteration))
        while (fraction := self._fraction()) < 1 and not self._stop:
            asked_s = time.monotonic()
            images, labels = next(batches)
            waited_s += time.monotonic() - asked_s
            rate = optimiser.learning_rate * learning_rate_share(optimiser, fraction)
            losses = self._step(images, labels, rate)
            self.iteration += 1
            now_s = time.monotonic()
            self._trained_s = now_s - before_s

            for name, value in losses.items():
                shown[name] = SMOOTHING * shown.get(name, value) + (1 - SMOOTHING) * value
            if now_s - beat_s >= HEARTBEAT_S:
                speed = (self.iteration - beat_iteration) / (now_s - beat_s)
                shown_rate = 0.8 * shown_rate + 0.2 * speed if shown_rate else speed
                self._beat(fraction, shown, rate, shown_rate, waited_s / (now_s - beat_s))
                beat_s, beat_iteration, waited_s = now_s, self.iteration, 0.0
            if now_s - saved_s >= run.checkpoint_every_s:
                self.save()
                saved_s = time.monotonic()
            if now_s - validated_s >= run.validate_every_s:
                self._validate()
                validated_s = beat_s = time.monotonic()
                beat_iteration = self.iteration

    def _step(self, images: Tensor, labels: Tensor, rate: float) -> dict[str, float]:
        """Change the weights once; return the losses by name."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        images = images.to(self._fabric.device, non_blocking=True)
        labels = labels.to(self._fabric.device, non_blocking=True)
        if self._config.run.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        self._network.train()
        total, parts = self._objective(self._network(images), labels)
        losses = {"total": float(total.detach())}
        losses |= {name: float(part) for name, part in parts.items()}
        if not all(map(math.isfinite, losses.values())):
            self._stop_at_nonsense(images, labels, losses)
        self._fabric.backward(total)
        if self._config.optimiser.clip > 0:
            self._fabric.clip_gradients(
                self._network,
                self._optimiser,
                max_norm=self._config.optimiser.clip,
                error_if_nonfinite=False,
            )
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self._average()
        return losses

    def _average(self) -> None:
        """Move the averaged weights towards the present ones."""
        decay = min(self._config.optimiser.ema, (1 + self.iteration) / (10 + self.iteration))
        if self._config.optimiser.ema == 0:
            decay = 0.0
        present = self._network.state_dict()
        floats = [name for name, value in self._averaged.items() if value.is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_(
                [self._averaged[name] for name in floats],
                [present[name] for name in floats],
                1 - decay,
            )
            for name, value in self._averaged.items():
                if not value.is_floating_point():
                    value.copy_(present[name])

    def _fraction(self) -> float:
        run = self._config.run
        if run.iterations is not None:
            return self.iteration / run.iterations
        if run.minutes is None:
            raise ValueError("a run needs iterations or minutes")
        return self._trained_s / (60 * run.minutes)

    def _beat(
        self,
        fraction: float,
        losses: dict[str, float],
        rate: float,
        speed: float,
        waiting: float,
    ) -> None:
        left_s = self._trained_s / fraction * (1 - fraction) if fraction > 0 else math.nan
        batch = self._config.run.batch * self._fabric.world_size
        progress = Progress(
            self.iteration, fraction, dict(losses), rate, speed * batch, waiting, left_s
        )
        self._note(
            {
                "iteration": progress.iteration,
                "fraction": round(fraction, 5),
                "losses": {name: round(value, 5) for name, value in losses.items()},
                "learning_rate": rate,
                "images_per_s": round(progress.images_per_s, 2),
                "waiting": round(waiting, 3),
                "left_s": None if math.isnan(left_s) else round(left_s, 1),
            }
        )
        if self._fabric.is_global_zero:
            self._report(progress)

    def _note(self, line: dict[str, Any]) -> None:
        """Append one line to `metrics.jsonl`."""
        if not self._fabric.is_global_zero:
            return
        try:
            with (self._folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps({"wall_time": time.time(), **line}) + "\n")
        except OSError as error:
            raise TrainingError(
                f"{self._folder}: metrics cannot be written ({error.strerror}); free disk space"
            ) from error

    def save(self) -> None:
        """Write a checkpoint."""
        if not self._fabric.is_global_zero:
            return
        save_checkpoint(
            self._folder,
            {
                "iteration": self.iteration,
                "trained_s": self._trained_s,
                "network": self._network.state_dict(),
                "averaged": self._averaged,
                "objective": self._objective.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "random_state": torch.get_rng_state(),
                "config": self._config.model_dump_json(),
            },
        )

    def _validate(self) -> dict[str, Scores]:
        """Judge the averaged weights on the fixed pictures, and paint a sheet."""
        half = len(self._validation) // 2
        scores, tiles = {}, []
        for name, pictures in (
            ("plain", self._validation[:half]),
            ("augmented", self._validation[half:]),
        ):
            scores[name], predicted = self._score(pictures)
            for (picture, truth), labels in list(zip(pictures, predicted, strict=True))[:8]:
                tiles += [overlay_labels(picture, truth), overlay_labels(picture, labels)]
        if self._fabric.is_global_zero:
            sheets = self._folder / "sheets"
            save_sheet(sheets / f"{self.iteration:07d}.png", tiles, 8)
            if self._looked_at:
                _, predicted = self._score(self._looked_at)
                looked = [
                    overlay_labels(picture, labels)
                    for (picture, _), labels in zip(self._looked_at, predicted, strict=True)
                ]
                save_sheet(sheets / f"{self.iteration:07d}_unlabelled.png", looked, 6)
        self._note(
            {
                "iteration": self.iteration,
                "validation": {
                    name: {"mean_iou": score.mean_iou, **score.iou}
                    for name, score in scores.items()
                },
            }
        )
        if self._fabric.is_global_zero:
            self._report(
                Progress(self.iteration, self._fraction(), {}, 0.0, 0.0, 0.0, math.nan, scores)
            )
        return scores

    def _score(self, pictures: list[Picture]) -> tuple[Scores, list[NDArray[np.uint8]]]:
        present = {name: value.clone() for name, value in self._network.state_dict().items()}
        self._network.load_state_dict(self._averaged)
        self._network.eval()
        confusion, predictions = Confusion(), list[NDArray[np.uint8]]()
        batch = self._config.run.batch
        try:
            with torch.inference_mode():
                for first in range(0, len(pictures), batch):
                    images, labels = to_tensors(pictures[first : first + batch])
                    logits = self._network(images.to(self._fabric.device))
                    predicted = logits.argmax(1).to("cpu", torch.uint8).numpy()
                    confusion.add(labels.numpy(), predicted)
                    predictions += list(predicted)
        finally:
            self._network.load_state_dict(present)
        return confusion.scores(), predictions

    def _stop_at_nonsense(self, images: Tensor, labels: Tensor, losses: dict[str, float]) -> None:
        path = self._folder / "not_finite.npz"
        np.savez_compressed(path, images=images.cpu().numpy(), labels=labels.cpu().numpy())
        names = ", ".join(name for name, value in losses.items() if not math.isfinite(value))
        raise TrainingError(
            f"iteration {self.iteration}: {names} is not finite, its batch is in {path}; resume "
            f"with a lower optimiser.learning_rate"
        )

    def _ask_to_stop(self) -> None:
        self._stop = True


def _build_optimiser(config: OptimiserConfig, modules: list[nn.Module]) -> torch.optim.Optimizer:
    weights = [value for module in modules for value in module.parameters()]
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.name == "sgd":
        return torch.optim.SGD(groups, config.learning_rate, momentum=config.momentum)
    return torch.optim.AdamW(groups, config.learning_rate)


def _load_start(network: nn.Module, path: Path) -> None:
    """Start `network` with the weights of a model file or checkpoint, widened where it is wider."""
    try:
        if path.suffix == ".safetensors":
            weights = load_model(path)[0].state_dict()
        else:
            weights = load_checkpoint(path)["averaged"]
        network.load_state_dict(widen(weights, network.state_dict()))
    except ValueError as error:
        raise TrainingError(
            f"{path}: its weights do not fit the network ({error}); set network.name as it was and "
            f"network.width to a multiple"
        ) from error


def _pictures_to_look_at(config: TrainingConfig) -> list[Picture]:
    """Read the unlabelled pictures, brought to the network's size; labels are all background."""
    stream = config.stream
    fit = TiAug(
        TiAugConfig.model_validate({**UPRIGHT, "height": stream.height, "width": stream.width})
    )
    paths = [
        path
        for place in config.validation.look_at
        for path in (sorted(place.rglob("*")) if place.is_dir() else [place])
        if path.suffix.lower() in PICTURE_ENDINGS
    ]
    step = max(1, math.ceil(len(paths) / MOST_LOOKED_AT))
    pictures: list[Picture] = []
    for path in paths[::step]:
        celsius = np.nan_to_num(read_picture(path))
        none = np.zeros(celsius.shape, np.uint8)
        fitted, labels = fit(celsius, none, np.random.default_rng(0))
        pictures.append((normalise(fitted, stream.normalisations[0]), labels))
    return pictures


@contextmanager
def _signals(ask_to_stop: Callable[[], None]) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the run after the present iteration."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    try:
        before = {number: signal.signal(number, lambda *_: ask_to_stop()) for number in numbers}
    except ValueError:
        # Only the main thread may set handlers; elsewhere whoever owns the thread stops it.
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
