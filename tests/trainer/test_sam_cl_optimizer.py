import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from trainer.losses import rmi_loss
from trainer.sam_cl_optimizer import SamClOptimizer
from trainer.tiaug import TiAugConfig

SMALL = (32, 40)


def a_face(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Warm regions of a cool picture, four of each batch."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((4, 48, 56), np.int64)
    for picture in labels:
        top, left = rng.integers(2, 12, 2)
        for region in range(1, 6):
            row, column = top + 12 * (region // 3), left + 12 * (region % 3)
            picture[row : row + 10, column : column + 10] = region
    return 22 + 2.5 * labels + rng.normal(0, 0.1, labels.shape), labels


def a_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 6, 3, padding=1))


def test_a_loop_with_it_learns() -> None:
    network = a_network()
    optimiser = torch.optim.Adam(network.parameters(), 3e-2)
    mild = TiAugConfig(occlude=0.2, hard_border=0.0)
    helper = SamClOptimizer(network, optimiser, tiaug=mild, shape=SMALL)
    values = []

    for turn in range(80):
        images, labels = helper.tiaug(*a_face(turn))
        loss = helper.sam_cl_loss(network(images), labels)
        helper.step(loss)
        values.append(float(loss.detach()))

    assert np.mean(values[-5:]) < np.mean(values[:5]) - 1
    right = network(images).argmax(1) == labels
    assert float(right[labels > 0].float().mean()) > 0.3


def test_the_lines_of_the_documentation_train() -> None:
    page = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")
    lines = page.partition("## In your own loop")[2].partition("```python\n")[2]
    network = a_network()
    before = [weight.detach().clone() for weight in network.parameters()]
    celsius, labels = a_face()
    mine = {
        "network": network,
        "optimiser": torch.optim.SGD(network.parameters(), 1e-2),
        "batches": [(celsius[:1], labels[:1])],
    }

    exec(lines.partition("```")[0], mine)

    after = network.parameters()
    assert not any(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_both_network_and_auxiliary_network_are_trained() -> None:
    network = a_network()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    helper = SamClOptimizer(network, optimiser, shape=SMALL)
    before = [w.detach().clone() for group in optimiser.param_groups for w in group["params"]]

    images, labels = helper.tiaug(*a_face())
    helper.step(helper.sam_cl_loss(network(images), labels))

    after = [w for group in optimiser.param_groups for w in group["params"]]
    assert len(after) == 4 + 18
    assert not any(torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("kind", ["tensors", "tensors with channel", "lists of sizes"])
def test_tensors_arrays_and_pictures_of_any_size_are_the_same(kind: str) -> None:
    celsius, labels = a_face()
    expected = SamClOptimizer(a_network(), an_optimiser(), shape=SMALL).tiaug(celsius, labels)
    batches: dict[str, tuple[ArrayLike | Tensor, ArrayLike | Tensor]] = {
        "tensors": (torch.from_numpy(celsius), torch.from_numpy(labels)),
        "tensors with channel": (torch.from_numpy(celsius)[:, None], torch.from_numpy(labels)),
        "lists of sizes": (list(celsius), [torch.from_numpy(mask) for mask in labels]),
    }

    images, masks = SamClOptimizer(a_network(), an_optimiser(), shape=SMALL).tiaug(*batches[kind])

    assert images.shape == (4, 1, 32, 40)
    assert masks.dtype == torch.int64
    assert float(images.min()) == -1
    assert float(images.max()) == 1
    assert torch.equal(images, expected[0])
    assert torch.equal(masks, expected[1])


def test_pictures_of_several_sizes_make_one_batch() -> None:
    helper = SamClOptimizer(a_network(), an_optimiser(), shape=SMALL)
    pictures = [np.full((40, 50), 20.0), np.full((60, 30), 30.0)]

    images, _ = helper.tiaug(pictures, [np.zeros(p.shape, int) for p in pictures])

    assert images.shape == (2, 1, 32, 40)


def test_its_arguments_are_left_untouched_and_ignored_pixels_stay_ignored() -> None:
    celsius, labels = a_face()
    labels[:] = -1
    before = celsius.copy(), labels.copy()
    helper = SamClOptimizer(a_network(), an_optimiser(), shape=SMALL)

    _, masks = helper.tiaug(celsius, labels)

    assert (celsius == before[0]).all()
    assert (labels == before[1]).all()
    assert set(torch.unique(masks).tolist()) <= {0, 255}
    assert 255 in masks


def test_a_seed_repeats_everything_and_another_does_not() -> None:
    def losses(seed: int) -> list[float]:
        network = a_network()
        optimiser = torch.optim.SGD(network.parameters(), 1e-2)
        helper = SamClOptimizer(network, optimiser, shape=SMALL, seed=seed)
        values = []
        for _ in range(3):
            images, labels = helper.tiaug(*a_face())
            loss = helper.sam_cl_loss(network(images), labels)
            helper.step(loss)
            values.append(float(loss.detach()))
        return values

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)


def test_it_goes_on_from_its_state() -> None:
    network = a_network()
    helper = SamClOptimizer(network, an_optimiser(), shape=SMALL)
    helper.tiaug(*a_face())
    state = copy.deepcopy(helper.state_dict())
    other = SamClOptimizer(network, an_optimiser(), shape=SMALL, seed=9)

    other.load_state_dict(state)

    def value(of: SamClOptimizer) -> float:
        images, labels = of.tiaug(*a_face())
        return float(of.sam_cl_loss(network(images), labels).detach())

    assert value(other) == value(helper)


def test_without_its_weight_the_loss_is_rmi() -> None:
    helper = SamClOptimizer(a_network(), an_optimiser(), weight=0.0)
    logits, labels = torch.randn(2, 6, 32, 40), torch.randint(0, 6, (2, 32, 40))

    loss = helper.sam_cl_loss(logits, labels).detach()

    assert float(loss) == float(rmi_loss(logits, labels))


def test_truth_may_be_an_array_seen_from_any_side() -> None:
    helper = SamClOptimizer(a_network(), an_optimiser(), weight=0.0)
    logits, labels = torch.randn(2, 6, 32, 40), np.random.default_rng(0).integers(0, 6, (2, 32, 40))

    loss = helper.sam_cl_loss(logits, labels[:, ::-1]).detach()

    assert float(loss) == float(rmi_loss(logits, torch.from_numpy(labels[:, ::-1].copy())))


def test_labels_of_another_shape_are_refused() -> None:
    helper = SamClOptimizer(a_network(), an_optimiser(), shape=SMALL)

    with pytest.raises(ValueError, match="same shapes"):
        helper.tiaug(np.zeros((2, 40, 50)), np.zeros((2, 40, 51), int))
    with pytest.raises(ValueError, match=r"must be \(h, w\), got \(3, 40, 50\)"):
        helper.tiaug(np.zeros((2, 3, 40, 50)), np.zeros((2, 3, 40, 50), int))
    with pytest.raises(ValueError, match="at least one picture"):
        helper.tiaug([], [])


def an_optimiser() -> torch.optim.Optimizer:
    unused: Tensor = nn.Parameter(torch.zeros(1))
    return torch.optim.SGD([unused], 1e-2)
