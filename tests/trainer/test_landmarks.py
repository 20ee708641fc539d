import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from thermoseg.errors import FormatError
from thermoseg.phantom.head import Phantom, Sitter
from trainer.landmarks import missing_groups, paint_landmarks, read_landmarks


def a_face() -> NDArray[np.float64]:
    """A face of boxes for a picture of 60 rows and 80 columns, (68, 2) x, y."""
    points = np.zeros((68, 2))

    def box(numbers: range, left: float, top: float, right: float, bottom: float) -> None:
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        for place, number in enumerate(numbers):
            points[number] = corners[place % 4]

    box(range(17), 10, 10, 70, 50)
    box(range(17, 22), 14, 12, 30, 14)
    box(range(22, 27), 50, 12, 66, 14)
    box(range(27, 36), 36, 16, 44, 34)
    box(range(36, 42), 16, 18, 28, 22)
    box(range(42, 48), 52, 18, 64, 22)
    box(range(48, 68), 30, 38, 50, 46)
    return points


def expected_labels() -> NDArray[np.uint8]:
    labels = np.zeros((60, 80), np.uint8)
    labels[10:51, 10:71] = 1
    labels[38:47, 30:51] = 2
    labels[18:23, 16:29] = labels[18:23, 52:65] = 3
    labels[12:15, 14:31] = labels[12:15, 50:67] = 4
    labels[16:35, 36:45] = 5
    return labels


def pts(points: NDArray[np.float64], first_pixel: int = 1) -> str:
    lines = "\n".join(f"{x + first_pixel:.3f} {y + first_pixel:.3f}" for x, y in points)
    return f"version: 1\nn_points:  {len(points)}\n{{\n{lines}\n}}\n"


def ljson(points: NDArray[np.float64], labels: list[Any] | None = None) -> dict[str, Any]:
    return {
        "version": 2,
        "labels": labels or [],
        "landmarks": {"points": points[:, ::-1].tolist(), "connectivity": []},
    }


def painted(path: Path, **settings: Any) -> NDArray[np.uint8]:
    return paint_landmarks(path, read_landmarks(path, **settings), (60, 80))


@pytest.mark.parametrize("first_pixel", [0, 1])
def test_pts_files_count_from_one_or_zero(tmp_path: Path, first_pixel: int) -> None:
    path = tmp_path / "a.pts"
    path.write_text(pts(a_face(), first_pixel))

    assert np.array_equal(painted(path, first_pixel=first_pixel), expected_labels())
    assert not np.array_equal(painted(path, first_pixel=1 - first_pixel), expected_labels())


@pytest.mark.parametrize("line_end", ["\r\n", "\n\n", " \n"])
def test_pts_files_of_any_editor_are_read(tmp_path: Path, line_end: str) -> None:
    path = tmp_path / "a.pts"
    path.write_bytes(pts(a_face()).replace("\n", line_end).encode())

    assert np.array_equal(painted(path), expected_labels())


def test_ljson_files_of_both_versions_are_read(tmp_path: Path) -> None:
    second, third = tmp_path / "two.ljson", tmp_path / "three.ljson"
    tree = ljson(a_face())
    second.write_text(json.dumps(tree))
    third.write_text(json.dumps({"version": 3, "groups": {"PTS": tree}}))

    for path in (second, third):
        assert np.array_equal(painted(path), expected_labels())
        assert len(missing_groups(read_landmarks(path))) == 9


def test_named_groups_win_over_the_order_of_points(tmp_path: Path) -> None:
    order = np.random.default_rng(2).permutation(68)
    where = np.argsort(order)
    ranges = {
        "chin": range(17),
        "leyebrow": range(22, 27),
        "reyebrow": range(17, 22),
        "centernose": range(27, 31),
        "bottomnose": range(31, 36),
        "leye": range(42, 48),
        "reye": range(36, 42),
        "outermouth": range(48, 60),
        "innermouth": range(60, 68),
    }
    labels = [
        {"label": name, "mask": [int(where[number]) for number in numbers]}
        for name, numbers in ranges.items()
    ]
    path = tmp_path / "a.ljson"
    path.write_text(json.dumps(ljson(a_face()[order], labels)))

    assert np.array_equal(painted(path), expected_labels())


def test_the_landmarks_of_a_phantom_give_its_labels(tmp_path: Path) -> None:
    picture = Phantom(Sitter(seed=4)).picture(0.0, 120, 160)
    path = tmp_path / "a.ljson"
    path.write_text(json.dumps(ljson(picture.landmarks.astype(float))))

    labels = paint_landmarks(path, read_landmarks(path), (120, 160))

    assert np.array_equal(labels, picture.labels)


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    tree = ljson(a_face())
    change(tree)
    return json.dumps(tree)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no landmark file"),
        ("{", "no landmark file"),
        ("[1]", "no landmark file"),
        ("[" * 100_000, "no landmark file"),
        ('{"version": 3, "groups": {}}', "no landmark file"),
        ('{"version": 1, "groups": []}', "no landmark file"),
        (changed(lambda tree: tree.pop("landmarks")), "no landmark file"),
        (changed(lambda tree: tree["landmarks"].update(points=[[1, 2, 3]])), "no landmark file"),
        (changed(lambda tree: tree["landmarks"]["points"].pop()), "holds 67 landmarks"),
        (changed(lambda tree: tree["landmarks"].update(points=[])), "holds 0 landmarks"),
        (
            changed(lambda tree: tree["landmarks"]["points"].__setitem__(7, [None, 2])),
            "landmarks 7 have no place",
        ),
        (
            changed(lambda tree: tree["landmarks"]["points"].__setitem__(7, [float("inf"), 2])),
            "landmarks 7 have no place",
        ),
        (changed(lambda tree: tree["labels"].append({"label": "chin", "mask": [68]})), "chin"),
        (" " * 2_000_000, "too many for landmarks"),
    ],
)
def test_a_ljson_file_that_does_not_fit_is_named(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "a.ljson"
    path.write_text(content)

    with pytest.raises(FormatError, match=said) as caught:
        read_landmarks(path)

    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no .pts file"),
        (b"\xff\xfe\x00", "no .pts file"),
        (b"version: 1\n{\n1 2\n", "no .pts file"),
        (b"{\n1 2\n3\n}", "no .pts file"),
        (b"{\n1 two\n}", "no .pts file"),
        (b"{\n}", "no .pts file"),
        (b"{\n1 2\n}", "holds 1 landmarks"),
        (pts(np.full((68, 2), np.nan)).encode(), "0, 1, 2, 3, 4… have no place"),
    ],
)
def test_a_pts_file_that_does_not_fit_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.pts"
    path.write_bytes(content)

    with pytest.raises(FormatError, match=said) as caught:
        read_landmarks(path)

    assert str(caught.value).startswith(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"none\.pts: cannot be read \(No such file"):
        read_landmarks(tmp_path / "none.pts")


@pytest.mark.parametrize("shift", [(200, 0), (0, -200), (1e300, 1e300)])
def test_landmarks_of_another_picture_are_refused(
    tmp_path: Path, shift: tuple[float, float]
) -> None:
    path = tmp_path / "a.ljson"
    path.write_text(json.dumps(ljson(a_face() + shift)))

    with pytest.raises(FormatError, match=r"68 of its landmarks lie outside the picture of 80×60"):
        painted(path)


def test_a_face_may_reach_out_of_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.ljson"
    path.write_text(json.dumps(ljson(a_face() + np.array([20, 0]))))

    labels = painted(path)

    assert np.array_equal(labels[:, 20:], expected_labels()[:, :-20])
