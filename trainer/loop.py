"""The training loop: set up, fit, validate, in that order; readable in one sitting."""

import copy
import hashlib
import math
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

from thermoseg.errors import ConfigError, FormatError, ThermoSegError, TrainingError
from thermoseg.labels import NUM_CLASSES
from thermoseg.models import load_model
from thermoseg.preprocess import normalise
from trainer.adversarial import Critics
from trainer.checkpoint import BEST, LAST, load_checkpoint, save_checkpoint
from trainer.config import OptimiserConfig, TrainingConfig
from trainer.contact_sheet import overlay_labels, save_sheet
from trainer.datasets import (
    BatchStream,
    open_loader,
    open_sources,
    to_tensors,
    training_side,
    upright,
    validation_sets,
)
from trainer.journal import Heart, Journal
from trainer.labelled_folder import LABELS_SUFFIX
from trainer.memory import free_bytes, in_plain_words, kept_bytes, used_bytes
from trainer.metrics import Confusion, Scores
from trainer.objective import Objective
from trainer.own_network import build_network
from trainer.parallel import (
    agree,
    average,
    close_fabric,
    gather_batch,
    open_fabric,
    processes_here,
    share_batch_norm,
)
from trainer.sources import Picture
from trainer.thermal_pictures import PICTURE_ENDINGS, read_picture
from trainer.widening import widen

HEARTBEAT_S: Final = 1.0
"""Between two lines of `metrics.jsonl`."""
SMOOTHING: Final = 0.95
"""Of the losses and rates that are shown."""
MOST_LOOKED_AT: Final = 24
"""Unlabelled pictures on a sheet."""
MOST_ON_SHEET: Final = 8
"""Validation pictures of each set on a sheet."""
JOURNAL_FORMAT: Final = 1
"""Version of the lines in `metrics.jsonl`, see docs/training-runs.md."""


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
    """Of the last validation; empty if there was none."""
    best_score: float = math.nan
    """Highest mean IoU so far, of the weights in `best.ckpt`."""
    early: bool = False
    """Whether it ended because nothing became better for `run.patience` validations."""


@dataclass(slots=True)
class _Pulse:
    """What has happened since the last heartbeat, and what is shown of it."""

    beat_s: float
    """When the last heartbeat was."""
    since_s: float
    """Since when rates are measured."""
    losses: dict[str, float] = field(default_factory=dict)
    rate: float = 0.0
    iterations: int = 0
    waited_s: float = 0.0
    speed: float = 0.0
    """Iterations per second, smoothed."""

    def count(self, losses: dict[str, float], rate: float, waited_s: float) -> None:
        """Take note of an iteration."""
        for name, value in losses.items():
            shown = self.losses.get(name, value)
            self.losses[name] = SMOOTHING * shown + (1 - SMOOTHING) * value
        self.rate = rate
        self.iterations += 1
        self.waited_s += waited_s

    def restart(self) -> None:
        """Begin to measure rates again, after something that is not training."""
        self.since_s, self.iterations, self.waited_s = time.monotonic(), 0, 0.0


