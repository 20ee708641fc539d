import itertools
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.precision import MixedPrecision
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from torch import Tensor

from tests.conftest import WaitFor
from thermoseg.errors import ConfigError, FormatError, TrainingError
from trainer.checkpoint import load_checkpoint
from trainer.config import RunConfig, TrainingConfig, check_config
from trainer.evaluation import evaluate
from trainer.journal import Heartbeat
from trainer.loop import Training
from trainer.metrics import Scores
from trainer.progress import Progress
from trainer.sources import Picture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:lightning")


def a_config(**run: object) -> TrainingConfig:
    return check_config(
        {
            "network": {"name": "unet", "width": 2},
            "sources": [{"kind": "phantom"}],
            "stream": {"height": 64, "width": 64, "workers": 0, "repeats": 2},
            "tiaug": {},
            "objective": {"cross_entropy": 1.0, "rmi": 0.1, "sam_cl": 0.1},
            "optimiser": {"learning_rate": 1e-2},
            "run": {"iterations": 6, "batch": 2, "accelerator": "cpu", "threads": 1, **run},
            "validation": {"pictures": 4},
        },
        "test",
    )


def nobody(_: Progress) -> None:
    """Take no notice."""


def weights(folder: Path) -> dict[str, Tensor]:
    state = load_checkpoint(folder)
    return {**state["network"], **{f"averaged.{k}": v for k, v in state["averaged"].items()}}


def stopped_after(training: Training, iterations: int) -> Training:
    step = training._step

    def counted(images: Tensor, labels: Tensor, rate: float) -> dict[str, Tensor]:
        losses = step(images, labels, rate)
        if training.iteration + 1 >= iterations:
            training._ask_to_stop()
        return losses

    training._step = counted  # type: ignore[method-assign]  # for this run alone
    return training


def half_precision(_: RunConfig) -> Fabric:
    """What a GPU does with precision = "16-mixed", on a CPU."""
    fabric = Fabric(accelerator="cpu", devices=1, plugins=MixedPrecision("16-mixed", "cpu"))
    fabric.launch()
    return fabric


@pytest.mark.parametrize("has_scaler", [False, True])
def test_an_interrupted_run_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_scaler: bool
) -> None:
    config = a_config()
    if has_scaler:
        monkeypatch.setattr("trainer.loop.open_fabric", half_precision)
    whole = Training(config, tmp_path / "whole", nobody)
    assert whole.fit().finished

    first = stopped_after(Training(config, tmp_path / "parts", nobody), 3)
    outcome = first.fit()
    assert not outcome.finished
    assert outcome.iteration == 3
    torch.manual_seed(999)
    second = Training(config, tmp_path / "parts", nobody)
    second.resume()
    assert second.iteration == 3
    assert second.fit().finished

    scaler = load_checkpoint(tmp_path / "parts")["precision"]
    assert ("scale" in scaler) == has_scaler
    expected, resumed = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert expected.keys() == resumed.keys()
    for name, value in expected.items():
        assert torch.equal(value, resumed[name]), name


def test_a_run_of_an_older_version_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    config = a_config(iterations=4)
    Training(config, tmp_path / "whole", nobody).fit()
    stopped_after(Training(config, tmp_path / "parts", nobody), 2).fit()
    old = load_checkpoint(tmp_path / "parts")
    old["chance"] = old.pop("rng_state")
    for group in old["optimiser"]["param_groups"]:
        del group["fused"]
    torch.save(old, tmp_path / "parts" / "last.ckpt")

    again = Training(config, tmp_path / "parts", nobody)
    again.resume()
    again.fit()

    expected, resumed = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    for name, value in expected.items():
        assert torch.equal(value, resumed[name]), name


def test_without_an_average_the_present_weights_are_kept_and_validated(tmp_path: Path) -> None:
    tree = json.loads(a_config(iterations=3).model_dump_json())
    tree["optimiser"]["ema"] = 0.0
    training = Training(check_config(tree, "test"), tmp_path, nobody)

    outcome = training.fit()

    state = load_checkpoint(tmp_path)
    for name, value in state["network"].items():
        assert torch.equal(value, state["averaged"][name]), name
    network = training._parts.network.module.eval()
    plain = training._validation.sets["plain"]
    assert outcome.scores["plain"] == evaluate(network, plain, 2, torch.device("cpu")).scores()


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    seen: list[dict[str, Tensor]] = []
    training = Training(a_config(iterations=30), tmp_path, nobody)
    step = training._step

    def watched(images: Tensor, labels: Tensor, rate: float) -> dict[str, Tensor]:
        seen.append(step(images, labels, rate))
        return seen[-1]

    training._step = watched  # type: ignore[method-assign]  # for this run alone
    training.fit()

    assert set(seen[0]) == {"total", "cross_entropy", "rmi", "sam_cl"}
    early = np.mean([losses["cross_entropy"] for losses in seen[:5]])
    late = np.mean([losses["cross_entropy"] for losses in seen[-5:]])
    assert late < early - 0.2


