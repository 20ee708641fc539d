from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from pydantic import ValidationError

from thermoseg.errors import ConfigError, FormatError
from trainer.config import FolderConfig
from trainer.labelled_folder import LabelledFolder
from trainer.sources import PictureSet

CELSIUS = np.linspace(20, 35, 48, dtype=np.float32).reshape(6, 8)
LABELS = np.arange(48, dtype=np.uint8).reshape(6, 8) % 6


def opened(path: Path, **settings: object) -> LabelledFolder:
    return LabelledFolder(FolderConfig.model_validate({"kind": "folder", "path": path, **settings}))


def refusal(path: Path, **settings: object) -> str:
    with pytest.raises(ConfigError) as caught:
        opened(path, **settings)
    return str(caught.value)


def save(
    folder: Path, stem: str, celsius: NDArray[np.float32], labels: NDArray[np.uint8] = LABELS
) -> None:
    (folder / stem).parent.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{stem}.npy", celsius)
    cv2.imwrite(str(folder / f"{stem}_labels.png"), labels)


def save_people(folder: Path, people: Iterable[str], each: int = 2, warmer_k: float = 0.0) -> None:
    for number, person in enumerate(people):
        for shot in range(each):
            save(folder, f"{person}_{shot}", CELSIUS + 3 * number + shot + warmer_k)


def save_pts(path: Path, points: NDArray[np.float64]) -> None:
    lines = "\n".join(f"{x} {y}" for x, y in points)
    path.write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")


def sides(folder: LabelledFolder) -> dict[str, bool]:
    return {Path(member.name).stem: member.unseen for member in folder.members}


def test_a_folder_gives_temperatures_and_labels_of_every_kind(tmp_path: Path) -> None:
    save(tmp_path, "a", CELSIUS)
    tifffile.imwrite(tmp_path / "b.tif", CELSIUS + 1)
    cv2.imwrite(str(tmp_path / "b_labels.png"), LABELS)
    cv2.imwrite(str(tmp_path / "c.png"), (CELSIUS * 1000).astype(np.uint16))
    cv2.imwrite(str(tmp_path / "c_labels.png"), LABELS)

    folder = opened(tmp_path, validation_share=0)

    assert len(folder) == 3
    assert folder.unseen is None
    means = set()
    for seed in range(30):
        picture, truth = folder.sample(np.random.default_rng(seed), (0,))
        assert np.array_equal(truth, LABELS)
        means.add(round(float(picture.mean()), 1))
    assert means == {27.5, 28.5, 27499.5}


def test_counts_become_degrees_by_the_scale_given(tmp_path: Path) -> None:
    counts = np.arange(29000, 29048, dtype=np.uint16).reshape(6, 8)
    cv2.imwrite(str(tmp_path / "a.png"), counts)
    cv2.imwrite(str(tmp_path / "a_labels.png"), LABELS)
    save(tmp_path, "b", CELSIUS)

    folder = opened(tmp_path, validation_share=0, scale_k=0.01)

    assert folder.read(0)[0][0, 0] == pytest.approx(16.85, abs=1e-3)
    assert np.array_equal(folder.read(1)[0], CELSIUS)


