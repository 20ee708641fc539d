import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.losses import rmi_loss
from trainer.samcl import (
    AuxiliaryNetwork,
    SamClLoss,
    Triplets,
    derangements,
    finest_term,
    sam_cl_loss,
)

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
    seen = known[:, None].float()
    for block in loss.auxiliary.blocks:
        maps = block(maps)
        seen = functional.conv2d(
            functional.pad(seen, (1, 1, 1, 1)), torch.ones(1, 1, 3, 3), None, 2
        )
        anchor, positive, negative = (maps / loss.temperature).chunk(3)
        near = functional.cross_entropy(anchor, positive.softmax(1), reduction="none")
        far = functional.cross_entropy(anchor, negative.softmax(1), reduction="none")
        gaps = (near - far)[seen[:, 0] > 0]
        if loss.triplets == "batch":
            gaps = gaps.mean()
        total = total + functional.relu(gaps + loss.margin).mean()
    return total


def test_no_class_keeps_its_place_and_every_derangement_occurs() -> None:
    drawn = derangements(4000, 4, seeded())

    assert not (drawn == torch.arange(4)).any()
    assert torch.equal(drawn.sort(1).values, torch.arange(4).expand(4000, 4))
    _, counts = torch.unique(drawn, dim=0, return_counts=True)
    # Four things have nine derangements, here 444 times each on average.
    assert len(counts) == 9
    assert counts.min() > 350


@TRIPLETS
@pytest.mark.parametrize("ignored", [False, True])
def test_loss_and_gradients_are_those_of_the_equations(
    triplets: Triplets, *, ignored: bool
) -> None:
    torch.manual_seed(0)
    logits = (2 * torch.randn(3, 6, 34, 41)).requires_grad_()
    labels = torch.randint(0, 6, (3, 34, 41))
    if ignored:
        labels[:, 3:9] = -1
        labels[1, 20:, 30:] = 6
        labels[2, :, :24] = -1
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

    ahead = logits[:, 1] - logits[:, 0]
    finest = finest_term(ahead, torch.zeros(1), labels == 0, margin=1.0, triplets="place")
    finest.backward()  # type: ignore[no-untyped-call]  # torch's

    # One pixel is wrong by 10 and eight are undecided: (0.5 · 10 + 1 + 8 · 1) / (81 + 1).
    assert float(finest.detach()) == pytest.approx(14 / 82)
    assert logits.grad is not None
    assert torch.count_nonzero(logits.grad) == 2 * 9


@TRIPLETS
def test_the_term_alone_moves_the_weights_of_the_network(triplets: Triplets) -> None:
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
def test_it_falls_as_the_prediction_approaches_the_truth(triplets: Triplets) -> None:
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
def test_permuting_the_truth_raises_it(triplets: Triplets) -> None:
    torch.manual_seed(0)
    labels = some_labels()
    loss = SamClLoss(6, triplets=triplets)
    right = logits_of(labels, 4.0)

    with torch.no_grad():
        with_truth = float(loss(right, labels))
        for shift in range(1, 6):
            assert float(loss(right, (labels + shift) % 6)) > with_truth + 0.5


@pytest.mark.parametrize(("triplets", "share_right"), [("batch", 0.35), ("place", 0.6)])
def test_training_on_it_alone_leads_towards_the_truth(
    triplets: Triplets, share_right: float
) -> None:
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
def test_labels_are_left_untouched_and_ignored_pixels_send_no_gradient(triplets: Triplets) -> None:
    labels = some_labels()
    labels[:, :8] = -1
    before = labels.clone()
    logits = torch.randn(2, 6, 32, 32, requires_grad=True)

    SamClLoss(6, triplets=triplets)(logits, labels).backward()

    assert torch.equal(labels, before)
    assert logits.grad is not None
    assert torch.count_nonzero(logits.grad[:, :, :8]) == 0


@TRIPLETS
@pytest.mark.parametrize("certainty", [0.0, 1e-4, 1000.0])
def test_gradients_stay_sane_for_uniform_and_perfect_logits(
    certainty: float, triplets: Triplets
) -> None:
    torch.manual_seed(0)
    labels = some_labels()
    logits = logits_of(labels, certainty).requires_grad_()
    loss = SamClLoss(6, triplets=triplets)

    loss(logits, labels).backward()

    for weight in [logits, *loss.parameters()]:
        assert weight.grad is not None
        assert torch.isfinite(weight.grad).all()
    assert logits.grad is not None
    assert float(logits.grad.norm()) < 10


