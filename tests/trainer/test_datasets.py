import itertools
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.trainer.conftest import FakeDatabase
from thermoseg.errors import ConfigError
from thermoseg.phantom.people import Person
from thermoseg.phantom.training import Scene, draw_person
from trainer.config import PhantomConfig, TrainingConfig, check_config
from trainer.datasets import (
    BatchStream,
    Mixture,
    PhantomSource,
    open_loader,
    validation_sets,
)
from trainer.sources import Picture


def a_config(**stream: object) -> TrainingConfig:
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
    """A source that counts its pictures and how often somebody else sits down for one."""

    def __init__(self) -> None:
        self.rendered = 0
        self.people = 0
        self._sitter: tuple[int, ...] = ()

    def sample(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
        self.rendered += 1
        self.people += sitter != self._sitter
        self._sitter = sitter
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

    # 400 items, a new picture every 4: 100, rendered by eights.
    assert source.rendered in (96, 104)


def test_each_person_is_built_once_in_whatever_order_pictures_repeat() -> None:
    source = Counting()
    stream = BatchStream(a_config(repeats=4, window=64, lanes=1, augment=0.0), source)

    for number in range(200):
        stream[number]

    # 100 pictures, eight of each person; the last four may not have been drawn yet.
    assert source.people in (12, 13)


def test_pictures_that_cannot_be_drawn_again_are_let_go() -> None:
    config = a_config(repeats=2, window=16, lanes=1, augment=0.0)
    source = Counting()
    stream = BatchStream(config, source)
    for number in range(60):
        stream[number]
    seen = source.rendered

    again = stream[2]

    assert source.rendered > seen
    assert torch.equal(again[0], BatchStream(config, Counting())[2][0])


def save_people(folder: Path, people: str, celsius: float = 30.0) -> None:
    """Three pictures of each, every one with a level and a spot of its own."""
    folder.mkdir(exist_ok=True)
    for person in people:
        for shot in range(3):
            rng = np.random.default_rng([ord(person), shot])
            picture = celsius + rng.random((48, 60), np.float32)
            labels = np.full((48, 60), 1 + ord(person) % 5, np.uint8)
            np.save(folder / f"{person}_{shot}.npy", picture)
            cv2.imwrite(str(folder / f"{person}_{shot}_labels.png"), labels)


def with_sources(*sources: Mapping[str, object], **validation: object) -> TrainingConfig:
    tree = a_config().model_dump(mode="json")
    tree["sources"] = list(sources)
    tree["validation"] |= validation
    return check_config(tree, "test")


def same(one: list[Picture], other: list[Picture]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a, c) and np.array_equal(b, d)
        for (a, b), (c, d) in zip(one, other, strict=True)
    )


def test_phantoms_are_validated_on_the_same_pictures_each_time() -> None:
    first, again = validation_sets(a_config()), validation_sets(a_config())

    assert list(first) == ["plain", "augmented"]
    for name, pictures in first.items():
        assert len(pictures) == 2
        assert same(pictures, again[name])


def test_a_run_is_not_validated_with_the_seed_it_learns_from() -> None:
    with pytest.raises(ConfigError, match=r"validation\.seed"):
        with_sources({"kind": "phantom"}, seed=5)


def test_a_folder_is_validated_on_all_that_it_keeps_as_it_is(tmp_path: Path) -> None:
    save_people(tmp_path, "abcd")
    folder = {"kind": "folder", "path": str(tmp_path), "subject": "^(.)_"}
    config = with_sources({**folder, "validation_subjects": ["b", "d"]})

    sets = validation_sets(config)

    assert (len(sets["plain"]), len(sets["augmented"])) == (6, 2)
    seen = [np.unique(labels[labels > 0]).tolist() for _, labels in sets["plain"]]
    assert seen == [[1 + ord("b") % 5]] * 3 + [[1 + ord("d") % 5]] * 3
    batches = BatchStream(config)
    learnt = {int(label) for number in range(12) for label in torch.unique(batches[number][1])}
    assert learnt - {0} == {1 + ord("a") % 5, 1 + ord("c") % 5}


def test_of_too_many_pictures_evenly_spaced_ones_are_validated(tmp_path: Path) -> None:
    save_people(tmp_path, "abcdef")
    folder = {"kind": "folder", "path": str(tmp_path), "subject": "^(.)_"}
    people = {"validation_subjects": ["a", "c", "e"]}

    sets = validation_sets(with_sources({**folder, **people}, most=3))

    seen = [int(labels.max()) for _, labels in sets["plain"]]
    assert seen == [1 + ord(person) % 5 for person in "ace"]