def test_a_run_leaves_its_scores_and_sheets(tmp_path: Path) -> None:
    told: list[Progress] = []

    outcome = Training(a_config(), tmp_path, told.append).fit()

    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    facts = lines[0]["run"]
    assert (facts["network"], facts["width"], facts["batch"], facts["device"]) == (
        *("unet", 2, 2, "cpu"),
    )
    assert facts["parameters"] == 30_730
    assert facts["validation_pictures"] == {"plain": 2, "augmented": 2}
    assert lines[-1]["ended"] == "finished"
    (validation,) = [line for line in lines if "validation" in line]
    assert validation["iteration"] == 6
    assert set(validation["validation"]) == {"plain", "augmented"}
    assert validation["validation"]["plain"]["mean_iou"] == outcome.scores["plain"].mean_iou
    assert told[-1].scores == outcome.scores
    assert (tmp_path / "sheets" / "0000006.png").stat().st_size > 1000


def curves_of(folder: Path) -> dict[str, list[int]]:
    """Return the iterations of each of TensorBoard's curves."""
    found: dict[str, list[int]] = {}
    for path in sorted((folder / "tensorboard").iterdir()):
        for event in LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(event.step)
    return found


def test_a_run_by_the_clock_ends_when_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(step=0.1)
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    for module in ("progress", "timetable"):
        monkeypatch.setattr(f"trainer.{module}.time", clock)
    rates: list[float] = []
    told: list[Progress] = []
    training = Training(a_config(iterations=None, minutes=0.1), tmp_path, told.append)
    step = training._step

    def watched(images: Tensor, labels: Tensor, rate: float) -> dict[str, Tensor]:
        rates.append(rate)
        return step(images, labels, rate)

    training._step = watched  # type: ignore[method-assign]  # for this run alone
    outcome = training.fit()

    assert outcome.finished
    assert 5 < outcome.iteration == len(rates) < 20
    assert rates[-1] < max(rates)
    assert told[-1].fraction == 1.0
    assert all(progress.fraction <= 1 and not progress.left_s < 0 for progress in told)
    assert 6 <= load_checkpoint(tmp_path)["progress"]["trained_s"] < 8


def test_a_loss_that_is_not_finite_stops_and_keeps_its_batch(tmp_path: Path) -> None:
    training = Training(a_config(), tmp_path, nobody)
    with torch.no_grad():
        next(iter(training._parts.network.parameters())).fill_(math.nan)

    with pytest.raises(TrainingError, match="not finite") as caught:
        training.fit()

    assert np.load(tmp_path / "not_finite.npz")["images"].shape == (2, 1, 64, 64)
    assert not (tmp_path / "last.ckpt").exists()
    assert str(caught.value).endswith("; start anew with a lower optimiser.learning_rate")