@TRIPLETS
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_gradients_are_finite_in_half_precision(kind: torch.dtype, triplets: Triplets) -> None:
    torch.manual_seed(0)
    labels = some_labels()
    half = (10 * torch.randn(2, 6, 32, 32)).to(kind).requires_grad_()
    loss = SamClLoss(6, triplets=triplets)

    with torch.autocast("cpu", kind):
        value = loss(half, labels)
    value.backward()

    assert torch.isfinite(value)
    assert half.grad is not None
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


@TRIPLETS
def test_the_module_is_the_function_with_a_drawn_swap(triplets: Triplets) -> None:
    torch.manual_seed(0)
    labels = some_labels()
    logits = torch.randn(2, 6, 32, 32)
    loss = SamClLoss(6, margin=0.5, triplets=triplets, temperature=0.7, generator=seeded(4))
    swap = derangements(2, 6, seeded(4))

    with torch.no_grad():
        value = sam_cl_loss(
            *(logits, labels, swap, loss.auxiliary),
            margin=0.5,
            triplets=triplets,
            temperature=0.7,
        )
        assert float(loss(logits, labels)) == float(value)


def test_features_that_cannot_tell_the_truths_apart_cost_the_margin_of_each_scale() -> None:
    labels = torch.zeros((1, 16, 16), dtype=torch.int64)
    logits = torch.zeros((1, 2, 16, 16))
    logits[:, 0] = 1000.0

    def blind(anchor: Tensor, truths: Tensor, known: Tensor) -> list[Tensor]:
        assert (tuple(anchor.shape), tuple(truths.shape)) == ((1, 2, 16, 16), (2, 1, 16, 16))
        assert known.all()
        return [torch.ones(3, 2, side, side) for side in (8, 4, 2)]

    value = sam_cl_loss(logits, labels, torch.tensor([[1, 0]]), blind, margin=0.5)

    # At full resolution the truth is nearer by far.
    assert float(value) == pytest.approx(3 * 0.5)


@TRIPLETS
def test_a_picture_that_is_ignored_changes_nothing_at_the_coarser_scales(
    triplets: Triplets,
) -> None:
    right = torch.zeros((1, 16, 16), dtype=torch.int64)
    labels = torch.cat((right, right - 1))
    logits = torch.zeros((2, 2, 16, 16))
    logits[:, 0] = 1000.0
    swap = torch.tensor([[1, 0], [1, 0]])

    def certain(anchor: Tensor, truths: Tensor, known: Tensor) -> list[Tensor]:
        del anchor, truths, known
        maps = torch.zeros(6, 2, 8, 8)
        maps[0, 0] = maps[2, 0] = maps[4, 1] = 30.0
        return [maps]

    value = sam_cl_loss(logits, labels, swap, certain, triplets=triplets)

    assert float(value) == pytest.approx(0)


def test_features_are_the_same_in_training_and_evaluation() -> None:
    torch.manual_seed(0)
    labels = some_labels()
    auxiliary = AuxiliaryNetwork(6)
    given = torch.randn(2, 6, 32, 32).softmax(1), labels[None], labels >= 0

    with torch.no_grad():
        trained = [auxiliary(*given) for _ in range(3)][-1]
        judged = auxiliary.eval()(*given)

    for ours, theirs in zip(trained, judged, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert list(auxiliary.buffers()) == []


def test_a_state_with_running_statistics_is_still_loaded() -> None:
    torch.manual_seed(0)
    loss = SamClLoss(6)
    state = {name: value + 1 for name, value in loss.state_dict().items()}
    old = state | {
        f"auxiliary.blocks.{block}.{norm}.{name}": torch.zeros(shape)
        for block in range(3)
        for norm in (1, 4)
        for name, shape in (("running_mean", 6), ("running_var", 6), ("num_batches_tracked", ()))
    }

    loss.load_state_dict(old)

    for name, value in loss.state_dict().items():
        assert torch.equal(value, state[name])
    assert len(old) == len(state) + 18


def test_a_swap_of_another_shape_is_refused() -> None:
    labels = some_labels()
    swap = torch.tensor([[1, 0]])

    with pytest.raises(ValueError, match=r"swap must be \(2, 6\), got \(1, 2\)"):
        sam_cl_loss(torch.zeros(2, 6, 32, 32), labels, swap, AuxiliaryNetwork(6))


def test_one_class_cannot_be_swapped() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        derangements(1, 1)
