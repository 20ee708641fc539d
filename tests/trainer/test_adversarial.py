import copy
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.adversarial import CLIP, Critics, Pyramid, SegAn, multi_scale_l1
from trainer.config import ObjectiveConfig, TrainingConfig, check_config
from trainer.loop import Training
from trainer.progress import Progress
from trainer.published import Row

NAMES = pytest.mark.parametrize("name", ["seg_an", "seg_gan"])


def some_labels() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randint(0, 6, (2, 4, 4), generator=generator)
    return coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)


def pictures_of(labels: Tensor) -> Tensor:
    return labels[:, None].float() / 2.5 - 1


def logits_of(labels: Tensor, certainty: float) -> Tensor:
    return certainty * functional.one_hot(labels, 6).permute(0, 3, 1, 2).float()


def critics(name: str, **more: float) -> Critics:
    torch.manual_seed(0)
    config = {"critic_width": 4, "critic_learning_rate": 2e-3, **more}
    return Critics(ObjectiveConfig.model_validate({name: 1.0, **config}), 6)


def nobody(_: Progress) -> None:
    """Take no notice."""


def a_run(name: str) -> TrainingConfig:
    return check_config(
        {
            "network": {"name": "unet", "width": 6},
            "sources": [{"kind": "phantom", "scene": "laboratory", "pictures": 32}],
            "stream": {
                "height": 48,
                "width": 48,
                "normalisations": ["minmax"],
                "lanes": 1,
                "workers": 0,
            },
            "objective": {"cross_entropy": 0.0, **Row("unet", name).weights, "critic_width": 4},
            "optimiser": {"learning_rate": 1e-2, "ema": 0.9},
            "run": {
                "iterations": 120,
                "batch": 8,
                "accelerator": "cpu",
                "threads": 1,
                "tensorboard": False,
            },
            "validation": {"pictures": 16},
        },
        "test",
    )


@NAMES
@pytest.mark.filterwarnings("ignore::DeprecationWarning:lightning")
def test_a_row_of_table_1_learns_what_no_constant_prediction_can_have(
    tmp_path: Path, name: str
) -> None:
    outcome = Training(a_run(name), tmp_path, nobody).fit()

    assert outcome.finished
    # One of the five regions everywhere, and right everywhere, would have a mean of 0.2.
    assert outcome.scores["plain"].mean_iou > 0.25
    assert outcome.scores["plain"].background > 0.7


def test_the_adversarial_rows_have_a_supervised_share_unless_they_name_one() -> None:
    assert Row("unet", "seg_an").weights == {"seg_an": 1.0, "dice": 1.0}
    assert Row("unet", "seg_gan+tiaug").weights == {"seg_gan": 1.0, "dice": 1.0}
    assert Row("unet", "bce+seg_gan").weights == {"bce": 1.0, "seg_gan": 1.0}


def test_seggan_counts_only_once_its_painter_has_learnt() -> None:
    labels, logits = some_labels(), torch.zeros(2, 6, 32, 32)
    rivals = critics("seg_gan", seg_gan_from=0.4)

    with torch.no_grad():
        early, told = rivals.network_loss(pictures_of(labels), logits, labels, progress=0.39)
        late, _ = rivals.network_loss(pictures_of(labels), logits, labels, progress=0.4)

    assert float(early) == 0
    assert float(told["seg_gan"]) > 0.1
    assert float(late) == pytest.approx(float(told["seg_gan"]))


def test_clipping_bounds_what_the_critic_of_segan_makes_of_a_difference() -> None:
    torch.manual_seed(0)
    pyramid = SegAn(6, 4).critic

    features = pyramid(torch.randn(4, 6, 64, 64))

    # Behind a norm of scale 1 they would be around 1 whatever the weights of the convolutions.
    assert all(float(level.detach().std()) < 1.1 * CLIP for level in features[1:])
    assert float(Pyramid(6, 4)(torch.randn(4, 6, 64, 64))[1].detach().std()) > 0.3


def test_multi_scale_l1_of_known_maps() -> None:
    ours = [torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 1, 1)]
    theirs = [torch.full((1, 1, 2, 2), 0.5), torch.tensor([1.0, 3.0]).view(1, 2, 1, 1)]

    # Means 0.5 and 2, then their mean, whatever the sizes of the maps.
    assert float(multi_scale_l1(ours, theirs)) == pytest.approx(1.25)


@NAMES
def test_the_network_gets_a_gradient_and_the_critics_none(name: str) -> None:
    labels = some_labels()
    network = nn.Conv2d(1, 6, 3, padding=1)
    rivals = critics(name)

    images = pictures_of(labels)
    total, parts = rivals.network_loss(images, network(images), labels)
    total.backward()  # type: ignore[no-untyped-call]  # torch's

    assert set(parts) == {name}
    assert all(weight.grad is None for weight in rivals.parameters())
    assert network.weight.grad is not None
    assert network.weight.grad.abs().max() > 0


