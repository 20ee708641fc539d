import numpy as np
import pytest

from trainer.metrics import Confusion


def test_overlap_of_each_region_over_all_pictures() -> None:
    truth = np.array([[1, 1, 1, 1, 2, 2, 0, 0]], np.uint8)
    predicted = np.array([[1, 1, 0, 2, 2, 2, 0, 3]], np.uint8)
    confusion = Confusion()

    confusion.add(truth[:, :4], predicted[:, :4])
    confusion.add(truth[:, 4:], predicted[:, 4:])
    scores = confusion.scores()

    assert scores.iou["chin"] == pytest.approx(2 / 4)
    assert scores.iou["mouth"] == pytest.approx(2 / 3)
    assert scores.iou["eyes"] == 0
    assert np.isnan(scores.iou["nose"])


def test_the_mean_is_over_the_five_face_regions() -> None:
    labels = np.arange(6, dtype=np.uint8).repeat(4)
    confusion = Confusion()

    wrong = labels.copy()
    wrong[labels == 0] = 255
    wrong[labels == 0] = 1
    confusion.add(labels, wrong)

    # Chin 4 of 8, the other four whole: (0.5 + 4) / 5.
    assert confusion.scores().mean_iou == pytest.approx(0.9)


def test_pixels_without_a_label_count_for_nothing() -> None:
    confusion = Confusion()

    confusion.add(np.array([1, 255], np.uint8), np.array([1, 3], np.uint8))

    assert confusion.counts.sum() == 1


def test_a_region_that_nobody_shows_is_left_out_of_the_mean() -> None:
    confusion = Confusion()

    confusion.add(np.array([0, 0, 1, 1, 2], np.uint8), np.array([0, 1, 1, 1, 2], np.uint8))

    scores = confusion.scores()
    assert scores.mean_iou == pytest.approx((2 / 3 + 1) / 2)
    assert scores.background == pytest.approx(1 / 2)


def test_overlaps_are_those_of_torchmetrics() -> None:
    classification = pytest.importorskip("torchmetrics.classification")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 6, (3, 20, 20)).astype(np.uint8)
    predicted = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, 6, truth.shape))
    truth[rng.random(truth.shape) < 0.1] = 255
    confusion = Confusion()

    confusion.add(truth, predicted.astype(np.uint8))
    theirs = classification.MulticlassJaccardIndex(6, average="none", ignore_index=255)
    expected = theirs(torch.from_numpy(predicted.astype(np.int64)), torch.from_numpy(truth).long())

    scores = confusion.scores()
    assert list(scores.iou.values()) == pytest.approx(expected[1:].tolist())
    assert scores.background == pytest.approx(float(expected[0]))