def test_a_gradient_that_is_not_finite_never_reaches_the_weights(tmp_path: Path) -> None:
    class Steep(torch.nn.Module):
        def forward(self, logits: Tensor, _: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            return (logits * 0).abs().sqrt().sum(), {}

    training = Training(a_config(), tmp_path, nobody)
    training._parts = replace(training._parts, objective=Steep())  # type: ignore[arg-type]  # stands in for it

    with pytest.raises(TrainingError, match=r"gradient is not finite, its batch is in .*npz"):
        training.fit()

    assert all(weight.isfinite().all() for weight in training._parts.network.parameters())


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    training = Training(a_config(iterations=1), tmp_path, nobody)
    training.fit()
    next(training._parts.average.module.parameters()).fill_(math.inf)

    start = rf"start anew with run\.init_from = {re.escape(str(tmp_path))}/last\.ckpt and a lower"
    with pytest.raises(
        TrainingError, match=f"of the averaged is not finite and not saved; {start}"
    ):
        training.save()

    assert all(value.isfinite().all() for value in weights(tmp_path).values())


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory"
                ":\nyou tried to allocate 8 bytes. Error code 12 (Cannot allocate memory)"
            ),
            "out of memory with run.batch = 2; start anew with a smaller run.batch",
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "run.batch = 2"),
        (MemoryError(), "run.batch = 2"),
        (
            RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed. "),
            "a process that makes batches has died",
        ),
        (RuntimeError("unable to mmap 8 bytes from shared memory"), "lower stream.workers"),
        (RuntimeError("[gloo] Connection closed by peer [127.0.0.1]:1"), "another process"),
    ],
)
def test_what_the_machine_lacks_is_said_in_one_sentence(
    tmp_path: Path, raised: Exception, said: str
) -> None:
    training = Training(a_config(), tmp_path, nobody)

    def failing(images: Tensor, labels: Tensor, rate: float) -> dict[str, Tensor]:
        raise raised

    training._step = failing  # type: ignore[method-assign]  # for this run alone
    with pytest.raises(TrainingError) as caught:
        training.fit()

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_batch_that_cannot_fit_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.memory.free_bytes", lambda _device: 1_000_000)

    with pytest.raises(
        TrainingError, match=r"run\.batch: 2 pictures of 64 x 64 need about 0\.\d GB"
    ):
        Training(a_config(), tmp_path / "run", nobody)

    assert not (tmp_path / "run").exists()


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_heartbeats_come_however_often_is_validated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(step=0.05)
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    for module in ("progress", "timetable"):
        monkeypatch.setattr(f"trainer.{module}.time", clock)

    Training(a_config(iterations=20, validate_every=1), tmp_path, nobody).fit()

    told = [line for line in lines_of(tmp_path) if "phase" in line and line["losses"]]
    assert len({line["iteration"] for line in told}) >= 3
    assert all(line["images_per_s"] > 0 for line in told if line["phase"] == "training")
    curves = curves_of(tmp_path)
    assert len(set(curves["loss/total"])) >= 3
    assert curves["iou/plain/mean"] == list(range(1, 21))


def test_heartbeats_come_while_a_batch_takes_long_and_know_the_last_overlap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_for: WaitFor
) -> None:
    monkeypatch.setattr("trainer.loop.Heartbeat", partial(Heartbeat, silence_s=0.01))
    config = a_config(iterations=2, validate_every=1)
    training = Training(config, tmp_path, nobody)
    step, seen = training._step, list[list[dict[str, Any]]]()

    def slow(images: Tensor, labels: Tensor, rate: float) -> dict[str, Tensor]:
        before = len(lines_of(tmp_path))
        wait_for(lambda: len(lines_of(tmp_path)) >= before + 3)
        seen.append(lines_of(tmp_path)[before : before + 3])
        return step(images, labels, rate)

    training._step = slow  # type: ignore[method-assign]  # for this run alone
    training.fit()
    lines = lines_of(tmp_path)
    resumed = Training(config, tmp_path, nobody)
    resumed.resume()
    resumed.fit()

    # The first of the three may have been on its way when the step began.
    assert {(line["phase"], line["iteration"]) for line in seen[0][1:]} == {("training", 0)}
    assert [line["iou"] for line in seen[0]] == [{}] * 3
    first, last = (line["validation"]["plain"] for line in lines if "validation" in line)
    assert set(first) == {"mean_iou", "chin", "mouth", "eyes", "eyebrows", "nose", "background"}
    assert [line["iou"] for line in seen[1]] == [first] * 3
    iterations = [line["iteration"] for line in lines]
    assert iterations == sorted(iterations)
    assert lines[-1]["ended"] == "finished"
    again = lines_of(tmp_path)[len(lines) :]
    assert next(line["iou"] for line in again if "phase" in line) == last


def test_a_run_says_how_it_ended(tmp_path: Path) -> None:
    stopped_after(Training(a_config(), tmp_path, nobody), 2).fit()
    early = a_config(iterations=50, validate_every=1, patience=1)
    scored(Training(early, tmp_path, nobody), [0.5, 0.4]).fit()
    failing = Training(a_config(), tmp_path, nobody)
    with torch.no_grad():
        next(iter(failing._parts.network.parameters())).fill_(math.nan)
    with pytest.raises(TrainingError) as caught:
        failing.fit()

    ends = [line for line in lines_of(tmp_path) if "ended" in line]
    assert [line["ended"] for line in ends] == ["stopped", "early", "failed"]
    assert ends[-1]["reason"] == str(caught.value)


