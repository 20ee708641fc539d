from typing import Any

import numpy as np
import pytest
import torch

from trainer.config import PhantomConfig, TrainingConfig, check_config
from trainer.datasets import (
    BatchStream,
    Mixture,
    PhantomSource,
    Picture,
    validation_pictures,
)


def a_config(**stream: Any) -> TrainingConfig:
    return check_config(
        {
            "seed": 5,
            "sources": [{"kind": "phantom"}],
            "stream": {"height": 64, "width": 80, "workers": 0, **stream},
            "tiaug": {},
            "contrast": {},
            "run": {"iterations": 4, "batch": 2},
            "validation": {"pictures": 4},
        },
        "test",
    )


class Counting:
    """A source whose pictures carry the number of their rendering."""

    def __init__(self) -> None:
        self.rendered = 0

    def sample(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
        self.rendered += 1
        return rng.random((64, 80), np.float32), np.zeros((64, 80), np.uint8)


def test_batches_have_the_networks_shape_and_range() -> None:
    images, labels = BatchStream(a_config())[0]

    assert images.shape == (2, 1, 64, 80)
    assert images.dtype == torch.float32
    assert images.min() >= -1
    assert images.max() <= 1
    assert labels.shape == (2, 64, 80)
    assert labels.max() <= 5
    assert torch.isfinite(images).all()


def test_a_batch_depends_on_its_number_alone() -> None:
    one, other = BatchStream(a_config(repeats=3)), BatchStream(a_config(repeats=3))
    for number in range(6):
        one[number]

    for number in (5, 2):
        assert torch.equal(one[number][0], other[number][0])
        assert torch.equal(one[number][1], other[number][1])
    assert not torch.equal(one[0][0], one[1][0])


def test_two_processes_share_what_one_would_do() -> None:
    halves = [BatchStream(a_config(), rank=rank, world=2) for rank in (0, 1)]
    whole = BatchStream(
        a_config().model_copy(update={"run": a_config().run.model_copy(update={"batch": 4})})
    )

    together = torch.cat([half[3][0] for half in halves])

    assert torch.equal(together, whole[3][0])


def test_repeats_render_less_and_use_pictures_about_as_often_as_asked() -> None:
    source = Counting()
    stream = BatchStream(a_config(repeats=4, window=20, lanes=1, augment=0.0), source)

    for number in range(200):
        stream[number]

    # 400 items, a new picture every 4: 100, of which those never drawn are not rendered.
    assert 85 <= source.rendered <= 100


def test_validation_pictures_are_the_same_each_time_and_half_plain() -> None:
    first, again = validation_pictures(a_config()), validation_pictures(a_config())

    assert len(first) == 4
    for (picture, labels), (same, truth) in zip(first, again, strict=True):
        assert np.array_equal(picture, same)
        assert np.array_equal(labels, truth)


def test_a_mixture_takes_from_each_by_its_weight() -> None:
    sources = [Counting(), Counting()]
    mixture = Mixture(list(sources), [3.0, 1.0])
    rng = np.random.default_rng(0)

    for _ in range(400):
        mixture.sample(rng, (0,))

    assert sources[0].rendered == pytest.approx(300, abs=35)
    assert sources[0].rendered + sources[1].rendered == 400


def test_a_phantom_of_few_pictures_gives_no_others() -> None:
    config = PhantomConfig(kind="phantom", scene="laboratory", pictures=3)
    source = PhantomSource(config, 48, 60)
    drawn = [source.sample(np.random.default_rng(i), (7, 2, 0, i)) for i in range(20)]
    again = PhantomSource(config, 48, 60).sample(np.random.default_rng(0), (7, 2, 0, 99))

    assert len({celsius.tobytes() for celsius, _ in drawn}) == 3
    assert np.array_equal(drawn[0][0], again[0])
