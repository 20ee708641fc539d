"""The training loop: set up, fit, validate, save, in that order."""

from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import torch
from torch import Tensor

from thermoseg.errors import ThermoSegError, TrainingError
from thermoseg.interruption import on_interruption
from trainer.acceleration import tune_backends
from trainer.checkpoint import load_checkpoint, refuse_not_finite, save_checkpoint
from trainer.config import TrainingConfig, under_key
from trainer.datasets import (
    BatchStream,
    next_batch,
    open_loader,
    open_sources,
    training_side,
    validation_sets,
)
from trainer.journal import Heartbeat, Journal
from trainer.memory import in_plain_words, refuse_too_large_a_batch, used_bytes
from trainer.optimiser import schedule_factor
from trainer.parallel import (
    average,
    close_fabric,
    device_name,
    gather_batch,
    open_fabric,
)
from trainer.progress import Outcome, Progress, RunReport, RunState, describe_run
from trainer.rng_state import read_rng_state, restore_rng_state, seed_everything
from trainer.run_folder import BEST, LAST, make_sheets_folder, save_batch
from trainer.timetable import Timetable
from trainer.trainable import build_trainable, to_device
from trainer.unread_steps import GRADIENT, NotFinite, Step, UnreadSteps
from trainer.validation import Validation, unlabelled_pictures

READ_EVERY: Final = 10
"""Steps of a GPU whose losses are read together, unless `run.read_every` says otherwise."""


