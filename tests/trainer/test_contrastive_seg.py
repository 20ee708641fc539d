from math import exp, log

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from thermoseg.errors import ConfigError
from thermoseg.networks import build
from trainer.contrastive_seg import FeatureTap, PixelContrast, Queue, draw_anchors, pixel_contrast


def plain_contrast(
    embeddings: Tensor, labels: Tensor, temperature: float, others: Tensor, other_labels: Tensor
) -> float:
    """Equation (1), one pair at a time."""
    everything = torch.cat((embeddings, others)).tolist()
    classes = torch.cat((labels, other_labels)).tolist()

    def likeness(one: int, two: int) -> float:
        dot = sum(a * b for a, b in zip(everything[one], everything[two], strict=True))
        return exp(dot / temperature)

    losses = []
    for anchor in range(len(embeddings)):
        rest = [place for place in range(len(everything)) if place != anchor]
        positives = [place for place in rest if classes[place] == classes[anchor]]
        far = sum(likeness(anchor, p) for p in rest if classes[p] != classes[anchor])
        near = [likeness(anchor, place) for place in positives]
        if near:
            losses.append(sum(-log(value / (value + far)) for value in near) / len(near))
    return sum(losses) / len(losses)


def unit_vectors(count: int, channels: int = 5, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, channels, generator=generator, dtype=torch.float64)
    return functional.normalize(vectors, dim=1)


def some_labels() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randint(0, 6, (2, 4, 5), generator=generator)
    return coarse.repeat_interleave(16, 1).repeat_interleave(16, 2)


def test_the_loss_is_equation_one() -> None:
    labels = torch.tensor([0, 0, 1, 1, 1, 2, 3])
    others = torch.tensor([0, 2, 2, 4])
    ours, theirs = unit_vectors(7), unit_vectors(4, seed=1)

    loss = pixel_contrast(ours, labels, 0.1, theirs, others)

    # Class 3 has one pixel and therefore no positive.
    assert float(loss) == pytest.approx(plain_contrast(ours, labels, 0.1, theirs, others), rel=1e-9)


def test_pixels_of_a_class_together_and_classes_apart_cost_nothing() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])

    assert float(pixel_contrast(apart, labels, 0.1)) < 1e-6
    # Two negatives as near as the positive: log 3.
    together = torch.ones(4, 1)
    assert float(pixel_contrast(together, labels, 0.1)) == pytest.approx(log(3), rel=1e-5)


@pytest.mark.parametrize("labels", [[], [0], [0, 1, 2], [2, 2, 2]])
def test_without_pairs_or_opposites_value_and_gradient_are_finite(labels: list[int]) -> None:
    vectors = unit_vectors(len(labels)).float().requires_grad_()

    loss = pixel_contrast(vectors, torch.tensor(labels, dtype=torch.int64), 0.1)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's

    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


def test_anchors_are_half_hard_and_half_easy_where_there_are_enough() -> None:
    truth = torch.zeros(1, 1000, dtype=torch.int64)
    truth[0, 600:] = 1
    truth[0, 900:] = -1
    predicted = truth.clone()
    predicted[0, :200] = 1
    predicted[0, 600:610] = 0

    chosen = draw_anchors(truth, predicted, classes=6, most=1024, per_class=100)

    labels = truth.flatten()[chosen]
    wrong = predicted.flatten()[chosen] != labels
    assert len(torch.unique(chosen)) == len(chosen) == 200
    assert int(wrong[labels == 0].sum()) == 50
    # Class 1 has ten wrong pixels only, so right ones fill up.
    assert int(wrong[labels == 1].sum()) == 10
    assert int((labels == 1).sum()) == 100


def test_anchors_are_shared_by_the_classes_that_are_there() -> None:
    truth = torch.arange(6).repeat_interleave(300).view(2, 900)

    chosen = draw_anchors(truth, truth, classes=6, most=60, per_class=100)

    picture_and_class = chosen // 900 * 6 + truth.flatten()[chosen]
    assert torch.unique(picture_and_class, return_counts=True)[1].tolist() == [10] * 6


def test_the_queue_keeps_the_newest_of_each_class() -> None:
    queue = Queue(classes=2, size=3, channels=1)
    numbers = torch.arange(1.0, 8.0)[:, None]

    queue.push(numbers[:5], torch.tensor([0, 0, 1, 0, 0]))
    queue.push(numbers[5:], torch.tensor([0, 0]))

    vectors, labels = queue.contents()
    assert sorted(vectors[labels == 0, 0].tolist()) == [5.0, 6.0, 7.0]
    assert vectors[labels == 1, 0].tolist() == [3.0]