def test_several_sources_are_validated_together_and_each(
    fake_database: FakeDatabase, tmp_path: Path
) -> None:
    save_people(tmp_path / "own", "abc")
    database = {
        "kind": "thermal_face_db",
        "path": str(fake_database.folder),
        "cache": str(tmp_path / "cache"),
        "validation_subjects": ["007"],
    }
    own = {"kind": "folder", "path": str(tmp_path / "own"), "subject": "^(.)_"}
    config = with_sources(
        database,
        {**own, "validation_subjects": ["b"]},
        {"kind": "phantom", "scene": "laboratory"},
        {"kind": "phantom", "scene": "wild"},
        pictures=8,
    )

    sets = validation_sets(config)

    assert {name: len(pictures) for name, pictures in sets.items()} == {
        "plain": 9,
        "augmented": 4,
        "thermal_face_db ThermalFaceDB": 2,
        "folder own": 3,
        "phantom": 2,
        "phantom #2": 2,
    }
    assert all(picture.shape == (64, 80) for picture, _ in sets["plain"])
    assert same(validation_sets(config)["augmented"], sets["augmented"])


def test_a_mixture_that_keeps_nothing_is_refused(tmp_path: Path) -> None:
    save_people(tmp_path, "ab")
    config = with_sources({"kind": "folder", "path": str(tmp_path), "validation_share": 0.0})

    with pytest.raises(ConfigError, match="keep no picture to validate on"):
        validation_sets(config)
    assert BatchStream(config)[0][0].shape == (2, 1, 64, 80)


def test_one_person_in_two_sources_must_be_on_one_side(tmp_path: Path) -> None:
    save_people(tmp_path / "may", "abc")
    save_people(tmp_path / "june", "bcd", celsius=31.5)
    own = {"kind": "folder", "subject": "^(.)_"}
    config = with_sources(
        {**own, "path": str(tmp_path / "may"), "validation_subjects": ["a", "b"]},
        {**own, "path": str(tmp_path / "june"), "validation_subjects": ["c"]},
    )

    with pytest.raises(ConfigError) as caught:
        BatchStream(config)

    said = str(caught.value)
    assert "2 people or pictures are on both sides" in said
    assert "subject b: " in said
    assert "subject c: " in said
    assert "subject a: " not in said


def test_one_database_cannot_be_split_in_two_ways(
    fake_database: FakeDatabase, tmp_path: Path
) -> None:
    database = {
        "kind": "thermal_face_db",
        "path": str(fake_database.folder),
        "cache": str(tmp_path / "cache"),
    }
    config = with_sources(
        {**database, "validation_subjects": ["007"]}, {**database, "validation_subjects": ["033"]}
    )

    with pytest.raises(ConfigError, match=r"subject 007: (.|\n)*subject 033: "):
        BatchStream(config)


@pytest.mark.timeout(400)  # a worker loads PyTorch first
@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more than there are cores
def test_workers_and_restarts_change_no_batch(fake_database: FakeDatabase, tmp_path: Path) -> None:
    save_people(tmp_path / "own", "abcdef")
    tree = with_sources(
        {
            "kind": "thermal_face_db",
            "path": str(fake_database.folder),
            "cache": str(tmp_path / "cache"),
            "validation_subjects": ["007"],
        },
        {"kind": "folder", "path": str(tmp_path / "own"), "weight": 2.0},
        {"kind": "phantom", "weight": 0.5},
    ).model_dump(mode="json")

    def batches(workers: int, first: int, count: int) -> list[torch.Tensor]:
        config = check_config({**tree, "stream": {**tree["stream"], "workers": workers}}, "test")
        loader = open_loader(BatchStream(config), config, first)
        return [part for batch in itertools.islice(loader, count) for part in batch]

    alone = batches(0, 0, 4)
    assert len({part.numpy().tobytes() for part in alone[::2]}) == 4
    assert all(map(torch.equal, batches(1, 0, 4), alone))
    assert all(map(torch.equal, batches(2, 1, 3), alone[2:]))


def test_a_constant_picture_becomes_zeros_not_nan() -> None:
    class Constant:
        def sample(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
            return np.full((64, 80), 21.5, np.float32), np.ones((64, 80), np.uint8)

    for method in ("minmax", "percentile"):
        plain, _ = BatchStream(a_config(augment=0.0, normalisations=[method]), Constant())[0]
        augmented, _ = BatchStream(a_config(normalisations=[method]), Constant())[1]
        assert torch.equal(plain, torch.zeros(2, 1, 64, 80))
        assert torch.isfinite(augmented).all()


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


def test_a_phantom_of_few_pictures_builds_each_person_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Scene] = []

    def build(rng: np.random.Generator, scene: Scene) -> Person:
        built.append(scene)
        return draw_person(rng, scene)

    monkeypatch.setattr("trainer.datasets.draw_person", build)
    source = PhantomSource(PhantomConfig(kind="phantom", pictures=11), 48, 60)

    drawn = [source.sample(np.random.default_rng(i), (7, 2, 0, i)) for i in range(80)]

    assert len({celsius.tobytes() for celsius, _ in drawn}) == 11
    assert len(built) == 2


def test_the_examples_of_the_documents_are_valid() -> None:
    text = (Path(__file__).parents[2] / "docs" / "training-data.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)

    kinds = [
        [source.kind for source in check_config(tomllib.loads(example), "example").sources]
        for example in examples
    ]

    assert kinds == [["phantom"], ["thermal_face_db"], ["folder"], ["phantom", "folder"]]
