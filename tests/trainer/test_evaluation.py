import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainer.config import RunConfig
from trainer.evaluation import choose_device, count_pixels, evaluate, predict
from trainer.sources import Picture

CPU = torch.device("cpu")


class Thresholds(nn.Module):
    """Label 1 where a picture is above 0, else 0; remembers how many pictures came together."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.batches.append(len(images))
        return torch.cat((-images, images, *[torch.full_like(images, -9)] * 4), dim=1)


def some_pictures(count: int) -> list[Picture]:
    """Picture i has i pixels above 0, all of which are labelled 1."""
    pictures = []
    for number in range(count):
        celsius = np.full((4, 5), -1, np.float32)
        celsius.flat[:number] = 1
        pictures.append((celsius, (celsius > 0).astype(np.uint8)))
    return pictures


def test_every_picture_is_predicted_once_and_in_order() -> None:
    network = Thresholds()

    predicted = list(predict(network, some_pictures(5), 2, CPU))

    assert network.batches == [2, 2, 1]
    assert [int(labels.sum()) for labels in predicted] == [0, 1, 2, 3, 4]
    assert {(labels.shape, labels.dtype.name) for labels in predicted} == {((4, 5), "uint8")}


def test_who_takes_predictions_can_learn_between_them() -> None:
    weight = nn.Parameter(torch.ones(1))

    for _ in predict(Thresholds(), some_pictures(2), 1, CPU):
        (weight * 3).sum().backward()  # type: ignore[no-untyped-call]  # torch's

    assert weight.grad is not None
    assert weight.grad.item() == 6


def test_pixels_are_counted_by_truth_and_prediction() -> None:
    pictures = some_pictures(3)
    pictures[2][1][0, 1] = 5

    counts = evaluate(Thresholds(), pictures, 8, CPU).counts

    assert (counts[0, 0], counts[1, 1], counts[5, 1]) == (57, 2, 1)
    assert counts.sum() == 60


def test_a_picture_without_a_prediction_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        count_pixels(some_pictures(2), [np.zeros((4, 5), np.uint8)])


def test_a_network_that_was_trained_is_evaluated_as_it_will_be_used() -> None:
    network = nn.Sequential(nn.Conv2d(1, 6, 1), nn.BatchNorm2d(6)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}

    evaluate(network, some_pictures(3), 2, CPU)

    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("accelerator", "has_gpu", "expected"),
    [("auto", True, "cuda"), ("cpu", True, "cpu"), ("auto", False, "cpu")],
)
def test_a_gpu_is_used_if_there_is_one_and_the_run_may(
    accelerator: str, has_gpu: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)

    run = RunConfig.model_validate({"iterations": 1, "accelerator": accelerator})

    assert choose_device(run).type == expected
