import json
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.conftest import FakeDatabase
from thermoseg.errors import ConfigError
from trainer.config import ThermalFaceDbConfig
from trainer.sources import Picture
from trainer.thermal_face_db import ThermalFaceDb


def opened(database: FakeDatabase, **settings: object) -> ThermalFaceDb:
    config = {
        "kind": "thermal_face_db",
        "path": database.folder,
        "cache": database.folder.parent / "cache",
        "validation_subjects": ("007",),
        **settings,
    }
    return ThermalFaceDb(ThermalFaceDbConfig.model_validate(config))


def pictures(source: ThermalFaceDb) -> dict[str, Picture]:
    return {
        Path(member.name).stem: source.read(number) for number, member in enumerate(source.members)
    }


def refusal(database: FakeDatabase, **settings: object) -> str:
    with pytest.raises(ConfigError) as caught:
        opened(database, **settings)
    return str(caught.value)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every matrix and landmark file that is parsed."""
    files: list[Path] = []
    for name in ("read_picture", "read_landmarks"):
        original: Callable[[Path], object] = getattr(
            __import__("trainer.thermal_face_db", fromlist=[name]), name
        )

        def read(path: Path, original: Callable[[Path], object] = original) -> object:
            files.append(path)
            return original(path)

        monkeypatch.setattr(f"trainer.thermal_face_db.{name}", read)
    return files


def test_pictures_are_the_middle_of_the_matrices_shrunk_to_a_third(
    fake_database: FakeDatabase,
) -> None:
    found = pictures(opened(fake_database))

    assert sorted(found) == list(fake_database.stems)
    for stem, (celsius, labels) in found.items():
        matrix = np.load(fake_database.folder / f"{stem}.npy")
        blocks = matrix[:, 32:992].reshape(256, 3, 320, 3).mean(axis=(1, 3))
        assert celsius.shape == labels.shape == (256, 320)
        assert (celsius.dtype.name, labels.dtype.name) == ("float32", "uint8")
        assert np.abs(celsius - blocks).max() < 1e-3


def test_labels_are_those_of_the_phantom(fake_database: FakeDatabase) -> None:
    for stem, (_, labels) in pictures(opened(fake_database)).items():
        truth = fake_database.truth[stem][1::3, 33:992:3]
        assert set(np.unique(truth)) == {0, 1, 2, 3, 4, 5}
        assert np.mean(labels == truth) > 0.9999
        for region in range(6):
            both = np.sum((labels == region) & (truth == region))
            either = np.sum((labels == region) | (truth == region))
            assert both / either > 0.99


def test_subjects_are_either_trained_or_validated_on(fake_database: FakeDatabase) -> None:
    source = opened(fake_database)

    sides = {Path(member.name).stem[4:10]: member.unseen for member in source.members}
    assert sides == {"sub001": False, "sub007": True, "sub033": False}
    assert (len(source.training), len(source.unseen)) == (3, 2)
    judged = {source.unseen[index][0].tobytes() for index in range(2)}
    drawn = {source.sample(np.random.default_rng(seed), (0,))[0].tobytes() for seed in range(40)}
    assert len(drawn) == 3
    assert not drawn & judged


def test_the_subjects_of_the_paper_are_the_default() -> None:
    config = ThermalFaceDbConfig(kind="thermal_face_db", path=Path())

    assert " ".join(config.validation_subjects) == (
        "007 009 011 012 013 017 021 023 052 061 068 069 075 085 090 091"
    )


def test_the_second_start_parses_nothing(fake_database: FakeDatabase, parsed: list[Path]) -> None:
    first = pictures(opened(fake_database))
    assert len(parsed) == 10
    parsed.clear()

    again = pictures(opened(fake_database, validation_subjects=("001",)))

    assert parsed == []
    for stem, (celsius, labels) in again.items():
        assert np.array_equal(celsius, first[stem][0])
        assert np.array_equal(labels, first[stem][1])


def test_a_changed_database_is_prepared_anew(
    fake_database: FakeDatabase, parsed: list[Path]
) -> None:
    opened(fake_database)
    path = fake_database.folder / f"{fake_database.stems[0]}.npy"
    np.save(path, np.load(path) + 1)
    os.utime(path, ns=(0, 0))
    parsed.clear()

    found = pictures(opened(fake_database))

    assert len(parsed) == 10
    middle = np.load(path)[:, 32:992]
    assert found[fake_database.stems[0]][0].mean() == pytest.approx(middle.mean(), abs=1e-3)
    (folder,) = (fake_database.folder.parent / "cache").iterdir()
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("damage", ["flipped bit", "cut short", "lost", "no index", "torn index"])
def test_a_damaged_cache_is_made_anew(
    fake_database: FakeDatabase, parsed: list[Path], damage: str
) -> None:
    first = pictures(opened(fake_database))
    (folder,) = (fake_database.folder.parent / "cache").iterdir()
    arrays, index = next(folder.glob("*-celsius.f32")), folder / "index.json"
    content = bytearray(arrays.read_bytes())
    match damage:
        case "flipped bit":
            content[123_456] ^= 4
            arrays.write_bytes(content)
        case "cut short":
            arrays.write_bytes(content[:-5])
        case "lost":
            next(folder.glob("*-labels.u8")).unlink()
        case "no index":
            index.unlink()
        case "torn index":
            index.write_text(index.read_text()[:200])
    parsed.clear()

    again = pictures(opened(fake_database))

    assert len(parsed) == 10
    assert all(np.array_equal(again[stem][0], first[stem][0]) for stem in first)


def test_it_travels_to_another_process_small(fake_database: FakeDatabase) -> None:
    source = opened(fake_database)

    packed = pickle.dumps(source)

    assert len(packed) < 20_000
    assert np.array_equal(pickle.loads(packed).read(3)[0], source.read(3)[0])


def spoil(folder: Path, stem: str, kind: str) -> None:
    matrix, landmarks = folder / f"{stem}.npy", next(folder.glob(f"{stem}*.ljson"))
    tree = json.loads(landmarks.read_text())
    points, celsius = tree["landmarks"]["points"], np.load(matrix)
    match kind:
        case "no landmark file":
            landmarks.unlink()
            return
        case "no matrix":
            matrix.unlink()
            return
        case "no group centernose":
            tree["labels"] = [g for g in tree["labels"] if g["label"] != "centernose"]
        case "holds 67 landmarks":
            tree["labels"] = []
            points.pop()
        case "landmarks 5, 9 have no place":
            points[5], points[9] = [None, None], [float("nan"), 3.0]
        case "lie outside":
            tree["landmarks"]["points"] = [[y + 2000, x] for y, x in points]
        case "outside the middle":
            tree["landmarks"]["points"] = [[y, x / 100] for y, x in points]
        case "no landmark file of menpo":
            landmarks.write_text("[1, 2")
            return
        case "is 1023×768":
            celsius = celsius[:, 1:]
        case "not finite":
            celsius[3, 4] = np.inf
        case "no °C":
            celsius = celsius + 273.15
        case "no single picture":
            celsius = celsius[None]
        case "cannot be read":
            matrix.write_bytes(matrix.read_bytes()[:100_000])
            return
        case "not named":
            matrix.rename(folder / f"{stem.replace('_sub', '_')}.npy")
            landmarks.rename(folder / f"{stem.replace('_sub', '_')}.ljson")
            return
    landmarks.write_text(json.dumps(tree))
    np.save(matrix, celsius)


FAULTS = [
    *("no landmark file", "no matrix", "no group centernose", "holds 67 landmarks"),
    *("landmarks 5, 9 have no place", "lie outside", "outside the middle", "is 1023×768"),
    *("no landmark file of menpo", "not finite", "no °C", "no single picture", "cannot be read"),
    "not named",
]


def test_everything_that_does_not_fit_is_listed_at_once(fake_database: FakeDatabase) -> None:
    stem, folder = fake_database.stems[0], fake_database.folder
    spoilt = {}
    for number, kind in enumerate(FAULTS):
        spoilt[kind] = f"rec_sub{200 + number}_x"
        for ending in (".npy", ".ljson"):
            (folder / f"{spoilt[kind]}{ending}").write_bytes(
                (folder / f"{stem}{ending}").read_bytes()
            )
        spoil(folder, spoilt[kind], kind)

    lines = refusal(fake_database).splitlines()

    assert f"{len(FAULTS)} files do not fit" in lines[0]
    assert len(lines) == 1 + len(FAULTS)
    for kind, name in spoilt.items():
        (line,) = (line for line in lines if name.removeprefix("rec_sub") in line)
        assert kind in line
    left = list((folder.parent / "cache").rglob("*"))
    assert [path for path in left if path.is_file()] == []


def test_matrix_and_landmarks_of_one_picture_are_both_validated(
    fake_database: FakeDatabase,
) -> None:
    stem = fake_database.stems[0]
    spoil(fake_database.folder, stem, "not finite")
    spoil(fake_database.folder, stem, "no group centernose")

    said = refusal(fake_database)

    assert f"{stem}.npy: holds temperatures that are not finite" in said
    assert f"{stem}.ljson: has no group centernose" in said


def test_a_long_list_is_cut_on_the_screen_and_whole_in_a_file(
    fake_database: FakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for number in range(30):
        (fake_database.folder / f"x_sub{number:03d}_y.npy").touch()

    said = refusal(fake_database)

    (listing,) = tmp_path.glob("thermoseg-*.txt")
    assert f"30 files do not fit; repair or remove them; all are listed in {listing}:" in said
    assert len(said.splitlines()) == 22
    assert len(listing.read_text().splitlines()) == 30


def test_absent_validation_subjects_are_named(fake_database: FakeDatabase) -> None:
    said = refusal(fake_database, validation_subjects=("007", "009", "011"))

    assert "no picture of the validation subjects 009, 011" in said


def test_somebody_must_be_left_to_train_on(fake_database: FakeDatabase) -> None:
    said = refusal(fake_database, validation_subjects=("001", "007", "033"))

    assert "all subjects are in validation_subjects" in said


@pytest.mark.parametrize(
    ("make", "said"),
    [(lambda _: None, "is no folder"), (lambda path: path.mkdir(), "holds no .npy file")],
)
def test_a_folder_that_is_missing_or_empty_is_named(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    make(tmp_path / "db")

    with pytest.raises(ConfigError, match=said):
        ThermalFaceDb(ThermalFaceDbConfig(kind="thermal_face_db", path=tmp_path / "db"))


def test_a_cache_that_cannot_be_written_is_named(
    fake_database: FakeDatabase, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    said = refusal(fake_database, cache=tmp_path / "file")

    assert f"{tmp_path}/file/thermal_face_db-" in said
    assert "cannot be written (Not a directory)" in said
    assert "set its cache" in said


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let files grow to `size` bytes only, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_nothing_behind(fake_database: FakeDatabase) -> None:
    with room_for(500_000):
        said = refusal(fake_database)

    assert "cannot be written (File too large); free 0.0 GB" in said
    (folder,) = (fake_database.folder.parent / "cache").iterdir()
    assert list(folder.iterdir()) == []
    assert len(opened(fake_database).members) == 5


def test_a_cache_that_goes_away_is_said(fake_database: FakeDatabase) -> None:
    source = opened(fake_database)
    (folder,) = (fake_database.folder.parent / "cache").iterdir()
    for path in folder.iterdir():
        path.unlink()

    with pytest.raises(ConfigError, match="start again"):
        source.read(0)


def test_without_a_setting_the_users_cache_is_taken(
    fake_database: FakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "user")

    opened(fake_database, cache=None)

    assert len(list((tmp_path / "user").glob("thermal_face_db-*/*"))) == 3