@NAMES
def test_the_critics_learn_and_the_network_is_left_alone(name: str) -> None:
    labels = some_labels()
    logits = (0.5 * torch.randn(2, 6, 32, 32)).requires_grad_()
    rivals = critics(name)
    before = [weight.clone() for weight in rivals.parameters()]

    values = [rivals.learn(pictures_of(labels), logits, labels) for _ in range(12)]

    assert logits.grad is None
    # The scales of SegAN's norms begin at their bound, which is where the critic wants them.
    assert not any(
        torch.equal(old, new) and not torch.equal(new, torch.full_like(new, CLIP))
        for old, new in zip(before, rivals.parameters(), strict=True)
    )
    assert set(values[0]) == {f"{name}_critic"}
    assert values[-1][f"{name}_critic"] < values[0][f"{name}_critic"]


def test_the_weights_of_segan_are_clipped() -> None:
    rivals = critics("seg_an")

    rivals.learn(pictures_of(some_labels()), torch.zeros(2, 6, 32, 32), some_labels())

    assert max(float(weight.detach().abs().max()) for weight in rivals.parameters()) <= CLIP + 1e-8


def test_the_truth_costs_segan_nothing_and_errors_cost_more() -> None:
    labels = some_labels()
    images = pictures_of(labels)
    rivals = critics("seg_an")

    right = float(rivals.network_loss(images, logits_of(labels, 100.0), labels)[0])
    unsure = float(rivals.network_loss(images, logits_of(labels, 2.0), labels)[0])
    wrong = float(rivals.network_loss(images, logits_of((labels + 1) % 6, 100.0), labels)[0])

    assert right == pytest.approx(0, abs=1e-6)
    assert 0 < unsure < wrong


def test_once_seggan_paints_true_pictures_wrong_masks_cost_more() -> None:
    labels = some_labels()
    images = pictures_of(labels)
    rivals = critics("seg_gan")
    for _ in range(40):
        rivals.learn(images, torch.zeros(2, 6, 32, 32), labels)

    right = float(rivals.network_loss(images, logits_of(labels, 100.0), labels)[0])
    wrong = float(rivals.network_loss(images, logits_of((labels + 1) % 6, 100.0), labels)[0])

    assert right < wrong - 0.1


@pytest.mark.parametrize(("name", "gain"), [("seg_an", 0.2), ("seg_gan", 0.03)])
def test_training_against_them_leads_towards_the_truth(name: str, gain: float) -> None:
    labels = some_labels()
    images = pictures_of(labels)
    rivals = critics(name)
    logits = torch.zeros(2, 6, 32, 32, requires_grad=True)
    optimiser = torch.optim.Adam([logits], 0.2)
    right_before = float((logits.argmax(1) == labels).float().mean())
    for _ in range(30):
        rivals.learn(images, logits, labels)

    for _ in range(30):
        total, _ = rivals.network_loss(images, logits, labels)
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]  # torch's
        optimiser.step()
        rivals.learn(images, logits, labels)

    assert right_before < 0.25
    assert float((logits.argmax(1) == labels).float().mean()) > right_before + gain


@NAMES
def test_a_resumed_critic_goes_on_exactly(name: str) -> None:
    labels = some_labels()
    logits = logits_of(labels, 0.5)
    rivals, other = critics(name), critics(name)
    rivals.learn(pictures_of(labels), logits, labels)

    other.load_state_dict(copy.deepcopy(rivals.state_dict()))

    for _ in range(3):
        went_on = rivals.learn(pictures_of(labels), logits, labels)
        resumed = other.learn(pictures_of(labels), logits, labels)
        assert went_on == resumed
    for own, its in zip(rivals.parameters(), other.parameters(), strict=True):
        assert torch.equal(own, its)


@NAMES
def test_ignored_pixels_send_no_gradient_and_half_precision_is_safe(name: str) -> None:
    labels = some_labels()
    labels[:, :8] = -1
    half = (30 * torch.randn(2, 6, 32, 32)).to(torch.bfloat16).requires_grad_()
    rivals = critics(name)

    with torch.autocast("cpu", torch.bfloat16):
        total, _ = rivals.network_loss(pictures_of(labels), half, labels)
        total.backward()  # type: ignore[no-untyped-call]  # torch's
        learnt = rivals.learn(pictures_of(labels), half, labels)

    assert all(map(math.isfinite, learnt.values()))
    assert half.grad is not None
    assert torch.isfinite(half.grad).all()
    assert torch.count_nonzero(half.grad[:, :, :8]) == 0
    assert torch.count_nonzero(half.grad) > 0


def test_weights_scale_the_sum_and_not_the_parts() -> None:
    labels = some_labels()
    config = {"seg_an": 0.5, "seg_gan": 2.0, "critic_width": 4}
    torch.manual_seed(0)
    rivals = Critics(ObjectiveConfig.model_validate(config), 6)

    with torch.no_grad():
        total, parts = rivals.network_loss(pictures_of(labels), torch.zeros(2, 6, 32, 32), labels)

    expected = 0.5 * float(parts["seg_an"]) + 2 * float(parts["seg_gan"])
    assert float(total) == pytest.approx(expected)


def test_gradients_can_be_averaged_over_processes() -> None:
    rivals = critics("seg_an")
    seen: list[int] = []

    rivals.learn(
        pictures_of(some_labels()),
        torch.zeros(2, 6, 32, 32),
        some_labels(),
        average=lambda gradients: seen.append(len(gradients)),
    )

    assert seen == [len(list(rivals.parameters()))]


def test_nothing_to_learn_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to learn"):
        Critics(ObjectiveConfig(), 6)
