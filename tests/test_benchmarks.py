"""What the benchmarks compare does the same on both sides; no time is judged here."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import bench_replay, bench_training
from benchmarks.plain_training import augment_stepwise, rmi_by_definition
from thermoseg.labels import ROI_NAMES
from thermoseg.phantom.head import Phantom, Sitter
from thermoseg.recording.reader import Recording
from trainer.config import load_config
from trainer.losses import rmi_loss
from trainer.tiaug import TiAug, TiAugConfig

SILENT = {"occlude": 0.0, "noise": 0.0, "blur": 0.0, "aspect": (1.0, 1.0)}


@pytest.mark.parametrize("ignored", [False, True])
def test_rmi_is_compared_with_the_same_loss(*, ignored: bool) -> None:
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(np.kron(rng.integers(0, 6, (2, 5, 6)), np.ones((1, 6, 6), int)))
    if ignored:
        labels[:, 3:9, 5:14] = -1
    logits = torch.from_numpy(rng.normal(0, 2, (2, 6, 30, 36))).requires_grad_()

    losses = rmi_loss(logits, labels), rmi_by_definition(logits, labels)
    (ours,), (theirs,) = (torch.autograd.grad(loss, logits) for loss in losses)

    assert losses[0].item() == pytest.approx(losses[1].item(), abs=1e-6)
    assert torch.allclose(ours, theirs, atol=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_tiaug_is_compared_with_the_same_geometry(seed: int) -> None:
    picture = Phantom(Sitter()).picture(0.0, 128, 160)
    tiaug = TiAug(TiAugConfig.model_validate(SILENT), (128, 160))
    drawn = tiaug.draw(np.random.default_rng(seed))

    celsius, labels = tiaug.apply(picture.celsius, picture.labels, drawn)
    again, truth = augment_stepwise(picture.celsius, picture.labels, drawn)

    assert again.shape == celsius.shape
    assert np.count_nonzero(labels) > 500
    assert np.mean(labels == truth) > 0.97
    assert np.median(np.abs(celsius - again)) < 0.2


def test_tiaug_is_compared_with_as_many_objects_and_as_much_noise() -> None:
    picture = Phantom(Sitter()).picture(0.0, 128, 160)
    tiaug = TiAug(TiAugConfig(occlude=1.0, vertices=(12, 30)), (128, 160))
    for seed in range(6):
        drawn = replace(tiaug.draw(np.random.default_rng(seed)), netd_k=0.0, blur_sigma_px=0.0)
        bare = replace(drawn, occluders=())
        noisy = replace(bare, netd_k=0.1)
        ours, plain = (
            [augment(picture.celsius, picture.labels, each)[0] for each in (drawn, bare, noisy)]
            for augment in (tiaug.apply, augment_stepwise)
        )

        covered = [np.mean(with_objects != without) for with_objects, without, _ in (ours, plain)]
        assert covered[0] > 0
        assert covered[1] == pytest.approx(covered[0], rel=0.35, abs=0.01)
        for _, without, with_noise in (ours, plain):
            assert np.std(with_noise - without) == pytest.approx(0.1 / np.sqrt(12), rel=0.05)


def test_both_sides_take_turns_after_one_round_to_warm_up() -> None:
    called = list[str]()
    ticks = iter(range(100))
    bodies = {name: lambda turn, name=name: called.append(f"{name}{turn}") for name in "ab"}

    found = bench_training.medians_ms(bodies, 2, lambda: next(ticks))

    assert called == ["a0", "b0", "a0", "b0", "a1", "b1"]
    assert found == {"a": 1000, "b": 1000}


def test_a_measured_step_is_the_sum_of_its_parts() -> None:
    config = load_config(
        Path(bench_training.RECIPE),
        ("network.width=4", "stream.height=32", "stream.width=32", "run.batch=2"),
    )

    measured = bench_training.measure_steps(config, rounds=1, steps=1)

    assert list(measured) == ["ours", "plain"]
    for whole_ms, parts_ms in measured.values():
        assert set(parts_ms) == {"rendering", "TiAug", "network", "losses", "optimiser"}
        assert sum(parts_ms.values()) == pytest.approx(whole_ms)
        assert min(parts_ms.values()) > 0


def test_ratios_say_how_much_faster_than_the_reference() -> None:
    table = bench_training.tabulate_parts((0.5, 10.0), (300.0, 450.0, 900.0), 2)

    ratios = list(table.columns[2].cells)

    assert ratios == ["20.00 ×", "1.00 ×", "1.50 ×", "0.50 ×", "1.00 ×"]


def test_the_session_that_is_replayed_is_sound_and_whole(tmp_path: Path) -> None:
    path = bench_replay.make_session(tmp_path / "short.h5", frames=300)

    with Recording(path) as recording:
        assert recording.problems == ()
        assert len(recording) == 300
        assert recording.frame(299).counts[9, 0] == 30_009
        labels = recording.labels(299)
        assert labels is not None
        assert set(np.unique(labels)) == {0, 5}
        assert [len(recording.samples(region)) for region in ROI_NAMES] == [300] * len(ROI_NAMES)
