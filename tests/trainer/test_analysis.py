import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tomli_w

from tests.trainer.conftest import FakeDatabase
from thermoseg.errors import ConfigError
from trainer.analysis import (
    TiAugData,
    choose_data,
    compare,
    draw_pairs,
    face_contrast,
    quartiles,
    save_analysis,
    save_examples,
)
from trainer.cli import main
from trainer.config import StreamConfig
from trainer.datasets import open_sources, upright
from trainer.sources import PictureSet

SMALL = {
    "sources": [{"kind": "phantom", "scene": "laboratory"}],
    "stream": {"height": 48, "width": 64},
    "run": {"iterations": 1},
}


def a_recipe(tmp_path: Path, **tiaug: object) -> str:
    path = tmp_path / "small.toml"
    path.write_text(tomli_w.dumps({**SMALL, "tiaug": tiaug}))
    return str(path)


def test_contrast_is_what_the_eye_sees_of_the_picture() -> None:
    celsius = np.full((10, 10), 20.0, np.float32)
    labels = np.zeros((10, 10), np.uint8)
    celsius[:5], labels[:5] = 30, 1
    assert face_contrast(celsius, labels) == pytest.approx(1)

    celsius[9] = 40
    # Face at 0.5 of the range; background four rows at 0, one at 1.
    assert face_contrast(celsius, labels) == pytest.approx(0.5 - 0.2)
    assert face_contrast(60 - celsius, labels) == pytest.approx(-0.3)

    labels[9] = 255
    # Without a label the hot row is neither; it still sets the range.
    assert face_contrast(celsius, labels) == pytest.approx(0.5)


def test_without_face_or_background_there_is_no_contrast() -> None:
    celsius = np.ones((4, 4), np.float32)

    assert np.isnan(face_contrast(celsius, np.zeros((4, 4), np.uint8)))
    assert np.isnan(face_contrast(celsius, np.ones((4, 4), np.uint8)))


def test_quartiles_leave_out_pictures_without_a_face() -> None:
    assert quartiles(np.array([np.nan, 0.0, 1.0, 2.0, 3.0, 4.0])) == (1.0, 2.0, 3.0)
    assert np.isnan(quartiles(np.array([np.nan]))).all()


def test_objects_bring_face_and_background_nearer_together(tmp_path: Path) -> None:
    data = choose_data(a_recipe(tmp_path, occlude=1.0))
    contrasts = compare(draw_pairs(data, 24, seed=1))

    before, after = quartiles(contrasts.before), quartiles(contrasts.after)
    assert before[1] > 0.3
    assert after[1] < before[1]
    assert after[2] - after[0] > before[2] - before[0]
    assert contrasts.frequencies_before.sum() == pytest.approx(1)
    assert contrasts.frequencies_after.sum() == pytest.approx(1)


def test_the_same_seed_draws_the_same_pictures(tmp_path: Path) -> None:
    data = choose_data(a_recipe(tmp_path))

    first, again = draw_pairs(data, 2, seed=5), draw_pairs(data, 2, seed=5)
    other = draw_pairs(data, 2, seed=6)

    assert np.array_equal(first[1][1][0], again[1][1][0])
    assert not np.array_equal(first[1][1][0], other[1][1][0])