def test_checkpoints_hold_the_memory() -> None:
    torch.manual_seed(0)
    contrast = PixelContrast(6, in_channels=4, channels=8, memory=16)
    contrast(torch.randn(2, 4, 64, 80), torch.randn(2, 6, 64, 80), some_labels())
    other = PixelContrast(6, in_channels=4, channels=8, memory=16)

    other.load_state_dict(contrast.state_dict())

    vectors, labels = contrast.pixels.contents()
    assert len(vectors) > 20
    assert torch.equal(other.pixels.contents()[0], vectors)
    assert set(labels.tolist()) == set(some_labels().flatten().tolist())
    regions = contrast.regions.contents()[0]
    torch.testing.assert_close(regions.norm(dim=1), torch.ones(len(regions)))


def test_judging_changes_no_memory() -> None:
    torch.manual_seed(0)
    contrast = PixelContrast(6, in_channels=4, channels=8, memory=16).eval()

    contrast(torch.randn(2, 4, 64, 80), torch.randn(2, 6, 64, 80), some_labels())

    assert len(contrast.pixels.contents()[0]) == 0


@pytest.mark.parametrize("size", [(64, 80), (16, 20), (18, 21)])
def test_features_of_any_size_are_compared_at_the_pixels_they_stand_for(
    size: tuple[int, int],
) -> None:
    torch.manual_seed(0)
    labels = some_labels()[:, :64, :80]
    factor = 64 // size[0] if size[0] == 64 else 4
    # Features that name the class of each place; beyond the picture, as after padding, nonsense.
    padded = functional.pad(labels, (0, 16, 0, 16), value=5)
    places = padded[:, factor // 2 :: factor, factor // 2 :: factor][:, : size[0], : size[1]]
    features = 10 * functional.one_hot(places, 6).permute(0, 3, 1, 2).float()
    contrast = PixelContrast(6, in_channels=6, channels=6, memory=0)
    with torch.no_grad():
        for layer in (contrast.head[0], contrast.head[3]):
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            layer.weight.copy_(torch.eye(6)[:, :, None, None])
            layer.bias.zero_()

    loss = contrast(features, torch.randn(2, 6, 64, 80), labels)

    assert float(loss.detach()) < 0.05


def test_classes_that_are_absent_and_pixels_that_are_ignored_do_no_harm() -> None:
    torch.manual_seed(0)
    contrast = PixelContrast(6, in_channels=4, channels=8, memory=16)
    labels = torch.full((2, 64, 80), -1)
    labels[0, :32] = 2
    features = torch.randn(2, 4, 64, 80, requires_grad=True)
    logits = torch.randn(2, 6, 64, 80)

    first = contrast(features, logits, labels)
    nothing = contrast(features, logits, torch.full_like(labels, 255))
    (first + nothing).backward()

    assert float(nothing.detach()) == 0
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()
    assert torch.unique(contrast.pixels.contents()[1]).tolist() == [2]


def test_gradients_are_finite_in_half_precision() -> None:
    torch.manual_seed(0)
    contrast = PixelContrast(6, in_channels=4, channels=8, memory=16)
    features = torch.randn(2, 4, 64, 80).to(torch.bfloat16).requires_grad_()

    with torch.autocast("cpu", torch.bfloat16):
        loss = contrast(features, torch.randn(2, 6, 64, 80).to(torch.bfloat16), some_labels())
    loss.backward()

    assert loss.dtype == torch.float32
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()
    assert torch.count_nonzero(features.grad) > 0


def test_training_on_it_brings_pixels_of_a_class_together() -> None:
    torch.manual_seed(0)
    labels = some_labels()
    images = labels[:, None].float() + 0.3 * torch.randn(2, 1, 64, 80)
    network = nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.Tanh())
    contrast = PixelContrast(6, in_channels=8, channels=8, memory=32)
    optimiser = torch.optim.Adam([*network.parameters(), *contrast.parameters()], 1e-2)
    losses = []

    for _ in range(25):
        loss = contrast(network(images), torch.zeros(2, 6, 64, 80), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))

    # The memory fills meanwhile, which makes the task harder.
    assert sum(losses[-5:]) / 5 < losses[5] - 0.5


@pytest.mark.parametrize(
    ("name", "channels"), [("unet", 4), ("attention_unet", 4), ("compact", 16)]
)
def test_the_features_before_the_class_scores_are_found(name: str, channels: int) -> None:
    network = build(name, 6, width=4)
    tap = FeatureTap(network, 6)

    network(torch.zeros(2, 1, 32, 32))
    features = tap.take()

    assert tap.channels == channels
    assert features.shape == (2, channels, 32, 32)
    with pytest.raises(ValueError, match="run the network"):
        tap.take()


def test_judging_keeps_no_features() -> None:
    network = build("unet", 6, width=4)
    tap = FeatureTap(network, 6)

    with torch.inference_mode():
        network(torch.zeros(1, 1, 32, 32))

    with pytest.raises(ValueError, match="run the network"):
        tap.take()


def test_a_network_without_class_scores_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="Sequential has no convolution with 6 outputs"):
        FeatureTap(nn.Sequential(nn.Conv2d(1, 5, 1)), 6)