@dataclass(slots=True)
class _Interval:
    """Something that is done every so many iterations or, without such a number, seconds."""

    iterations: int | None
    seconds: float
    done_s: float

    def is_due(self, iteration: int) -> bool:
        """Say whether it is time after `iteration`."""
        if self.iterations is not None:
            return iteration % self.iterations == 0
        return time.monotonic() - self.done_s >= self.seconds


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
    """One run in its folder, whose files docs/training-runs.md describes."""

    def __init__(
        self, config: TrainingConfig, folder: Path, report: Callable[[Progress], None]
    ) -> None:
        """Set everything up, without training yet.

        Parameters
        ----------
        config
            Of the run.
        folder
            Where the run is kept; made if missing.  Several processes must see the same one.
        report
            Is told how it goes, about once a second and after each validation, by the first of
            several processes only.

        Raises
        ------
        ConfigError
            If a source, the network or the device does not fit.
        TrainingError
            If the start weights or the batch do not fit, memory runs out, or the folder cannot be
            written.
        """
        self._config = config
        self._report = report
        self._stop = False
        self.iteration = 0
        self._trained_s = 0.0
        self._best_score = math.nan
        self._stale = 0
        self._validated_at = -1
        self._scores: dict[str, Scores] = {}
        self._overlap: dict[str, float] = {}
        self._fraction = 0.0
        self._began_s = time.monotonic()
        self._pulse = _Pulse(time.monotonic(), time.monotonic())

        run = config.run
        if run.threads:
            torch.set_num_threads(run.threads)
        self._fabric = open_fabric(run)
        self._folder = Path(self._fabric.broadcast(str(folder)))
        with in_plain_words(run.batch, self._folder):
            self._set_up()

    def _set_up(self) -> None:
        config, run = self._config, self._config.run
        _seed_everything(config.seed)
        with _under_key("network"):
            network = build_network(config.network, (config.stream.height, config.stream.width))
        if run.init_from is not None:
            with _under_key("run.init_from"):
                _load_start(network, run.init_from)
        if run.channels_last:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # A network of its own, so that judging it disturbs nothing; it has no gradients.
        self._averaged_network = copy.deepcopy(network).to(self._fabric.device)
        self._averaged_network.eval().requires_grad_(requires_grad=False)
        self._averaged = self._averaged_network.state_dict()
        if self._fabric.world_size > 1:
            network = share_batch_norm(network)
        # Not set up by Fabric, which would round its input to half precision.
        self._objective = Objective(config.objective, NUM_CLASSES, network).to(self._fabric.device)
        self._critics: Critics | None = None
        if config.objective.seg_an > 0 or config.objective.seg_gan > 0:
            self._critics = Critics(config.objective, NUM_CLASSES).to(self._fabric.device)
        optimiser = _build_optimiser(config.optimiser, [network, self._objective])
        self._network, self._optimiser = self._fabric.setup(network, optimiser)

        sources = open_sources(config.sources, config.stream)
        self._stream = BatchStream(
            config,
            training_side(sources),
            rank=self._fabric.global_rank,
            world=self._fabric.world_size,
        )
        self._validation = validation_sets(config, sources)
        with _under_key("validation.look_at"):
            self._looked_at = _pictures_to_look_at(config)
        self._refuse_too_large_a_batch()
        self._journal = Journal(self._folder, tensorboard=run.tensorboard)
        if self._fabric.is_global_zero:
            try:
                (self._folder / "sheets").mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise TrainingError(
                    f"{self._folder}: cannot be written ({error.strerror}); choose another folder"
                ) from error

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
            if self._critics is not None:
                self._critics.load_state_dict(state["critics"])
            self._averaged_network.load_state_dict(state["averaged"])
            self._fabric.strategy.precision.load_state_dict(state["precision"])
            progress = state["progress"]
            _restore_chance(state["chance"], self._fabric.device)
        except (KeyError, RuntimeError, ValueError) as error:
            raise TrainingError(
                f"{self._folder}: the checkpoint is of another network or objective; resume with "
                f"the settings it was started with"
            ) from error
        self.iteration = int(state["iteration"])
        self._trained_s = float(progress["trained_s"])
        self._best_score = float(progress["best_score"])
        self._stale = int(progress["stale"])
        self._validated_at = int(progress["validated_at"])
        self._overlap = dict(progress.get("overlap", {}))

    def fit(self) -> Outcome:
        """Train until the end, or until SIGTERM or SIGINT asks to stop; save either way.

        Raises
        ------
        TrainingError
            If memory runs out, the loss is no longer finite, or nothing can be saved.
        """
        with self._journal:
            try:
                with (
                    _signals(self._ask_to_stop),
                    in_plain_words(self._config.run.batch, self._folder),
                    Heart(self._journal) if self._fabric.is_global_zero else nullcontext(),
                ):
                    self._begin_and_end()
            except ThermoSegError as error:
                with suppress(TrainingError):  # a full disk is told of by `error` itself
                    self._note({"ended": "failed", "reason": str(error)})
                raise
            early = self._has_lost_patience()
            ended = "stopped" if self._stop else "early" if early else "finished"
            self._note({"ended": ended})
        return Outcome(self.iteration, not self._stop, self._scores, self._best_score, early=early)

    def _begin_and_end(self) -> None:
        self._note(self._facts())
        if self.iteration == 0:
            self._beat("validating")
            for pictures in list(self._validation.values())[:2]:
                self._judge(pictures[: self._config.run.batch * self._fabric.world_size])
        self._fit()
        self.save()
        if not self._stop and self._validated_at != self.iteration:
            self._validate()
            self.save()

    def close(self) -> None:
        """Part from the other processes; nothing can be trained afterwards."""
        close_fabric()

    def _fit(self) -> None:
        run, optimiser = self._config.run, self._config.optimiser
        self._began_s = time.monotonic() - self._trained_s
        self._pulse.restart()
        judging = _Interval(run.validate_every, run.validate_every_s, time.monotonic())
        saving = _Interval(run.checkpoint_every, run.checkpoint_every_s, time.monotonic())
        self._agree(judging, saving)
        self._beat("training")
        batches = iter(open_loader(self._stream, self._config, self.iteration))
        while not self._is_over():
            asked_s = time.monotonic()
            try:
                images, labels = _next_batch(batches)
            except (ThermoSegError, RuntimeError):  # a picture or a worker that has gone
                self.save()
                raise
            waited_s = time.monotonic() - asked_s
            rate = optimiser.learning_rate * learning_rate_share(optimiser, self._fraction)
            losses = self._step(images, labels, rate)
            self.iteration += 1

            self._pulse.count(losses, rate, waited_s)
            self._beat_if_due("training")
            judge, save = self._agree(judging, saving)
            if judge and not self._is_over():
                # Who stops the run may not wait until a long validation is over.
                self.save()
                self._validate()
                judging.done_s = time.monotonic()
                self._pulse.restart()
            if save:
                self.save()
                saving.done_s = time.monotonic()

    def _agree(self, judging: _Interval, saving: _Interval) -> tuple[bool, bool]:
        """Let all processes go by the clock of the first, and stop when any is asked to.

        Returns
        -------
        Whether it is time to validate, and whether it is time to save.
        """
        self._stop, (trained_s, judge, save) = agree(
            self._fabric,
            self._stop,
            time.monotonic() - self._began_s,
            judging.is_due(self.iteration),
            saving.is_due(self.iteration),
        )
        self._trained_s = trained_s
        run = self._config.run
        if run.iterations is not None:
            self._fraction = self.iteration / run.iterations
        elif run.minutes is not None:
            self._fraction = min(trained_s / (60 * run.minutes), 1.0)
        return bool(judge), bool(save)

    def _is_over(self) -> bool:
        return self._fraction >= 1 or self._stop or self._has_lost_patience()

    def _has_lost_patience(self) -> bool:
        patience = self._config.run.patience
        return patience is not None and self._stale >= patience

    def _step(self, images: Tensor, labels: Tensor, rate: float) -> dict[str, float]:
        """Change the weights once; return the losses by name."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        images = images.to(self._fabric.device, non_blocking=True)
        labels = labels.to(self._fabric.device, non_blocking=True)
        if self._config.run.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        self._network.train()
        logits = self._network(images)
        if self._config.run.joint_loss:
            logits, labels = gather_batch(logits), gather_batch(labels)
        total, parts = self._objective(logits, labels)
        if self._critics is not None:
            judged = gather_batch(images) if self._config.run.joint_loss else images
            rivalry, more = self._critics.network_loss(judged, logits, labels, self._fraction)
            total, parts = total + rivalry, parts | more
        losses = self._numbers({"total": total.detach(), **parts})
        if not all(map(math.isfinite, losses.values())):
            self._stop_at_nonsense(images, labels, losses)
        self._fabric.backward(total)
        self._change_weights(images, labels, losses)
        if self._critics is not None:
            losses |= self._critics.learn(judged, logits, labels, partial(average, self._fabric))
        self._average()
        return losses

    def _numbers(self, losses: dict[str, Tensor]) -> dict[str, float]:
        """Return the losses as numbers, the means of all processes where each has its own."""
        values = torch.stack([value.float() for value in losses.values()])
        if not self._config.run.joint_loss:
            average(self._fabric, [values])
        return dict(zip(losses, values.tolist(), strict=True))

    def _change_weights(self, images: Tensor, labels: Tensor, losses: dict[str, float]) -> None:
        """Clip the gradients and take a step along them."""
        weights = [w for group in self._optimiser.param_groups for w in group["params"]]
        beside = [w.grad for w in self._objective.parameters() if w.grad is not None]
        average(self._fabric, beside)
        clip = self._config.optimiser.clip
        # With half-precision floats the scaler skips steps that are not finite, and counts on them.
        has_scaler = bool(self._fabric.strategy.precision.state_dict())
        if clip > 0:
            # Although annotated as optional, the norm is returned by every strategy used here.
            found = self._fabric.clip_gradients(
                self._network, self._optimiser, max_norm=clip, error_if_nonfinite=False
            )
            norm = math.nan if found is None else float(found)
        else:
            gradients = [w.grad for w in weights if w.grad is not None]
            norm = float(nn.utils.get_total_norm(gradients))
        if not has_scaler and not math.isfinite(norm):
            self._stop_at_nonsense(images, labels, {**losses, "gradient": norm})
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)

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

    def _beat_if_due(self, phase: str) -> None:
        """Tell how it goes, about once a second; what takes longer is the journal's to repeat."""
        if time.monotonic() - self._pulse.beat_s >= HEARTBEAT_S:
            self._beat(phase)

    def _beat(self, phase: str) -> None:
        """Tell how it goes."""
        if not self._fabric.is_global_zero:
            return
        pulse, run = self._pulse, self._config.run
        now_s = time.monotonic()
        pulse.beat_s, elapsed_s = now_s, max(now_s - pulse.since_s, 1e-9)
        if pulse.iterations:
            speed = pulse.iterations / elapsed_s
            pulse.speed = 0.8 * pulse.speed + 0.2 * speed if pulse.speed else speed
        fraction = self._fraction
        progress = Progress(
            self.iteration,
            fraction,
            dict(pulse.losses),
            pulse.rate,
            pulse.speed * run.batch * self._fabric.world_size,
            pulse.waited_s / elapsed_s,
            self._trained_s / fraction * (1 - fraction) if fraction > 0 else math.nan,
        )
        self._journal.beat(
            self.iteration,
            {
                "phase": phase,
                "fraction": round(progress.fraction, 5),
                "losses": {name: round(value, 5) for name, value in progress.losses.items()},
                "learning_rate": progress.learning_rate,
                "images_per_s": round(progress.images_per_s, 2),
                "waiting": round(progress.waiting, 3),
                "left_s": round(progress.left_s, 1),
                "memory_mb": round(used_bytes(self._fabric.device) / 1e6),
                "iou": self._overlap,
            },
        )
        if progress.losses:
            self._journal.draw(
                self.iteration,
                {f"loss/{name}": value for name, value in progress.losses.items()}
                | {"learning_rate": progress.learning_rate, "images_per_s": progress.images_per_s},
            )
        self._report(progress)
        pulse.restart()

    def _facts(self) -> dict[str, Any]:
        """Return what stays the same for the whole run."""
        config, fabric = self._config, self._fabric
        text = config.model_dump_json()
        device = str(fabric.device)
        if fabric.device.type == "cuda":
            device = torch.cuda.get_device_name(fabric.device)
        return {
            "run": {
                "format": JOURNAL_FORMAT,
                "version": _version(),
                "network": config.network.name,
                "width": config.network.width,
                "parameters": sum(w.numel() for w in self._network.parameters()),
                "device": device,
                "processes": fabric.world_size,
                "precision": config.run.precision,
                "batch": config.run.batch * fabric.world_size,
                "sources": [source.kind for source in config.sources],
                "validation_pictures": {
                    name: len(pictures) for name, pictures in self._validation.items()
                },
                "iterations": config.run.iterations,
                "minutes": config.run.minutes,
                "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
                "resumed": self.iteration > 0,
            }
        }

    def _note(self, line: dict[str, Any]) -> None:
        if self._fabric.is_global_zero:
            self._journal.note(self.iteration, line)

    def _refuse_too_large_a_batch(self) -> None:
        """Train on one picture without changing anything, and see how many would fit."""
        images, labels = to_tensors(next(iter(self._validation.values()))[:1])
        device, batch = self._fabric.device, self._config.run.batch
        network, objective = self._network.module.eval(), self._objective.eval()

        def forward() -> Tensor:
            with self._fabric.autocast():
                logits = network(images.to(device))
            total: Tensor = objective(logits.float(), labels.to(device))[0]
            return total

        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            each = max(kept_bytes(forward, network), 1)
        objective.train()
        # Processes on one machine share its memory, but not its GPUs.
        free = free_bytes(device) // (processes_here() if device.type == "cpu" else 1)
        if batch * each > free:
            stream = self._config.stream
            raise TrainingError(
                f"run.batch: {batch} pictures of {stream.height} x {stream.width} need about "
                f"{batch * each / 1e9:.1f} GB to learn from and {free / 1e9:.1f} GB are free; "
                f"lower it to {max(free // each, 1)}, or network.width, or the size in stream"
            )

    def save(self) -> None:
        """Write a checkpoint.

        Raises
        ------
        TrainingError
            If it cannot be written, or holds a number that is not finite.
        """
        self._save()

    def _save(self, name: str | None = None) -> None:
        if not self._fabric.is_global_zero:
            return
        state = {
            "iteration": self.iteration,
            "network": self._network.state_dict(),
            "averaged": self._averaged,
            "objective": self._objective.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "critics": {} if self._critics is None else self._critics.state_dict(),
            "precision": self._fabric.strategy.precision.state_dict(),
            "chance": _chance(self._fabric.device),
            "progress": {
                "trained_s": self._trained_s,
                "best_score": self._best_score,
                "stale": self._stale,
                "validated_at": self._validated_at,
                "overlap": self._overlap,
            },
            "config": self._config.model_dump_json(),
        }
        for part in ("network", "averaged", "objective"):
            for key, value in state[part].items():
                if value.is_floating_point() and not bool(value.isfinite().all()):
                    raise TrainingError(
                        f"iteration {self.iteration}: {key} of the {part} is not finite and not "
                        f"saved; {self._more_gently()}"
                    )
        save_checkpoint(self._folder, state, name)

    def _validate(self) -> None:
        """Judge the averaged weights on the fixed pictures, paint a sheet, keep the best."""
        self._journal.amend(phase="validating")
        scores, tiles = dict[str, Scores](), list[NDArray[np.uint8]]()
        for name, pictures in self._validation.items():
            scores[name], judged = self._judge(pictures)
            # Neighbours in a data set are alike.
            for (picture, truth), labels in judged[
                :: max(1, math.ceil(len(judged) / MOST_ON_SHEET))
            ]:
                tiles += [overlay_labels(picture, truth), overlay_labels(picture, labels)]
            # Each set begins a row.
            tiles += [np.zeros_like(tiles[0]) for _ in range(-len(tiles) % MOST_ON_SHEET)]
        if self._fabric.is_global_zero:
            sheets = self._folder / "sheets"
            save_sheet(sheets / f"{self.iteration:07d}.png", tiles, MOST_ON_SHEET, together=2)
        self._look()
        self._scores, self._validated_at = scores, self.iteration
        overlaps = {
            name: {"mean_iou": score.mean_iou, **score.iou, "background": score.background}
            for name, score in scores.items()
        }
        self._overlap = next(iter(overlaps.values()))
        self._keep_best(next(iter(scores.values())).mean_iou)
        self._note({"validation": overlaps, "best_mean_iou": self._best_score})
        self._journal.amend(phase="training", iou=self._overlap)
        if self._fabric.is_global_zero:
            self._journal.draw(
                self.iteration,
                {f"iou/{name}/mean": score.mean_iou for name, score in scores.items()}
                | {
                    f"iou/{name}/{region}": value
                    for name, score in scores.items()
                    for region, value in score.iou.items()
                },
            )
            self._report(
                Progress(self.iteration, self._fraction, {}, 0.0, 0.0, 0.0, math.nan, scores)
            )

    def _look(self) -> None:
        """Paint what is predicted for the pictures without labels."""
        if self._looked_at and self._fabric.is_global_zero:
            predicted = self._predict(self._looked_at)
            looked = [
                overlay_labels(picture, labels)
                for (picture, _), labels in zip(self._looked_at, predicted, strict=True)
            ]
            save_sheet(self._folder / "sheets" / f"{self.iteration:07d}_unlabelled.png", looked, 6)

    def _keep_best(self, score: float) -> None:
        """Save the averaged weights if none before them had such a score."""
        if math.isnan(self._best_score) or score > self._best_score:
            self._best_score, self._stale = score, 0
            self._save(BEST)
        else:
            self._stale += 1

    def _judge(
        self, pictures: list[Picture]
    ) -> tuple[Scores, list[tuple[Picture, NDArray[np.uint8]]]]:
        """Return the scores on all pictures, and what this process has predicted for its share."""
        own = pictures[self._fabric.global_rank :: self._fabric.world_size]
        predictions = self._predict(own)
        confusion = Confusion()
        for (_, truth), predicted in zip(own, predictions, strict=True):
            confusion.add(truth, predicted)
        if self._fabric.world_size > 1:
            counts = torch.from_numpy(confusion.counts).to(self._fabric.device)
            distributed.all_reduce(counts)
            confusion.counts = counts.cpu().numpy()
        return confusion.scores(), list(zip(own, predictions, strict=True))

    def _predict(self, pictures: list[Picture]) -> list[NDArray[np.uint8]]:
        predictions, batch = list[NDArray[np.uint8]](), self._config.run.batch
        for first in range(0, len(pictures), batch):
            images, _ = to_tensors(pictures[first : first + batch])
            with torch.inference_mode(), self._fabric.autocast():
                logits = self._averaged_network(images.to(self._fabric.device))
            predictions += list(logits.argmax(1).to("cpu", torch.uint8).numpy())
            self._beat_if_due("validating")
        return predictions

    def _stop_at_nonsense(self, images: Tensor, labels: Tensor, losses: dict[str, float]) -> None:
        """Save the batch, which in a parallel run may be of all processes, and raise."""
        images = gather_batch(images)
        if len(labels) < len(images):
            labels = gather_batch(labels)
        path = self._folder / "not_finite.npz"
        where = f"its batch is in {path}"
        if self._fabric.is_global_zero:
            try:
                np.savez_compressed(path, images=images.cpu().numpy(), labels=labels.cpu().numpy())
            except OSError as error:
                where = f"its batch cannot be saved ({error.strerror})"
        names = ", ".join(name for name, value in losses.items() if not math.isfinite(value))
        raise TrainingError(
            f"iteration {self.iteration}: {names} is not finite, {where}; {self._more_gently()}"
        )

    def _more_gently(self) -> str:
        """Say how to begin again after numbers that are not finite."""
        last = self._folder / LAST
        start = f"run.init_from = {last} and " if last.exists() else ""
        return f"start anew with {start}a lower optimiser.learning_rate"

    def _ask_to_stop(self) -> None:
        self._stop = True