class Training:
    """One run in its folder, whose files docs/training-runs.md describes."""

    def __init__(
        self, config: TrainingConfig, folder: Path, report: Callable[[Progress], None]
    ) -> None:
        """Set everything up, without training yet.

        Parameters
        ----------
        config
            Settings of the run.
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
        self._stop_asked = False
        self._stop = False
        self._state = RunState()
        run = config.run
        if run.threads:
            torch.set_num_threads(run.threads)
        self._fabric = open_fabric(run)
        self._device = self._fabric.device
        self._folder = Path(self._fabric.broadcast(str(folder)))
        is_cuda = self._device.type == "cuda"
        self._unread = UnreadSteps(run.read_every or (READ_EVERY if is_cuda else 1))
        with in_plain_words(run.batch, self._folder):
            tune_backends(self._device)
            seed_everything(config.seed)
            self._parts = build_trainable(config, self._fabric)
            self._stream, self._validation = self._open_data()
        self._journal = Journal(self._folder, tensorboard=run.tensorboard)
        self._report = RunReport(
            self._state,
            self._journal,
            report,
            images_per_step=run.batch * self._fabric.world_size,
            used_bytes=partial(used_bytes, self._device),
            speaks=self._fabric.is_global_zero,
        )
        if self._fabric.is_global_zero:
            make_sheets_folder(self._folder)

    @property
    def iteration(self) -> int:
        """Return how many batches have been learnt from."""
        return self._state.iteration

    def _open_data(self) -> tuple[BatchStream, Validation]:
        config, fabric = self._config, self._fabric
        sources = open_sources(config.sources, config.stream)
        side = training_side(sources)
        stream = BatchStream(config, side, rank=fabric.global_rank, world=fabric.world_size)
        sets = validation_sets(config, sources)
        with under_key("validation.look_at"):
            unlabelled = unlabelled_pictures(config)
        network, picture = self._parts.network.module, next(iter(sets.values()))[0]
        refuse_too_large_a_batch(config, network, self._parts.objective, picture, fabric)
        return stream, Validation(sets, unlabelled, config.run.batch, fabric)

    def resume(self) -> None:
        """Go back to the newest checkpoint of the folder.

        Raises
        ------
        TrainingError
            If none can be loaded or it is of another network.
        """
        state = load_checkpoint(self._folder)
        try:
            self._parts.load_state_dict(state)
            self._fabric.strategy.precision.load_state_dict(state["precision"])
            self._state.restore(state["iteration"], state["progress"])
            # Older checkpoints call it "chance".
            restore_rng_state(state.get("rng_state") or state["chance"], self._device)
        except (KeyError, RuntimeError, ValueError) as error:
            raise TrainingError(
                f"{self._folder}: the checkpoint is of another network or objective; resume with "
                f"the settings it was started with"
            ) from error

    def fit(self) -> Outcome:
        """Train until the end, or until a signal asks to stop; save either way.

        Raises
        ------
        TrainingError
            If memory runs out, the loss is no longer finite, or nothing can be saved.
        """
        with self._journal:
            try:
                with (
                    on_interruption(lambda _number: self._ask_to_stop()),
                    in_plain_words(self._config.run.batch, self._folder),
                    Heartbeat(self._journal) if self._fabric.is_global_zero else nullcontext(),
                ):
                    self._begin_and_end()
            except ThermoSegError as error:
                with suppress(TrainingError):  # a full disk is told of by `error` itself
                    self._report.note({"ended": "failed", "reason": str(error)})
                raise
            early = self._has_lost_patience()
            ended = "stopped" if self._stop else "early" if early else "finished"
            self._report.note({"ended": ended})
        state = self._state
        return Outcome(state.iteration, not self._stop, state.scores, state.best_score, early=early)

    def _begin_and_end(self) -> None:
        self._report.note(
            describe_run(
                self._config,
                device=device_name(self._device),
                processes=self._fabric.world_size,
                parameters=sum(w.numel() for w in self._parts.network.parameters()),
                sets=self._validation.sets,
                resumed=self.iteration > 0,
            )
        )
        if self.iteration == 0:
            # A fault in the validation is found now and not after an hour.
            self._report.heartbeat("validating")
            count = self._config.run.batch * self._fabric.world_size
            self._parts.average.copy(self._parts.network.module)
            for pictures in list(self._validation.sets.values())[:2]:
                self._validation.evaluate(
                    self._parts.average.module, pictures[:count], lambda: None
                )
        self._fit()
        self.save()
        if not self._stop and self._state.validated_at != self.iteration:
            self._validate()
            self.save()

    def close(self) -> None:
        """Part from the other processes; nothing can be trained afterwards."""
        close_fabric()

    def _fit(self) -> None:
        optimiser = self._config.optimiser
        timetable = Timetable(self._config.run, self._fabric, self._state, self._unread.every)
        self._stop = timetable.look(self._stop_asked).stop
        self._report.meter.restart()
        self._report.heartbeat("training")
        pin = self._device.type == "cuda"
        batches = iter(open_loader(self._stream, self._config, self.iteration, pin_memory=pin))
        while not self._is_over():
            try:
                with self._report.meter.waiting():
                    images, labels = next_batch(batches)
            except (ThermoSegError, RuntimeError):  # a picture or a worker that has gone
                self.save()
                raise
            rate = optimiser.learning_rate * schedule_factor(optimiser, self._state.fraction)
            self._step(images, labels, rate)
            self._state.iteration += 1
            self._report.meter.count_step(rate)
            self._report.heartbeat_if_due("training")
            self._stop, validate, save = timetable.look(self._stop_asked)
            if validate or save:
                self._read_steps()
            if validate and not self._is_over():
                # Who stops the run may not wait until a long validation is over.
                self.save()
                self._validate()
                timetable.validating.restart()
                self._report.meter.restart()
            if save and not self._is_over():  # at the end it is saved anyway
                self.save()
                timetable.saving.restart()
        self._read_steps()

    def _is_over(self) -> bool:
        return self._state.fraction >= 1 or self._stop or self._has_lost_patience()

    def _has_lost_patience(self) -> bool:
        patience = self._config.run.patience
        return patience is not None and self._state.stale_validations >= patience

    def _ask_to_stop(self) -> None:
        self._stop_asked = True

    def _step(self, images: Tensor, labels: Tensor, rate: float) -> dict[str, Tensor]:
        """Change the weights once; return the losses by name, unread on the device.

        Parameters
        ----------
        images, labels
            (n, 1, h, w) and (n, h, w), as the loader gives them.
        rate
            The learning rate.
        """
        run, learnt, batch = self._config.run, self._parts, (images, labels)
        for group in learnt.optimiser.param_groups:
            group["lr"] = rate
        images = to_device(images, self._device, channels_last=run.channels_last)
        labels = labels.to(self._device, non_blocking=True)
        logits = learnt.network(images)
        if run.joint_loss:
            logits, labels = gather_batch(logits), gather_batch(labels)
        total, parts = learnt.objective(logits, labels)
        if learnt.critics is not None:
            shown = gather_batch(images) if run.joint_loss else images
            fraction = self._state.fraction
            rivalry, more = learnt.critics.network_loss(shown, logits, labels, fraction)
            total, parts = total + rivalry, parts | more
        losses = {"total": total.detach(), **parts}
        self._fabric.backward(total)
        norm = self._clip_gradients()
        if learnt.critics is not None:
            together = partial(average, self._fabric)
            losses |= learnt.critics.learn(shown, logits, labels, together)
        values = losses if norm is None else {**losses, GRADIENT: norm}
        self._unread.add(Step(self.iteration, values, *batch))
        if self._unread.is_full():
            # Before the step: where each is read, nothing that is not finite reaches the weights.
            self._read_steps()
        learnt.optimiser.step()
        learnt.optimiser.zero_grad(set_to_none=True)
        learnt.average.update(learnt.network.module, self.iteration)
        return losses

    def _clip_gradients(self) -> Tensor | None:
        """Bring the gradient to its largest norm; return what it was if that must be finite."""
        beside = [w.grad for w in self._parts.objective.parameters() if w.grad is not None]
        average(self._fabric, beside)
        clip = self._config.optimiser.clip
        if clip == 0:
            return None
        norm: Tensor | None = self._fabric.clip_gradients(
            self._parts.network,
            self._parts.optimiser,
            max_norm=clip,
            error_if_nonfinite=False,
        )
        return None if self._parts.has_scaler else norm

    def _read_steps(self) -> None:
        """Read the losses of the steps since the last time; stop at one that is not finite."""
        # Computed from the whole batch, they are the same in all processes.
        is_own = not self._config.run.joint_loss
        losses, found = self._unread.read(partial(average, self._fabric) if is_own else None)
        for each in losses:
            self._report.meter.smooth(each)
        if found is not None:
            self._stop_at(found)

    def _stop_at(self, found: NotFinite) -> NoReturn:
        """Save the batch, which in a parallel run is that of all processes, and raise."""
        tensors = {"images": found.step.images, "labels": found.step.labels}
        if self._config.optimiser.clip == 0 and found.previous is not None:
            # Its gradient was not looked at, so it may be what spoilt the weights.
            tensors["previous_images"] = found.previous.images
            tensors["previous_labels"] = found.previous.labels
        arrays = {
            name: gather_batch(part.to(self._device)).cpu().numpy()
            for name, part in tensors.items()
        }
        where = save_batch(self._folder, arrays, writes=self._fabric.is_global_zero)
        raise TrainingError(
            f"iteration {found.step.iteration}: {', '.join(found.names)} is not finite, {where}; "
            f"{self._more_gently()}"
        )

    def _more_gently(self) -> str:
        """Say how to begin again after numbers that are not finite."""
        last = self._folder / LAST
        start = f"run.init_from = {last} and " if last.exists() else ""
        return f"start anew with {start}a lower optimiser.learning_rate"

    def _validate(self) -> None:
        """Evaluate the averaged weights on the fixed pictures, paint a sheet, keep the best."""
        self._report.begin_validation()
        self._parts.average.copy(self._parts.network.module)
        between = partial(self._report.heartbeat_if_due, "validating")
        scores = self._validation.run(
            self._parts.average.module, self._folder, self.iteration, between
        )
        if self._state.take_scores(scores):
            self.save(BEST)
        self._report.end_validation()

    def save(self, name: str | None = None) -> None:
        """Write a checkpoint.

        Parameters
        ----------
        name
            Name of its file; the newest of the run if None.

        Raises
        ------
        TrainingError
            If it cannot be written, or holds a number that is not finite.
        """
        if not self._fabric.is_global_zero:
            return
        state = {
            "iteration": self.iteration,
            "saved_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            **self._parts.state_dict(),
            "precision": self._fabric.strategy.precision.state_dict(),
            "rng_state": read_rng_state(self._device),
            "progress": self._state.to_checkpoint(),
            "config": self._config.model_dump_json(),
        }
        refuse_not_finite(self.iteration, state, self._more_gently())
        save_checkpoint(self._folder, state, name)
