"""Progress of a run: its clock, the figures of its heartbeats, and its outcome."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final

from trainer.config import TrainingConfig
from trainer.journal import Journal
from trainer.metrics import Scores

HEARTBEAT_S: Final = 1.0
"""Interval between two lines of `metrics.jsonl`."""
SMOOTHING: Final = 0.95
"""Weight of the losses shown so far against those of one more step."""
SPEED_SMOOTHING: Final = 0.8
"""Weight of the speed shown so far against that since the last heartbeat."""
JOURNAL_FORMAT: Final = 1
"""Version of the lines in `metrics.jsonl`, see docs/training-runs.md."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One heartbeat of a run."""

    iteration: int
    fraction: float
    """Fraction of the run that is done, 0-1."""
    losses: dict[str, float]
    """Smoothed, by name; "total" is what is minimised."""
    learning_rate: float
    images_per_s: float
    waiting: float
    """Fraction of the time spent waiting for batches; much of it asks for more workers."""
    left_s: float
    """Estimated time until the run ends."""
    scores: dict[str, Scores] = field(default_factory=dict)
    """Scores by validation set; filled only right after a validation."""

    def line(self, phase: str) -> dict[str, Any]:
        """Return the fields of a heartbeat in `metrics.jsonl`, but for memory and overlap."""
        return {
            "phase": phase,
            "fraction": round(self.fraction, 5),
            "losses": {name: round(value, 5) for name, value in self.losses.items()},
            "learning_rate": self.learning_rate,
            "images_per_s": round(self.images_per_s, 2),
            "waiting": round(self.waiting, 3),
            "left_s": round(self.left_s, 1),
        }

    def curves(self) -> dict[str, float]:
        """Return a value for each of TensorBoard's curves."""
        if not self.losses:
            return {}
        losses = {f"loss/{name}": value for name, value in self.losses.items()}
        return losses | {"learning_rate": self.learning_rate, "images_per_s": self.images_per_s}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a run."""

    iteration: int
    finished: bool
    """False when it was asked to stop before its end; it can be resumed."""
    scores: dict[str, Scores]
    """Scores of the last validation by set; empty if there was none."""
    best_score: float = math.nan
    """Highest mean IoU so far, of the weights in `best.ckpt`."""
    early: bool = False
    """Whether it ended because nothing became better for `run.patience` validations."""


@dataclass(slots=True)
class RunState:
    """State of a run; all of it but `fraction` and `scores` is in a checkpoint."""

    iteration: int = 0
    """Batches learnt from so far."""
    trained_s: float = 0.0
    """Seconds trained, over all times that it was resumed."""
    fraction: float = 0.0
    """Fraction of the run that is done, 0-1."""
    best_score: float = math.nan
    """Highest mean IoU of a validation so far."""
    stale_validations: int = 0
    """Consecutive validations without a better mean IoU."""
    validated_at: int = -1
    """Iteration of the last validation; -1 for none."""
    overlap: dict[str, float] = field(default_factory=dict)
    """Overlaps of the first set in the last validation."""
    scores: dict[str, Scores] = field(default_factory=dict)
    """Scores by set of the last validation since the run was started or resumed."""

    def take_scores(self, scores: dict[str, Scores]) -> bool:
        """Note a validation; return whether the first set has a better mean IoU than ever."""
        self.scores, self.validated_at = scores, self.iteration
        self.overlap = next(iter(overlaps_of(scores).values()))
        score = self.overlap["mean_iou"]
        is_better = math.isnan(self.best_score) or score > self.best_score
        self.best_score = score if is_better else self.best_score
        self.stale_validations = 0 if is_better else self.stale_validations + 1
        return is_better

    def to_checkpoint(self) -> dict[str, Any]:
        """Return what a checkpoint keeps beside the iteration."""
        return {
            "trained_s": self.trained_s,
            "best_score": self.best_score,
            "stale": self.stale_validations,
            "validated_at": self.validated_at,
            "overlap": self.overlap,
        }

    def restore(self, iteration: int, kept: Mapping[str, Any]) -> None:
        """Go back to what `to_checkpoint` returned at `iteration`.

        Raises
        ------
        KeyError
            If something is missing.
        """
        self.trained_s = float(kept["trained_s"])
        self.best_score = float(kept["best_score"])
        self.stale_validations = int(kept["stale"])
        self.validated_at = int(kept["validated_at"])
        self.overlap = dict(kept.get("overlap", {}))
        self.iteration = int(iteration)


class ProgressMeter:
    """Smooths losses and speed between heartbeats."""

    def __init__(self) -> None:
        """Begin to measure now."""
        self._heartbeat_s = time.monotonic()
        self._since_s = time.monotonic()
        self._losses: dict[str, float] = {}
        self._learning_rate = 0.0
        self._iterations = 0
        self._waited_s = 0.0
        self._speed_hz = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside as spent waiting for a batch."""
        began_s = time.monotonic()
        yield
        self._waited_s += time.monotonic() - began_s

    def count_step(self, learning_rate: float) -> None:
        """Count an iteration."""
        self._learning_rate = learning_rate
        self._iterations += 1

    def smooth(self, losses: Mapping[str, float]) -> None:
        """Take the losses of one step into those that are shown."""
        for name, value in losses.items():
            shown = self._losses.get(name, value)
            self._losses[name] = SMOOTHING * shown + (1 - SMOOTHING) * value

    def restart(self) -> None:
        """Begin to measure the speed again, after something that is not training."""
        self._since_s, self._iterations, self._waited_s = time.monotonic(), 0, 0.0

    def is_heartbeat_due(self) -> bool:
        """Say whether the last heartbeat was a second ago."""
        return time.monotonic() - self._heartbeat_s >= HEARTBEAT_S

    def heartbeat(
        self, iteration: int, fraction: float, trained_s: float, images_per_step: int
    ) -> Progress:
        """Sum up what happened since the last heartbeat, and begin to measure anew.

        Parameters
        ----------
        iteration
            Steps so far.
        fraction
            Fraction of the run that is done, 0-1.
        trained_s
            Training time on the run's clock.
        images_per_step
            Images of all processes together.
        """
        now_s = time.monotonic()
        elapsed_s = max(now_s - self._since_s, 1e-9)
        if self._iterations:
            speed_hz = self._iterations / elapsed_s
            kept = SPEED_SMOOTHING if self._speed_hz else 0.0
            self._speed_hz = kept * self._speed_hz + (1 - kept) * speed_hz
        progress = Progress(
            iteration,
            fraction,
            dict(self._losses),
            self._learning_rate,
            self._speed_hz * images_per_step,
            self._waited_s / elapsed_s,
            trained_s / fraction * (1 - fraction) if fraction > 0 else math.nan,
        )
        self._heartbeat_s = now_s
        self.restart()
        return progress


