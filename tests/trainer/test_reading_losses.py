"""Losses that stay on the device for some steps, as they do on a GPU, and are read together."""

import itertools
import json
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from thermoseg.errors import TrainingError
from trainer.adversarial import Critics
from trainer.checkpoint import load_checkpoint
from trainer.config import ObjectiveConfig, TrainingConfig, check_config
from trainer.loop import Training
from trainer.objective import Objective
from trainer.optimiser import build_optimiser
from trainer.progress import Progress

READS = ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__")
"""What of a tensor waits for a GPU."""


def a_config(optimiser: dict[str, object] | None = None, /, **run: object) -> TrainingConfig:
    return check_config(
        {
            "network": {"name": "unet", "width": 2},
            "sources": [{"kind": "phantom"}],
            "stream": {"height": 64, "width": 64, "workers": 0, "repeats": 2},
            "tiaug": {},
            "objective": {"cross_entropy": 1.0, "dice": 0.5, "rmi": 0.1, "sam_cl": 0.1},
            "optimiser": {"learning_rate": 1e-2, **(optimiser or {})},
            "run": {"iterations": 7, "batch": 2, "accelerator": "cpu", "threads": 1, **run},
            "validation": {"pictures": 4},
        },
        "test",
    )


def nobody(_: Progress) -> None:
    """Take no notice."""


