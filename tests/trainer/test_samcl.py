import pytest
import torch
from torch import Tensor, nn

from trainer.samcl import SamClLoss, derangements


def some_labels() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randint(0, 6, (2, 4, 4), generator=generator)
    return coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)


def logits_of(labels: Tensor, certainty: float) -> Tensor:
    return certainty * nn.functional.one_hot(labels, 6).permute(0, 3, 1, 2).float()


def test_no_class_keeps_its_place_and_every_derangement_occurs() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = derangements(4000, 4, generator)

    assert not (drawn == torch.arange(4)).any()
    assert torch.equal(drawn.sort(1).values, torch.arange(4).expand(4000, 4))
    _, counts = drawn.unique(dim=0, return_counts=True)
    # Four things have nine derangements, here 444 times each on average.
    assert len(counts) == 9
    assert counts.min() > 350


def test_the_term_alone_moves_the_weights_of_the_network() -> None:
    torch.manual_seed(0)
    network = nn.Conv2d(1, 6, 3, padding=1)
    loss = SamClLoss(6)

    loss(network(torch.randn(2, 1, 32, 32)), some_labels()).backward()

    for weight in network.parameters():
        assert weight.grad is not None
        assert weight.grad.abs().max() > 1e-6


def test_each_scale_sends_a_gradient_of_its_own() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 6, 32, 32, requires_grad=True)
    loss = SamClLoss(6)

    features = loss.auxiliary(logits.softmax(1))

    assert [tuple(maps.shape[2:]) for maps in features] == [(16, 16), (8, 8), (4, 4)]
    for maps in features:
        (gradient,) = torch.autograd.grad(maps.square().sum(), logits, retain_graph=True)
        assert gradient.abs().max() > 0


def test_it_falls_as_the_prediction_approaches_the_truth() -> None:
    torch.manual_seed(0)
    labels = some_labels()
    loss = SamClLoss(6)
    values = []

    for certainty in (0.0, 0.1, 0.2, 0.3, 6.0):
        with torch.no_grad():
            values.append(
                sum(float(loss(logits_of(labels, certainty), labels)) for _ in range(8)) / 8
            )

    # Near the end the first hinge has let go, and the swap drawn decides the last digits.
    assert values[:4] == sorted(values[:4], reverse=True)
    assert values[-1] < values[3] + 0.05
    assert values[-1] < values[0] - 1


def test_permuting_the_truth_raises_it() -> None:
    torch.manual_seed(0)
    labels = some_labels()
    loss = SamClLoss(6)
    right = logits_of(labels, 4.0)

    with torch.no_grad():
        with_truth = float(loss(right, labels))
        for shift in range(1, 6):
            assert float(loss(right, (labels + shift) % 6)) > with_truth + 1


def test_training_on_it_alone_leads_towards_the_truth() -> None:
    torch.manual_seed(0)
    labels = some_labels()
    logits = (0.1 * torch.randn(2, 6, 32, 32)).requires_grad_()
    loss = SamClLoss(6)
    optimiser = torch.optim.Adam([logits, *loss.parameters()], 0.1)
    right_before = float((logits.argmax(1) == labels).float().mean())

    for _ in range(60):
        optimiser.zero_grad()
        loss(logits, labels).backward()
        optimiser.step()

    # The hinge lets go once the truth is nearer by the margin, long before every pixel is right.
    assert right_before < 0.2
    assert float((logits.argmax(1) == labels).float().mean()) > 0.35


def test_labels_are_left_untouched_and_ignored_pixels_send_no_gradient() -> None:
    labels = some_labels()
    labels[:, :8] = -1
    before = labels.clone()
    logits = torch.randn(2, 6, 32, 32, requires_grad=True)

    SamClLoss(6)(logits, labels).backward()

    assert torch.equal(labels, before)
    assert torch.count_nonzero(logits.grad[:, :, :8]) == 0


def test_one_class_cannot_be_swapped() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        derangements(1, 1)