def test_subfolders_labels_elsewhere_and_landmarks_are_found(tmp_path: Path) -> None:
    pictures, truths = tmp_path / "pictures", tmp_path / "pictures" / "truth"
    for place in (pictures / "one", truths / "one", pictures / ".hidden"):
        place.mkdir(parents=True)
    np.save(pictures / "one" / "a.npy", CELSIUS)
    cv2.imwrite(str(truths / "one" / "a.png"), LABELS)
    np.save(pictures / "b.npy", np.zeros((40, 40), np.float32))
    points = np.full((68, 2), 1.0)
    points[:17] = [(5 + 30 * (n % 2), 5 + 30 * (n // 2 % 2)) for n in range(17)]
    save_pts(truths / "b.pts", points)
    np.save(pictures / ".hidden" / "c.npy", CELSIUS)

    folder = opened(pictures, labels=truths, validation_share=0)
    zero_based = opened(pictures, labels=truths, validation_share=0, first_pixel=0)

    assert [Path(member.name).name for member in folder.members] == ["b.npy", "a.npy"]
    assert np.array_equal(folder.read(1)[1], LABELS)
    chin = folder.read(0)[1] == 1
    assert (chin[4:35, 4:35].all(), chin.sum()) == (True, 31 * 31)
    assert (zero_based.read(0)[1] == 1)[5:36, 5:36].all()


def test_label_pictures_may_lie_among_the_pictures_under_the_same_stem(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", CELSIUS)
    cv2.imwrite(str(tmp_path / "a.png"), LABELS)

    folder = opened(tmp_path, labels=tmp_path, validation_share=0)

    assert len(folder) == 1
    assert np.array_equal(folder.read(0)[1], LABELS)


def test_everything_that_does_not_fit_is_listed_at_once(tmp_path: Path) -> None:
    ones = np.ones((6, 8), np.float32)
    save(tmp_path, "s1_good", ones)
    save(tmp_path, "s1_size", ones, LABELS[:3])
    save(tmp_path, "s1_range", ones, LABELS + 6)
    save(tmp_path, "sub/s1_nan", ones * np.nan)
    save(tmp_path, "nobody", ones)
    np.save(tmp_path / "s1_alone.npy", ones)
    (tmp_path / "s1_torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    cv2.imwrite(str(tmp_path / "s1_torn_labels.png"), LABELS)
    save(tmp_path, "s1_rotten", ones)
    (tmp_path / "s1_rotten_labels.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    save(tmp_path, "s1_twice", ones)
    save_pts(tmp_path / "s1_twice.pts", np.ones((68, 2)))
    np.save(tmp_path / "s1_far.npy", ones)
    save_pts(tmp_path / "s1_far.pts", np.full((68, 2), 99))
    cv2.imwrite(str(tmp_path / "s1_good.tif"), ones)

    lines = refusal(tmp_path, subject="^(?:sub/)?(s[0-9])_").splitlines()

    assert lines[0] == f"{tmp_path}: 10 pictures do not fit; repair or remove them:"
    expected = {
        "s1_size_labels.png": "is 8×3 and its picture 8×6",
        "s1_range_labels.png": "labels 6-11; they must be 0-5",
        "s1_nan.npy": "not finite",
        "nobody.npy": "finds nobody",
        "s1_alone.npy": "has no labels; add s1_alone_labels.png or s1_alone.ljson or s1_alone.pts",
        "s1_torn.png": "cannot be read",
        "s1_rotten_labels.png": "cannot be read",
        "s1_twice.npy": "labels twice; keep s1_twice_labels.png or s1_twice.pts",
        "s1_far.pts": "outside the picture",
        "s1_good.tif": "shares its labels with s1_good.npy",
    }
    for name, said in expected.items():
        (line,) = (line for line in lines[1:] if f"/{name}: " in line)
        assert said in line


def test_an_empty_or_missing_folder_is_named(tmp_path: Path) -> None:
    assert "holds no pictures with labels" in refusal(tmp_path)
    assert f"{tmp_path / 'none'}: is no folder" in refusal(tmp_path / "none")
    assert "correct its labels" in refusal(tmp_path, labels=tmp_path / "none")


def test_pictures_without_any_face_are_refused_only_if_all_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path, "a", CELSIUS, LABELS * 0)
    assert "no picture has a label but 0" in refusal(tmp_path, validation_share=0)

    save(tmp_path, "b", CELSIUS + 1)
    assert len(opened(tmp_path, validation_share=0)) == 2
    assert "no face is labelled in" in caplog.text
    assert "a.npy" in caplog.text


def test_a_fixed_share_is_kept_whatever_is_added(tmp_path: Path) -> None:
    save_people(tmp_path, (f"p{number}" for number in range(60)), each=1)
    before = sides(opened(tmp_path))
    save_people(tmp_path, (f"q{number}" for number in range(60)), each=1, warmer_k=500)

    after = sides(opened(tmp_path))

    assert 3 <= sum(before.values()) <= 16
    assert 8 <= sum(after.values()) <= 30
    assert {stem: after[stem] for stem in before} == before


def test_subjects_stay_together(tmp_path: Path) -> None:
    save_people(tmp_path, (f"s{number}" for number in range(20)), each=3)

    folder = opened(tmp_path, subject="^(s[0-9]+)_", validation_share=0.3)

    by_person: dict[str, set[bool]] = {}
    for stem, unseen in sides(folder).items():
        by_person.setdefault(stem.partition("_")[0], set()).add(unseen)
    assert all(len(both) == 1 for both in by_person.values())
    assert set().union(*by_person.values()) == {True, False}
    assert isinstance(folder.unseen, PictureSet)
    judged = {folder.unseen[index][0].tobytes() for index in range(len(folder.unseen))}
    drawn = {folder.sample(np.random.default_rng(n), (0,))[0].tobytes() for n in range(300)}
    assert len(drawn) + len(judged) == 60
    assert not drawn & judged


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_a_handful_of_people_still_has_two_sides(tmp_path: Path, share: float) -> None:
    save_people(tmp_path, ("anna", "bert"))

    assert set(sides(opened(tmp_path, subject="(.+)_", validation_share=share)).values()) == {
        True,
        False,
    }


def test_named_subjects_are_kept_and_must_exist(tmp_path: Path) -> None:
    save_people(tmp_path, ("anna", "bert", "cleo"))
    subject = "(.+)_"

    found = sides(opened(tmp_path, subject=subject, validation_subjects=("bert",)))

    assert {stem for stem, unseen in found.items() if unseen} == {"bert_0", "bert_1"}
    assert "nobody is called dora, emil" in refusal(
        tmp_path, subject=subject, validation_subjects=("emil", "bert", "dora")
    )
    assert "nothing is left to train on" in refusal(
        tmp_path, subject=subject, validation_subjects=("anna", "bert", "cleo")
    )


def test_a_single_picture_cannot_be_split(tmp_path: Path) -> None:
    save(tmp_path, "a", CELSIUS)

    assert "nothing is left to train on, all 1 are kept" in refusal(tmp_path)
    assert len(opened(tmp_path, validation_share=0).training) == 1


def test_another_folder_may_be_validated_on(tmp_path: Path) -> None:
    save_people(tmp_path, ("anna", "bert"))
    save_people(tmp_path / "judged", ("cleo", "dora"), warmer_k=100)

    folder = opened(tmp_path, validation_path=tmp_path / "judged")

    assert (len(folder.training), len(folder.unseen or [])) == (4, 4)
    (tmp_path / "void").mkdir()
    said = refusal(tmp_path / "judged", validation_path=tmp_path / "void")
    assert f"{tmp_path / 'void'}: holds no pictures" in said


def test_people_on_both_sides_are_listed(tmp_path: Path) -> None:
    save_people(tmp_path / "a", ("anna", "bert"))
    save_people(tmp_path / "b", ("cleo", "bert", "anna"), warmer_k=100)

    said = refusal(tmp_path / "a", validation_path=tmp_path / "b", subject="(.+)_")

    assert "subject anna: " in said
    assert "subject bert: " in said
    assert "2 people or pictures are on both sides" in said


def test_the_same_picture_on_both_sides_is_found(tmp_path: Path) -> None:
    save(tmp_path / "a", "one", CELSIUS)
    save(tmp_path / "a", "two", CELSIUS + 1)
    save(tmp_path / "b", "renamed", CELSIUS + 1)

    said = refusal(tmp_path / "a", validation_path=tmp_path / "b")

    assert f"the same picture: {tmp_path}/a/two.npy trains, {tmp_path}/b/renamed.npy" in said


def test_a_folder_that_leads_into_itself_ends(tmp_path: Path) -> None:
    save(tmp_path, "a", CELSIUS)
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)

    assert len(opened(tmp_path, validation_share=0)) == 1


def test_a_picture_that_changes_later_is_named(tmp_path: Path) -> None:
    save(tmp_path, "a", CELSIUS)
    folder = opened(tmp_path, validation_share=0)
    np.save(tmp_path / "a.npy", CELSIUS[:4])

    with pytest.raises(FormatError, match=r"a_labels\.png: is 8×6"):
        folder.read(0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"subject": "("}, "no regular expression"),
        ({"subject": "s[0-9]+"}, "exactly one group"),
        ({"subject": "(a)(b)"}, "exactly one group"),
        ({"validation_subjects": ("a",)}, "needs subject"),
        (
            {"subject": "(a)", "validation_subjects": ("a",), "validation_path": "b"},
            "either validation_subjects or validation_path",
        ),
        ({"validation_share": 1.0}, "less than 1"),
        ({"first_pixel": 2}, "0 or 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FolderConfig.model_validate({"kind": "folder", "path": Path(), **settings})
