import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.losses import rmi_loss
from trainer.samcl import SamClLoss, derangements

TRIPLETS = pytest.mark.parametrize("triplets", ["batch", "place"])


def some_labels() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randint(0, 6, (2, 4, 4), generator=generator)
    return coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)


def logits_of(labels: Tensor, certainty: float) -> Tensor:
    return certainty * functional.one_hot(labels, 6).permute(0, 3, 1, 2).float()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rmi_of_each_pixel(logits: Tensor, labels: Tensor) -> Tensor:
    """RMI with the cross-entropy of a pixel and the region terms of its picture, (n, h, w)."""
    entropy = functional.cross_entropy(logits, labels, ignore_index=-1, reduction="none")
    regions = []
    for i in range(len(logits)):
        mean = entropy[i].sum() / ((labels[i] >= 0).sum() + 1)
        regions.append(rmi_loss(logits[i : i + 1], labels[i : i + 1]) - 0.5 * mean)
    return 0.5 * entropy + torch.stack(regions)[:, None, None]


def plain_sam_cl(loss: SamClLoss, logits: Tensor, labels: Tensor, swap: Tensor) -> Tensor:
    """Equations (2) and (3) as they are written, for whole batches or for each place."""
    each = "none" if loss.triplets == "place" else "mean"
    known = (labels >= 0) & (labels < 6)
    truth = torch.where(known, labels, 0)
    swapped = swap.gather(1, truth.flatten(1)).view_as(truth)

    def one_hot(wanted: Tensor) -> Tensor:
        return functional.one_hot(wanted, 6).permute(0, 3, 1, 2).to(logits.dtype) * known[:, None]

    targets = torch.where(known, truth, -1), torch.where(known, swapped, -1)
    if loss.triplets == "batch":
        near, far = (rmi_loss(logits, target) for target in targets)
        total = functional.relu(near - far + loss.margin)
    else:
        near, far = (rmi_of_each_pixel(logits, target) for target in targets)
        total = (functional.relu(near - far + loss.margin) * known).sum() / (known.sum() + 1)
    maps = torch.cat((logits.softmax(1) * known[:, None], one_hot(truth), one_hot(swapped)))
    for block in loss.auxiliary.blocks:
        maps = block(maps)
        anchor, positive, negative = (maps / loss.temperature).chunk(3)
        near = functional.cross_entropy(anchor, positive.softmax(1), reduction=each)
        far = functional.cross_entropy(anchor, negative.softmax(1), reduction=each)
        total = total + functional.relu(near - far + loss.margin).mean()
    return total


def test_no_class_keeps_its_place_and_every_derangement_occurs() -> None:
    drawn = derangements(4000, 4, seeded())

    assert not (drawn == torch.arange(4)).any()
    assert torch.equal(drawn.sort(1).values, torch.arange(4).expand(4000, 4))
    _, counts = drawn.unique(dim=0, return_counts=True)
    # Four things have nine derangements, here 444 times each on average.
    assert len(counts) == 9
    assert counts.min() > 350


@TRIPLETS
@pytest.mark.parametrize("ignored", [False, True])
def test_loss_and_gradients_are_those_of_the_equations(triplets: str, *, ignored: bool) -> None:
    torch.manual_seed(0)
    logits = (2 * torch.randn(3, 6, 34, 41)).requires_grad_()
    labels = torch.randint(0, 6, (3, 34, 41))
    if ignored:
        labels[:, 3:9] = -1
        labels[1, 20:, 30:] = 6
    loss = SamClLoss(6, triplets=triplets, temperature=0.7, generator=seeded(3))
    wanted = [logits, *loss.parameters()]

    ours = loss(logits, labels)
    ours_moved = torch.autograd.grad(ours, wanted)

    expected = plain_sam_cl(loss, logits, labels, derangements(3, 6, seeded(3)))
    assert float(ours.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    for own, plain in zip(ours_moved, torch.autograd.grad(expected, wanted), strict=True):
        torch.testing.assert_close(own, plain, rtol=1e-3, atol=1e-5 * float(plain.abs().max()))


def test_a_triplet_of_each_place_hinges_where_the_swapped_class_is_ahead() -> None:
    labels = torch.zeros((1, 9, 9), dtype=torch.int64)
    logits = torch.zeros((1, 2, 9, 9))
    logits[0, 1, 0, 0] = 10.0
    logits[0, 0, 1:] = 100.0
    logits.requires_grad_()
    loss = SamClLoss(2, triplets="place")

    finest = loss._finest_term(logits[:, 1] - logits[:, 0], torch.zeros(1), labels == 0)
    finest.backward()

    # One pixel is wrong by 10 and eight are undecided: (0.5 · 10 + 1 + 8 · 1) / (81 + 1).
    assert float(finest.detach()) == pytest.approx(14 / 82)
    assert torch.count_nonzero(logits.grad) == 2 * 9


@TRIPLETS
def test_the_term_alone_moves_the_weights_of_the_network(triplets: str) -> None:
    torch.manual_seed(0)
    network = nn.Conv2d(1, 6, 3, padding=1)
    loss = SamClLoss(6, triplets=triplets)

    loss(network(torch.randn(2, 1, 32, 32)), some_labels()).backward()

    for weight in network.parameters():
        assert weight.grad is not None
        assert weight.grad.abs().max() > 1e-6


def test_each_scale_sends_a_gradient_of_its_own() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 6, 32, 32, requires_grad=True)
    labels = some_labels()
    loss = SamClLoss(6)

    features = loss.auxiliary(logits.softmax(1), labels[None], labels >= 0)

    assert [tuple(maps.shape) for maps in features] == [
        (4, 6, 16, 16),
        (4, 6, 8, 8),
        (4, 6, 4, 4),
    ]
    for maps in features:
        (gradient,) = torch.autograd.grad(maps[:2].square().sum(), logits, retain_graph=True)
        assert gradient.abs().max() > 0


