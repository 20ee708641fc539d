from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.losses import (
    BceLoss,
    DiceLoss,
    RegionMutualInformation,
    RmiLoss,
    bce_loss,
    cross_entropy,
    dice_loss,
    rmi_loss,
)

Loss = Callable[[Tensor, Tensor], Tensor]


def a_problem(
    classes: int = 6, *, ignored: bool = False, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, classes, (2, 5, 6)), np.ones((1, 4, 4), int))
    if ignored:
        labels[:, 3:9, 5:14] = -1
        labels[0, 15:17, 2:4] = classes
    return rng.normal(0, 2, (2, classes, 20, 24)), labels


def slow_rmi(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The published definition, spelled out pixel by pixel and without any of our shortcuts."""
    count, classes, height, width = logits.shape
    valid = (labels >= 0) & (labels < classes)
    truth = np.zeros_like(logits)
    for n in range(count):
        for c in range(classes):
            truth[n, c] = (labels[n] == c) & valid[n]
    chance = 1 / (1 + np.exp(-logits))

    entropy = -(truth * np.log(chance) + (1 - truth) * np.log(1 - chance))
    bce = (entropy * valid[:, None]).sum() / (valid.sum() + 1)

    chance = chance * valid[:, None] + 1e-6
    total = 0.0
    for n in range(count):
        for c in range(classes):
            pooled = []
            for picture in (truth[n, c], chance[n, c]):
                rows = range(-1, height + 2 - 3 + 1 - 1, 3)
                columns = range(-1, width + 2 - 3 + 1 - 1, 3)
                pooled.append(
                    np.array(
                        [
                            [picture[max(r, 0) : r + 3, max(k, 0) : k + 3].max() for k in columns]
                            for r in rows
                        ]
                    )
                )
            y, p = (
                np.array(
                    [
                        picture[r : r + 3, k : k + 3].ravel()
                        for r in range(picture.shape[0] - 2)
                        for k in range(picture.shape[1] - 2)
                    ]
                ).T
                for picture in pooled
            )
            y, p = y - y.mean(1, keepdims=True), p - p.mean(1, keepdims=True)
            inverse = np.linalg.inv(p @ p.T + 1e-3 * np.eye(9))
            residual = y @ y.T - y @ p.T @ inverse @ (y @ p.T).T
            factor = np.linalg.cholesky(residual + 1e-3 * np.eye(9))
            total += np.log(np.diag(factor) + 1e-8).sum()
    return float(0.5 * bce + 0.5 * total / 9 / count)


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rmi_equals_its_published_definition(seed: int, *, ignored: bool) -> None:
    logits, labels = a_problem(ignored=ignored, seed=seed)

    ours = rmi_loss(torch.from_numpy(logits), torch.from_numpy(labels))

    assert float(ours) == pytest.approx(slow_rmi(logits, labels), abs=1e-6)


def test_rmi_gradient_equals_finite_differences() -> None:
    logits, labels = a_problem(classes=2)
    truth = torch.from_numpy(labels[:1, :8, :8])
    start = torch.from_numpy(logits[:1, :, :8, :8]).requires_grad_()

    assert torch.autograd.gradcheck(lambda x: rmi_loss(x, truth), (start,), atol=1e-4)


def test_swapped_classes_equal_swapped_labels() -> None:
    logits, labels = a_problem(ignored=True)
    swap = torch.tensor([[1, 2, 3, 4, 5, 0], [5, 4, 3, 2, 1, 0]])
    swapped = labels.copy()
    for picture in range(2):
        for c in range(6):
            swapped[picture][labels[picture] == c] = int(swap[picture, c])
    start = torch.from_numpy(logits)

    ours = (
        RegionMutualInformation(start, torch.from_numpy(labels)).swapped_bounds(swap).sum(1).mean()
    )

    expected = 2 * slow_rmi(logits, swapped) - float(bce_loss(start, torch.from_numpy(swapped)))
    assert float(ours) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_rmi_leaves_labels_untouched_and_survives_half_precision(kind: torch.dtype) -> None:
    logits, labels = a_problem(ignored=True)
    truth = torch.from_numpy(labels)
    before = truth.clone()
    half = (100 * torch.from_numpy(logits)).to(kind).requires_grad_()

    with torch.autocast("cpu", kind):
        loss = rmi_loss(half, truth)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's

    assert torch.equal(truth, before)
    assert torch.isfinite(loss)
    assert half.grad is not None
    assert torch.isfinite(half.grad).all()
    # The logits are rounded; what is computed of them is not.
    whole = rmi_loss(half.detach().double(), truth)
    assert float(loss.detach()) == pytest.approx(float(whole), rel=1e-5)


def test_rmi_with_everything_ignored_is_finite() -> None:
    logits = torch.zeros((1, 6, 16, 16), requires_grad=True)

    loss = rmi_loss(logits, torch.full((1, 16, 16), -1))
    loss.backward()  # type: ignore[no-untyped-call]  # torch's

    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.count_nonzero(logits.grad) == 0


def test_regions_prefer_the_right_shape() -> None:
    _, labels = a_problem()
    truth = torch.from_numpy(labels)
    right = 8 * torch.nn.functional.one_hot(truth, 6).permute(0, 3, 1, 2).float() - 4
    moved = right.roll(5, dims=3)

    assert (
        RegionMutualInformation(right, truth).bounds
        < RegionMutualInformation(moved, truth).bounds - 0.1
    ).all()


def test_regions_at_hand_are_not_computed_again() -> None:
    logits, labels = (torch.from_numpy(part) for part in a_problem())
    regions = RegionMutualInformation(logits, labels)

    assert float(rmi_loss(logits, labels, regions)) == float(rmi_loss(logits, labels))
    regions.bounds = regions.bounds + 1
    # Six classes, each one higher, weigh one half.
    raised = float(rmi_loss(logits, labels, regions)) - float(rmi_loss(logits, labels))
    assert raised == pytest.approx(3.0)


def test_cross_entropy_of_known_probabilities() -> None:
    chances = torch.tensor([0.5, 0.25, 0.25]).log().view(1, 3, 1, 1).expand(1, 3, 1, 2)
    labels = torch.tensor([[[0, 1]]])

    # Mean of log 2 and log 4; with weights (3·log 2 + 1·log 4) / 4.
    assert float(cross_entropy(chances, labels)) == pytest.approx(1.0397208)
    weighted = cross_entropy(chances, labels, torch.tensor([3.0, 1.0, 1.0]))
    assert float(weighted) == pytest.approx(0.8664340)


def test_binary_cross_entropy_of_known_probabilities() -> None:
    labels = torch.tensor([[[0, -1]]])
    logits = torch.zeros((1, 2, 1, 2))

    # Two channels of log 2 each, over one valid pixel plus one.
    assert float(bce_loss(logits, labels)) == pytest.approx(0.6931472)
    weighted = bce_loss(logits, labels, torch.tensor([3.0, 1.0]))
    assert float(weighted) == pytest.approx(1.3862944)


def test_dice_is_zero_for_the_truth_and_one_half_for_half_an_overlap() -> None:
    labels = torch.zeros((1, 100, 100), dtype=torch.int64)
    labels[:, :, 50:] = 1
    right = 50 * torch.nn.functional.one_hot(labels, 2).permute(0, 3, 1, 2).float()

    assert float(dice_loss(right, labels)) == pytest.approx(0, abs=1e-4)
    assert float(dice_loss(right.roll(25, dims=3), labels)) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("loss", [cross_entropy, bce_loss, dice_loss, rmi_loss])
def test_ignored_pixels_send_no_gradient(loss: Loss) -> None:
    logits, labels = a_problem(ignored=True)
    start = torch.from_numpy(logits).float().requires_grad_()

    loss(start, torch.from_numpy(labels)).backward()  # type: ignore[no-untyped-call]  # torch's

    gradient = start.grad
    assert gradient is not None
    assert torch.count_nonzero(gradient.abs().amax(1)[torch.from_numpy(labels) == -1]) == 0
    assert torch.count_nonzero(gradient) > 0


@pytest.mark.parametrize("loss", [cross_entropy, bce_loss, dice_loss, rmi_loss])
def test_shapes_that_do_not_match_are_refused(loss: Loss) -> None:
    with pytest.raises(ValueError, match="logits must be"):
        loss(torch.zeros(1, 6, 8, 8), torch.zeros(1, 8, 9))


def test_the_modules_are_the_functions() -> None:
    logits, labels = (torch.from_numpy(part) for part in a_problem(ignored=True))
    weight = torch.tensor([0.7, 1.0, 3.0, 4.0, 4.0, 3.0])
    bce = BceLoss(weight)

    assert float(bce(logits, labels)) == float(bce_loss(logits, labels, weight))
    assert float(BceLoss()(logits, labels)) == float(bce_loss(logits, labels))
    assert float(DiceLoss(smooth=9)(logits, labels)) == float(dice_loss(logits, labels, 9))
    assert float(DiceLoss()(logits, labels)) == float(dice_loss(logits, labels))
    assert float(RmiLoss()(logits, labels)) == float(rmi_loss(logits, labels))
    # Weights of classes follow the module to another device.
    assert torch.equal(bce.state_dict()["weight"], weight)