class SpoiltOnce(nn.Module):
    """An objective whose value or gradient is not finite in one step."""

    def __init__(self, step: int, *, gradient: bool) -> None:
        super().__init__()
        self.turn, self.step, self.gradient = 0, step, gradient

    def forward(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        total = logits.square().mean()
        if self.turn == self.step:
            total = total + ((logits * 0).abs().sqrt().sum() if self.gradient else math.nan)
        self.turn += 1
        return total, {}


def spoilt(training: Training, step: int, *, gradient: bool = False) -> Training:
    objective = SpoiltOnce(step, gradient=gradient)
    training._parts = replace(training._parts, objective=objective)  # type: ignore[arg-type]  # stands in for it
    return training


def batch_of(training: Training, number: int) -> NDArray[np.float32]:
    return training._stream[number][0].numpy()


def test_reading_less_often_changes_no_weight_and_no_loss(tmp_path: Path) -> None:
    shown = []
    for every in (1, 3):
        training = Training(a_config(read_every=every), tmp_path / str(every), nobody)
        training.fit()
        shown.append(training._report.meter.heartbeat(7, 1.0, 1.0, 1).losses)

    assert set(shown[0]) == {"total", "cross_entropy", "dice", "rmi", "sam_cl"}
    assert shown[0] == shown[1]
    first, second = (load_checkpoint(tmp_path / name) for name in "13")
    for part in ("network", "averaged", "objective"):
        for name, value in first[part].items():
            assert torch.equal(value, second[part][name]), name


@pytest.mark.parametrize("clip", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_between_two_readings_no_number_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, clip: float
) -> None:
    config = a_config({"name": kind, "clip": clip}, read_every=4)
    # As on a GPU: fused, the mask of ignored pixels left unread, the swaps drawn beforehand.
    monkeypatch.setattr(
        "trainer.trainable.build_optimiser",
        lambda *arguments, **_: build_optimiser(*arguments, fused=True),
    )
    training = Training(config, tmp_path, nobody)
    for module in ("losses", "samcl"):
        monkeypatch.setattr(f"trainer.{module}.is_free_to_read", lambda _: False)
    swaps = torch.tensor([[1, 2, 3, 4, 5, 0]] * 2)
    monkeypatch.setattr("trainer.samcl.derangements", lambda *_: swaps)
    batches = [training._stream[number] for number in range(4)]
    reads: list[str] = []
    with monkeypatch.context() as watched:
        for name in READS:
            original: Callable[..., object] = getattr(torch.Tensor, name)

            def read(
                *arguments: object, name: str = name, original: Callable[..., object] = original
            ) -> object:
                reads.append(name)
                return original(*arguments)

            watched.setattr(torch.Tensor, name, read)
        for number, batch in enumerate(batches):
            assert reads == []
            training._step(*batch, 1e-3)
            training._state.iteration = number + 1

    assert reads == ["tolist"]


@pytest.mark.parametrize(
    "weights",
    [
        {"cross_entropy": 1.0, "bce": 1.0, "dice": 1.0, "rmi": 1.0, "sam_cl": 0.5},
        {"cross_entropy": 1.0, "class_weights": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)},
        {"sam_cl": 1.0, "triplets": "batch"},
        {"dice": 1.0, "seg_an": 1.0, "seg_gan": 1.0},
    ],
)
def test_losses_can_be_computed_without_looking_at_a_number(
    weights: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that has shapes but no numbers raises where a number would be read."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    config = ObjectiveConfig.model_validate(weights)
    logits = torch.zeros(2, 6, 64, 80, device="meta", requires_grad=True)
    labels = torch.zeros(2, 64, 80, device="meta", dtype=torch.uint8)
    images = torch.zeros(2, 1, 64, 80, device="meta")

    total, _ = Objective(config, 6).to("meta")(logits, labels)
    if config.seg_an > 0:
        critics = Critics(config, 6).to("meta")
        total = total + critics.network_loss(images, logits, labels)[0]
    total.backward()
    if config.seg_an > 0:
        critics.learn(images, logits, labels)

    assert logits.grad is not None
    with pytest.raises(RuntimeError, match="meta"):
        total.item()


@pytest.mark.parametrize("gradient", [False, True])
def test_the_batch_that_was_not_finite_is_kept_however_late_it_is_found(
    tmp_path: Path, gradient: bool
) -> None:
    training = spoilt(Training(a_config(read_every=4), tmp_path, nobody), step=2, gradient=gradient)

    what = "gradient" if gradient else "total"
    with pytest.raises(TrainingError, match=f"iteration 2: {what} is not finite, its batch is in"):
        training.fit()

    assert training.iteration == 3
    kept = np.load(tmp_path / "not_finite.npz")
    assert set(kept) == {"images", "labels"}
    assert np.array_equal(kept["images"], batch_of(training, 2))
    assert not (tmp_path / "last.ckpt").exists()


@pytest.mark.parametrize("due", [{"checkpoint_every": 3}, {"validate_every": 3}])
def test_losses_are_read_before_anything_is_saved(tmp_path: Path, due: dict[str, int]) -> None:
    training = spoilt(Training(a_config(read_every=1000, **due), tmp_path, nobody), step=4)

    with pytest.raises(TrainingError, match="iteration 4: total is not finite"):
        training.fit()

    assert training.iteration == 6
    state = load_checkpoint(tmp_path)
    assert state["iteration"] == 3
    assert all(value.isfinite().all() for value in state["network"].values())


def test_the_end_of_a_run_reads_what_is_left(tmp_path: Path) -> None:
    training = spoilt(Training(a_config(read_every=1000), tmp_path, nobody), step=6)

    with pytest.raises(TrainingError, match="iteration 6: total is not finite"):
        training.fit()

    assert not (tmp_path / "last.ckpt").exists()


def test_without_clipping_no_norm_is_computed_and_the_batch_before_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = spoilt(Training(a_config({"clip": 0.0}), tmp_path, nobody), step=2, gradient=True)

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a norm was computed")

    monkeypatch.setattr(training._fabric, "clip_gradients", refuse)
    with pytest.raises(TrainingError, match="iteration 3: total is not finite"):
        training.fit()

    kept = np.load(tmp_path / "not_finite.npz")
    assert np.array_equal(kept["images"], batch_of(training, 3))
    assert np.array_equal(kept["previous_images"], batch_of(training, 2))
    assert kept["previous_labels"].shape == (2, 64, 64)
    assert not (tmp_path / "last.ckpt").exists()


def test_a_stop_is_granted_after_the_iteration_however_seldom_losses_are_read(
    tmp_path: Path,
) -> None:
    training = Training(a_config(read_every=1000), tmp_path, nobody)
    step, turn = training._step, itertools.count()

    def stopping(images: Tensor, labels: Tensor, rate: float) -> dict[str, Tensor]:
        if next(turn) == 2:
            training._ask_to_stop()
        return step(images, labels, rate)

    training._step = stopping  # type: ignore[method-assign]  # for this run alone
    outcome = training.fit()

    assert (outcome.iteration, outcome.finished) == (3, False)
    assert load_checkpoint(tmp_path)["iteration"] == 3
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["ended"] == "stopped"


@pytest.mark.parametrize(("device", "pinned"), [("cpu", False), ("cuda", True)])
def test_batches_for_a_gpu_lie_in_pinned_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, pinned: bool
) -> None:
    asked: list[bool] = []

    def open_loader(*_: object, pin_memory: bool) -> NoReturn:
        asked.append(pin_memory)
        raise TrainingError("seen; go on")

    monkeypatch.setattr("trainer.loop.open_loader", open_loader)
    training = Training(a_config(), tmp_path, nobody)
    training._device = torch.device(device)

    with training._journal, pytest.raises(TrainingError, match="seen"):
        training._fit()

    assert asked == [pinned]