def _version() -> str:
    try:
        return metadata.version("thermoseg")
    except metadata.PackageNotFoundError:  # a checkout that is run without being installed
        return "unknown"


def _next_batch(batches: Iterator[Any]) -> tuple[Tensor, Tensor]:
    """Wait for a batch; a source's complaint from another process loses that one's traceback."""
    try:
        images, labels = next(batches)
    except ThermoSegError as error:
        said = str(error).strip().splitlines()[-1]
        name = type(error).__name__
        raise type(error)(said.partition(f"{name}: ")[2] or said) from error
    return images, labels


def _seed_everything(seed: int) -> None:
    """Seed all generators that a network might draw from; the batches have their own."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - whatever a user's own network uses


def _chance(device: torch.device) -> dict[str, Any]:
    """Return the states of all generators, in what a checkpoint may hold."""
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - see _seed_everything
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "numpy": [str(kind), torch.from_numpy(np.asarray(keys, np.int64)), *rest],
        "python": random.getstate(),
    }


def _restore_chance(state: dict[str, Any], device: torch.device) -> None:
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    random.setstate(state["python"])


@contextmanager
def _under_key(key: str) -> Iterator[None]:
    """Say which setting is at fault in whatever goes wrong inside."""
    try:
        yield
    except ConfigError:
        raise
    except ThermoSegError as error:  # which says itself what to do
        raise ConfigError(f"{key}: {error}") from error
    except ValueError as error:
        raise ConfigError(f"{key}: {error}; correct it") from error


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
    fit = upright(stream)
    paths = [path for place in config.validation.look_at for path in _pictures_at(place)]
    step = max(1, math.ceil(len(paths) / MOST_LOOKED_AT))
    pictures: list[Picture] = []
    for path in paths[::step]:
        celsius = np.nan_to_num(read_picture(path))
        none = np.zeros(celsius.shape, np.uint8)
        fitted, labels = fit(celsius, none, np.random.default_rng(0))
        pictures.append((normalise(fitted, stream.normalisations[0]), labels))
    return pictures


def _pictures_at(place: Path) -> list[Path]:
    """List the pictures of a folder and its subfolders, or the one that `place` is."""
    if not place.is_dir():
        return [place]
    found = sorted(
        path
        for path in place.rglob("*")
        if path.suffix.lower() in PICTURE_ENDINGS and not path.stem.endswith(LABELS_SUFFIX)
    )
    if not found:
        raise FormatError(f"{place}: holds no pictures; give another folder")
    return found


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