class RunReport:
    """Tells the journal and whoever started the run how it goes."""

    def __init__(
        self,
        state: RunState,
        journal: Journal,
        report: Callable[[Progress], None],
        *,
        images_per_step: int,
        used_bytes: Callable[[], int],
        speaks: bool,
    ) -> None:
        """Prepare; nothing is told yet.

        Parameters
        ----------
        state
            State of the run, which goes on from there.
        journal
            Journal of the run.
        report
            Is told each heartbeat and validation.
        images_per_step
            Images of all processes together.
        used_bytes
            Measures the memory of the run.
        speaks
            False for all but the first of several processes, which tell nothing.
        """
        self.meter = ProgressMeter()
        self._state = state
        self._journal = journal
        self._report = report
        self._images_per_step = images_per_step
        self._used_bytes = used_bytes
        self._speaks = speaks

    def note(self, line: dict[str, Any]) -> None:
        """Append a line to `metrics.jsonl`.

        Raises
        ------
        TrainingError
            If it cannot be written; so do all below.
        """
        if self._speaks:
            self._journal.note(self._state.iteration, line)

    def heartbeat_if_due(self, phase: str) -> None:
        """Tell how it goes, about once a second; what takes longer is the journal's to repeat."""
        if self._speaks and self.meter.is_heartbeat_due():
            self.heartbeat(phase)

    def heartbeat(self, phase: str) -> None:
        """Tell how it goes in `phase`, "training" or "validating"."""
        if not self._speaks:
            return
        state = self._state
        progress = self.meter.heartbeat(
            state.iteration, state.fraction, state.trained_s, self._images_per_step
        )
        used_mb = round(self._used_bytes() / 1e6)
        line = {**progress.line(phase), "memory_mb": used_mb, "iou": state.overlap}
        self._journal.add_heartbeat(state.iteration, line)
        if curves := progress.curves():
            self._journal.draw(state.iteration, curves)
        self._report(progress)

    def begin_validation(self) -> None:
        """Let heartbeats say that a validation has begun."""
        self._journal.amend(phase="validating")

    def end_validation(self) -> None:
        """Tell the scores that the state has now."""
        state = self._state
        overlaps = overlaps_of(state.scores)
        self.note({"validation": overlaps, "best_mean_iou": state.best_score})
        self._journal.amend(phase="training", iou=state.overlap)
        if self._speaks:
            self._journal.draw(state.iteration, _overlap_curves(state.scores))
            zeros = (0.0, 0.0, 0.0)
            self._report(
                Progress(state.iteration, state.fraction, {}, *zeros, math.nan, state.scores)
            )


def describe_run(
    config: TrainingConfig,
    *,
    device: str,
    processes: int,
    parameters: int,
    sets: Mapping[str, Sequence[object]],
    resumed: bool,
) -> dict[str, Any]:
    """Return the line of `metrics.jsonl` with what stays the same for the whole run.

    Parameters
    ----------
    config
        Settings of the run.
    device
        Its name.
    processes
        Number of processes that train together.
    parameters
        Number of weights.
    sets
        Pictures that are validated, by the name of their set.
    resumed
        Whether the run goes on from a checkpoint.
    """
    text = config.model_dump_json()
    return {
        "run": {
            "format": JOURNAL_FORMAT,
            "version": _version(),
            "network": config.network.name,
            "width": config.network.width,
            "parameters": parameters,
            "device": device,
            "processes": processes,
            "precision": config.run.precision,
            "batch": config.run.batch * processes,
            "sources": [source.kind for source in config.sources],
            "validation_pictures": {name: len(one) for name, one in sets.items()},
            "iterations": config.run.iterations,
            "minutes": config.run.minutes,
            "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "resumed": resumed,
        }
    }


def overlaps_of(scores: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
    """Return the overlaps of each set as `metrics.jsonl` has them."""
    return {
        name: {"mean_iou": score.mean_iou, **score.iou, "background": score.background}
        for name, score in scores.items()
    }


def _overlap_curves(scores: Mapping[str, Scores]) -> dict[str, float]:
    """Return a value for each of TensorBoard's curves of a validation."""
    return {f"iou/{name}/mean": score.mean_iou for name, score in scores.items()} | {
        f"iou/{name}/{region}": value
        for name, score in scores.items()
        for region, value in score.iou.items()
    }


def _version() -> str:
    try:
        return metadata.version("thermoseg")
    except metadata.PackageNotFoundError:  # a checkout that is run without being installed
        return "unknown"