@TRIPLETS
def test_it_falls_as_the_prediction_approaches_the_truth(triplets: str) -> None:
    torch.manual_seed(0)
    labels = some_labels()
    loss = SamClLoss(6, triplets=triplets)
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


@TRIPLETS
def test_permuting_the_truth_raises_it(triplets: str) -> None:
    torch.manual_seed(0)
    labels = some_labels()
    loss = SamClLoss(6, triplets=triplets)
    right = logits_of(labels, 4.0)

    with torch.no_grad():
        with_truth = float(loss(right, labels))
        for shift in range(1, 6):
            assert float(loss(right, (labels + shift) % 6)) > with_truth + 0.5


@pytest.mark.parametrize(("triplets", "share_right"), [("batch", 0.35), ("place", 0.6)])
def test_training_on_it_alone_leads_towards_the_truth(triplets: str, share_right: float) -> None:
    torch.manual_seed(0)
    labels = some_labels()
    logits = (0.1 * torch.randn(2, 6, 32, 32)).requires_grad_()
    loss = SamClLoss(6, triplets=triplets)
    optimiser = torch.optim.Adam([logits, *loss.parameters()], 0.1)
    right_before = float((logits.argmax(1) == labels).float().mean())

    for _ in range(60):
        optimiser.zero_grad()
        loss(logits, labels).backward()
        optimiser.step()

    # The batch's hinge lets go once the truth is nearer on average, long before every pixel is
    # right; the hinges of places go on with those that are wrong.
    assert right_before < 0.2
    assert float((logits.argmax(1) == labels).float().mean()) > share_right


@TRIPLETS
def test_labels_are_left_untouched_and_ignored_pixels_send_no_gradient(triplets: str) -> None:
    labels = some_labels()
    labels[:, :8] = -1
    before = labels.clone()
    logits = torch.randn(2, 6, 32, 32, requires_grad=True)

    SamClLoss(6, triplets=triplets)(logits, labels).backward()

    assert torch.equal(labels, before)
    assert torch.count_nonzero(logits.grad[:, :, :8]) == 0


@TRIPLETS
@pytest.mark.parametrize("certainty", [0.0, 1e-4, 1000.0])
def test_gradients_stay_sane_for_uniform_and_perfect_logits(
    certainty: float, triplets: str
) -> None:
    torch.manual_seed(0)
    labels = some_labels()
    logits = logits_of(labels, certainty).requires_grad_()
    loss = SamClLoss(6, triplets=triplets)

    loss(logits, labels).backward()

    for weight in [logits, *loss.parameters()]:
        assert weight.grad is not None
        assert torch.isfinite(weight.grad).all()
    assert float(logits.grad.norm()) < 10


@TRIPLETS
def test_gradients_are_finite_in_half_precision(triplets: str) -> None:
    torch.manual_seed(0)
    labels = some_labels()
    half = (10 * torch.randn(2, 6, 32, 32)).to(torch.bfloat16).requires_grad_()
    loss = SamClLoss(6, triplets=triplets)

    with torch.autocast("cpu", torch.bfloat16):
        value = loss(half, labels)
    value.backward()

    assert torch.isfinite(value)
    assert torch.isfinite(half.grad).all()
    with torch.no_grad():
        whole = loss(half.float(), labels)
    # The swaps differ, so the values agree roughly only.
    assert float(value.detach()) == pytest.approx(float(whole), rel=0.2)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_logits_of_any_precision_are_taken_without_autocast(kind: torch.dtype) -> None:
    torch.manual_seed(0)
    labels = some_labels()
    logits = torch.randn(2, 6, 32, 32).to(kind).requires_grad_()
    loss = SamClLoss(6, generator=seeded())

    value = loss(logits, labels)
    value.backward()

    loss.generator = seeded()
    with torch.no_grad():
        assert float(value.detach()) == pytest.approx(float(loss(logits.float(), labels)), rel=1e-5)
    assert logits.grad is not None
    assert logits.grad.abs().max() > 0


def test_logits_of_other_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must have 6 classes, got \(1, 5, 32, 32\)"):
        SamClLoss(6)(torch.zeros(1, 5, 32, 32), torch.zeros(1, 32, 32, dtype=torch.int64))


def test_a_seeded_generator_repeats_the_swaps() -> None:
    torch.manual_seed(0)
    labels = some_labels()
    logits = torch.randn(2, 6, 32, 32)
    loss = SamClLoss(6, generator=seeded(5))

    with torch.no_grad():
        first = [float(loss(logits, labels)) for _ in range(3)]
        loss.generator = seeded(5)
        again = [float(loss(logits, labels)) for _ in range(3)]

    assert first == again
    assert len(set(first)) == 3


def test_one_class_cannot_be_swapped() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        derangements(1, 1)