def a_folder(tmp_path: Path, count: int) -> Path:
    """Pictures of one face each, told apart by its size."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(count):
        labels = np.zeros((48, 64), np.uint8)
        labels[10 : 20 + 2 * number, 20:40] = 1
        celsius = np.where(labels, 34, 20).astype(np.float32)
        np.save(folder / f"{number}.npy", celsius)
        cv2.imwrite(str(folder / f"{number}_labels.png"), labels)
    return folder


def faces_of(data: TiAugData, most: int) -> list[int]:
    pairs = draw_pairs(data, most, seed=1)
    return [int((labels > 0).any(axis=1).sum()) for (_, labels), _ in pairs]


def test_each_picture_of_a_folder_is_taken_once_and_no_more_than_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_folder(tmp_path, 5)
    data = replace(choose_data(str(folder)), stream=StreamConfig(height=48, width=64))

    assert faces_of(data, 20) == [10, 12, 14, 16, 18]
    assert faces_of(data, 3) == [10, 14, 18]
    command = ["tiaug", "--data", str(folder), "--out", str(tmp_path / "out"), "--pictures", "20"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "background, 5 pictures, stretched" in printed
    assert printed.count(" 5 pictures; published") == 2
    assert "20 pictures" not in printed


def test_of_the_database_its_validation_side_is_looked_at(
    fake_database: FakeDatabase, tmp_path: Path
) -> None:
    source = {"kind": "thermal_face_db", "path": str(fake_database.folder)}
    split = {"cache": str(tmp_path / "cache"), "validation_subjects": ["007"]}
    recipe = tmp_path / "database.toml"
    recipe.write_text(tomli_w.dumps({**SMALL, "sources": [source | split]}))
    data = choose_data(str(recipe))

    pairs = draw_pairs(data, 473, seed=1)

    (opened,) = open_sources(data.sources, data.stream)
    fit = upright(data.stream)
    unseen = opened.source.unseen
    assert isinstance(unseen, PictureSet)
    judged = [fit(*unseen[at], np.random.default_rng(0))[0] for at in range(len(unseen))]
    assert len(pairs) == len(judged) == 2
    for (celsius, _), expected in zip([before for before, _ in pairs], judged, strict=True):
        assert np.array_equal(celsius, expected)


def test_the_phantom_never_shows_a_picture_twice(tmp_path: Path) -> None:
    recipe = tmp_path / "few.toml"
    few = {**SMALL, "sources": [{"kind": "phantom", "scene": "laboratory", "pictures": 2}]}
    recipe.write_text(tomli_w.dumps(few))

    pairs = draw_pairs(choose_data(str(recipe)), 6, seed=1)

    assert len({celsius.tobytes() for (celsius, _), _ in pairs}) == 6


def test_tables_and_pictures_are_written(tmp_path: Path) -> None:
    data = choose_data(a_recipe(tmp_path))
    contrasts = compare(draw_pairs(data, 4, seed=2))
    out = tmp_path / "deep" / "out"

    save_analysis(out, contrasts)
    save_examples(out, data, seed=2)

    with (out / "contrast.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["picture"]) for row in rows] == [0, 1, 2, 3]
    assert [float(row["before"]) for row in rows] == pytest.approx(contrasts.before, rel=1e-4)
    with (out / "histogram.csv").open(newline="") as file:
        shares = [float(row["share_after"]) for row in csv.DictReader(file)]
    assert sum(shares) == pytest.approx(1, rel=1e-3)
    for name in ("contrast.png", "histogram.png", "examples.png"):
        picture = cv2.imread(str(out / name))
        assert picture is not None
        assert picture.std() > 10


def test_a_database_a_folder_and_a_recipe_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "x_sub001_y.npy").touch()

    assert choose_data("phantom").sources[0].kind == "phantom"
    assert choose_data(str(tmp_path / "mine")).sources[0].kind == "folder"
    assert choose_data(str(tmp_path / "theirs")).sources[0].kind == "thermal_face_db"
    assert choose_data(a_recipe(tmp_path, occlude=0.25)).tiaug.occlude == 0.25
    with pytest.raises(ConfigError, match="nowhere: is no folder"):
        choose_data(str(tmp_path / "nowhere"))


def test_the_command_prints_quartiles_beside_the_published_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["tiaug", "--data", a_recipe(tmp_path), "--out", str(out)]

    assert main([*command, "--pictures", "3"]) == 0
    printed = capsys.readouterr().out
    assert "3 pictures; published 0.39 (0.27 to 0.48)" in printed
    assert "3 pictures; published 0.20 (-0.04 to 0.41)" in printed
    assert (out / "examples.png").exists()

    assert main([*command, "--pictures", "0"]) == 1
    assert "--pictures must be at least 1" in capsys.readouterr().err
