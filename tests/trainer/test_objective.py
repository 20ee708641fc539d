from pathlib import Path

import pytest
import torch
from torch import Tensor

from thermoseg.errors import ConfigError
from thermoseg.networks import build
from trainer.checkpoint import load_checkpoint
from trainer.config import ObjectiveConfig, TrainingConfig, check_config
from trainer.loop import Training
from trainer.losses import cross_entropy, dice_loss, rmi_loss
from trainer.objective import Objective
from trainer.progress import Progress

EVERYTHING = {
    "cross_entropy": 1.0,
    "bce": 0.5,
    "dice": 0.5,
    "rmi": 0.5,
    "sam_cl": 0.25,
    "contrastive": 0.1,
}


def some_labels() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randint(0, 6, (2, 4, 4), generator=generator)
    return coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)


def nobody(_: Progress) -> None:
    """Take no notice."""


def a_config(**run: object) -> TrainingConfig:
    objective = {"cross_entropy": 1.0, "contrastive": 0.1, "contrastive_memory": 20}
    critics = {"seg_an": 0.1, "seg_gan": 0.1, "critic_width": 2}
    return check_config(
        {
            "network": {"name": "unet", "width": 2},
            "sources": [{"kind": "phantom"}],
            "stream": {"height": 32, "width": 32, "workers": 0, "repeats": 4},
            "objective": objective | critics,
            "run": {"batch": 2, "accelerator": "cpu", "threads": 1, **run},
            "validation": {"pictures": 2},
        },
        "test",
    )


def test_the_sum_is_weighted_and_the_parts_are_not() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 6, 32, 32), some_labels()
    config = ObjectiveConfig(cross_entropy=0.5, dice=2.0, rmi=0.25)

    total, parts = Objective(config, 6)(logits, labels)

    assert float(parts["cross_entropy"]) == float(cross_entropy(logits, labels))
    expected = (
        0.5 * float(cross_entropy(logits, labels))
        + 2 * float(dice_loss(logits, labels))
        + 0.25 * float(rmi_loss(logits, labels))
    )
    assert float(total) == pytest.approx(expected)


def test_every_loss_of_the_paper_moves_the_network_at_once() -> None:
    torch.manual_seed(0)
    network = build("compact", 6, width=4)
    objective = Objective(ObjectiveConfig.model_validate(EVERYTHING), 6, network)

    total, parts = objective(network(torch.randn(2, 1, 32, 32)), some_labels())
    total.backward()

    assert set(parts) == set(EVERYTHING)
    assert all(torch.isfinite(part) for part in parts.values())
    for weight in [*network.parameters(), *objective.parameters()]:
        assert weight.grad is not None
        assert torch.isfinite(weight.grad).all()


def test_a_loss_of_weight_zero_has_no_weights_of_its_own() -> None:
    objective = Objective(ObjectiveConfig(), 6)

    assert list(objective.parameters()) == []
    assert list(objective.state_dict()) == []


def test_pixels_cannot_be_contrasted_without_a_network() -> None:
    with pytest.raises(ConfigError, match="give the network"):
        Objective(ObjectiveConfig(contrastive=0.1), 6)


def test_settings_of_sam_cl_reach_it() -> None:
    config = ObjectiveConfig(sam_cl=0.5, margin=3.0, triplets="place", temperature=0.2)

    sam_cl = Objective(config, 6).sam_cl

    assert sam_cl is not None
    assert (sam_cl.margin, sam_cl.triplets, sam_cl.temperature) == (3.0, "place", 0.2)


def test_an_interrupted_run_against_critics_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = Training(a_config(iterations=4), tmp_path / "whole", nobody)
    whole.fit()

    first = Training(a_config(iterations=4), tmp_path / "parts", nobody)
    step, seen = first._step, list[dict[str, Tensor]]()

    def counted(images: Tensor, labels: Tensor, rate: float) -> dict[str, Tensor]:
        seen.append(step(images, labels, rate))
        if len(seen) == 2:
            first._ask_to_stop()
        return seen[-1]

    first._step = counted  # type: ignore[method-assign]  # for this run alone
    first.fit()
    torch.manual_seed(999)
    second = Training(a_config(iterations=4), tmp_path / "parts", nobody)
    second.resume()
    second.fit()

    assert {"contrastive", "seg_an", "seg_gan", "seg_an_critic", "seg_gan_critic"} <= set(seen[0])
    expected = load_checkpoint(tmp_path / "whole")
    resumed = load_checkpoint(tmp_path / "parts")
    for part in ("network", "objective", "critics"):
        tensors = {k: v for k, v in expected[part].items() if isinstance(v, Tensor)}
        assert len(tensors) > 10
        for name, value in tensors.items():
            assert torch.equal(value, resumed[part][name]), name