def test_a_kill_while_validating_costs_nothing(tmp_path: Path) -> None:
    training = Training(a_config(validate_every=3), tmp_path, nobody)

    def killed() -> None:
        raise KeyboardInterrupt

    training._validate = killed  # type: ignore[method-assign]  # for this run alone
    with pytest.raises(KeyboardInterrupt):
        training.fit()

    assert load_checkpoint(tmp_path)["iteration"] == 3


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (FormatError("a.npy: cannot be read; replace it"), "a.npy: cannot be read; replace it"),
        (RuntimeError("DataLoader worker (pid 3) exited unexpectedly"), "go on with --resume"),
    ],
)
def test_a_batch_that_cannot_be_made_costs_nothing(
    tmp_path: Path, raised: Exception, said: str
) -> None:
    training = Training(a_config(), tmp_path, nobody)
    make, gone = training._stream._item, iter([False] * 6 + [True])

    def failing(lane: int, item: int) -> Picture:
        if next(gone):
            raise raised
        return make(lane, item)

    training._stream._item = failing  # type: ignore[method-assign]  # for this run alone
    with pytest.raises((FormatError, TrainingError), match=said):
        training.fit()

    assert load_checkpoint(tmp_path)["iteration"] == 3


def test_a_disk_that_is_full_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")

    with pytest.raises(TrainingError, match=r"metrics\.jsonl: cannot be written \(No space left"):
        Training(a_config(), tmp_path, nobody).fit()


def scored(training: Training, values: list[float]) -> Training:
    """Let the validations of `training` find these mean overlaps, in this order."""
    found = iter([values[0], values[0], *[value for value in values for _ in range(2)]])
    evaluate = training._validation.evaluate

    def evaluated(
        network: torch.nn.Module, pictures: list[Picture], between: Callable[[], None]
    ) -> tuple[Scores, list[Picture], list[NDArray[np.uint8]]]:
        _, own, predicted = evaluate(network, pictures, between)
        return Scores(next(found), {"chin": 0.5}), own, predicted

    training._validation.evaluate = evaluated  # type: ignore[method-assign]  # for this run alone
    return training


def test_pictures_without_labels_are_looked_at(tmp_path: Path) -> None:
    places = tmp_path / "seen", tmp_path / "seen" / "deeper"
    for place in places:
        place.mkdir()
        np.save(place / "a.npy", np.eye(30, dtype=np.float32))
        np.save(place / "a_labels.npy", np.eye(30, dtype=np.float32))
    tree = json.loads(a_config(iterations=1).model_dump_json())
    tree["validation"]["look_at"] = [str(places[0])]

    training = Training(check_config(tree, "test"), tmp_path / "run", nobody)
    training.fit()

    assert len(training._validation.unlabelled) == 2
    assert (tmp_path / "run" / "sheets" / "0000001_unlabelled.png").stat().st_size > 500


def test_the_best_weights_are_kept_and_their_score_told(tmp_path: Path) -> None:
    training = Training(a_config(validate_every=2, checkpoint_every=3), tmp_path, nobody)

    outcome = scored(training, [0.2, 0.5, 0.4]).fit()

    assert outcome.best_score == 0.5
    assert load_checkpoint(tmp_path / "best.ckpt")["iteration"] == 4
    assert load_checkpoint(tmp_path / "last.ckpt")["progress"]["best_score"] == 0.5
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    validations = [line for line in lines if "validation" in line]
    assert [line["iteration"] for line in validations] == [2, 4, 6]
    assert [line["best_mean_iou"] for line in validations] == [0.2, 0.5, 0.5]


def test_a_run_that_gets_no_better_ends_early_even_when_resumed(tmp_path: Path) -> None:
    config = a_config(iterations=50, validate_every=1, patience=2)
    training = Training(config, tmp_path, nobody)

    outcome = scored(training, [0.2, 0.5, 0.4, 0.5, 0.6]).fit()

    assert (outcome.iteration, outcome.finished, outcome.early) == (4, True, True)
    again = Training(config, tmp_path, nobody)
    again.resume()
    assert again.fit().iteration == 4


def test_a_network_that_does_not_exist_is_named_with_its_key(tmp_path: Path) -> None:
    tree = json.loads(a_config().model_dump_json())
    tree["network"]["name"] = "nonet"

    with pytest.raises(ConfigError, match=r"^network.*nonet"):
        Training(check_config(tree, "test"), tmp_path, nobody)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    Training(a_config(iterations=1), tmp_path, nobody).fit()
    tree = json.loads(a_config().model_dump_json())
    tree["network"]["width"] = 3
    other = Training(check_config(tree, "test"), tmp_path, nobody)

    with pytest.raises(TrainingError, match="another network"):
        other.resume()


def test_a_run_starts_from_the_weights_of_another(tmp_path: Path) -> None:
    Training(a_config(iterations=2), tmp_path / "first", nobody).fit()
    start = tmp_path / "first" / "last.ckpt"

    config = a_config(init_from=str(start))
    second = Training(config, tmp_path / "second", nobody)

    averaged = load_checkpoint(start)["averaged"]
    for name, value in second._parts.network.state_dict().items():
        assert torch.equal(value, averaged[name])
