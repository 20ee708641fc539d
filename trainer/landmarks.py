"""The 68 landmarks of a face as files hold them, and the labels they stand for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thermoseg.errors import FormatError
from thermoseg.labels import Region
from thermoseg.phantom.people import HULLS, paint_labels

NUM_POINTS: Final = 68
"""Points in the iBUG scheme: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67."""

MAX_BYTES: Final = 1 << 20
"""Largest landmark file that is read; real ones have some 10 kB."""

FAR_PX: Final = 1e6
"""Beyond any picture; larger numbers would not survive the painting."""

GROUP_HULLS: Final = (
    (Region.CHIN, ("chin",)),
    (Region.MOUTH, ("outermouth", "innermouth")),
    (Region.EYES, ("leye",)),
    (Region.EYES, ("reye",)),
    (Region.EYEBROWS, ("leyebrow",)),
    (Region.EYEBROWS, ("reyebrow",)),
    (Region.NOSE, ("centernose", "bottomnose")),
)
"""Regions as convex hulls of ThermalFaceDB's groups of landmarks, in painting order."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The landmarks of one face."""

    points: NDArray[np.float32]
    """(68, 2) x, y; the middle of the first pixel is (0, 0)."""
    groups: dict[str, tuple[int, ...]]
    """Numbers of the landmarks of each named part; empty where the file names none."""


def read_landmarks(path: Path, first_pixel: int = 1) -> Landmarks:
    """Read a menpo `.ljson` or an iBUG `.pts` file.

    Parameters
    ----------
    first_pixel
        Number that a `.pts` file gives the first row and column; `.ljson` counts from 0.

    Raises
    ------
    FormatError
        If it cannot be read or does not hold 68 finite landmarks.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise FormatError(f"{path}: has {size} bytes, too many for landmarks; replace it")
        content = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); replace it") from error
    groups: dict[str, tuple[int, ...]]
    if path.suffix.lower() == ".pts":
        points, groups = _parse_pts(path, content, first_pixel), {}
    else:
        points, groups = _parse_ljson(path, content)
    if len(points) != NUM_POINTS:
        raise FormatError(f"{path}: holds {len(points)} landmarks; {NUM_POINTS} are needed")
    unplaced = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if unplaced.size:
        listed = ", ".join(map(str, unplaced[:5])) + ("…" if unplaced.size > 5 else "")
        raise FormatError(f"{path}: landmarks {listed} have no place; place them")
    return Landmarks(np.clip(points, -FAR_PX, FAR_PX).astype(np.float32), groups)


def paint_landmarks(path: Path, landmarks: Landmarks, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Paint the labels that landmarks stand for.

    Parameters
    ----------
    path
        Path of the landmarks, for messages.
    size
        Height and width of the picture, pixels.

    Returns
    -------
    (h, w) values of `Region`: convex hulls by the file's groups if it names them all, else by the
    iBUG numbers (Joshi et al., BMVC 2022).

    Raises
    ------
    FormatError
        If most landmarks lie outside the picture, or any by more than its size.
    """
    # Pixels by which each point lies outside, (68, 2): before the first or behind the last.  A few
    # points outside belong to a face at the border; half of them, or one far away, to another
    # picture or another unit.
    limits = np.array([size[1], size[0]])
    beyond = np.maximum(-landmarks.points, landmarks.points - limits + 1)
    outside = np.count_nonzero((beyond >= 1).any(axis=1))
    if 2 * outside > NUM_POINTS or (beyond > limits).any():
        raise FormatError(
            f"{path}: {outside} of its landmarks lie outside the picture of {size[1]}×{size[0]}; "
            f"they must be pixels of that picture"
        )
    labels = np.zeros(size, np.uint8)
    named = not missing_groups(landmarks)
    paint_labels(labels, landmarks.points, _hulls_of(landmarks) if named else HULLS)
    return labels


def missing_groups(landmarks: Landmarks) -> list[str]:
    """Name the groups of `GROUP_HULLS` that a file lacks or leaves empty."""
    needed = [name for _, names in GROUP_HULLS for name in names]
    return [name for name in needed if not landmarks.groups.get(name)]


def _hulls_of(landmarks: Landmarks) -> list[tuple[Region, list[int]]]:
    groups = landmarks.groups
    return [
        (region, [number for name in names for number in groups[name]])
        for region, names in GROUP_HULLS
    ]


class _Part(BaseModel):
    """Part of a landmark file that another program wrote; its further fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Points(_Part):
    points: list[tuple[float | None, float | None]]
    """y, x of each; null where a landmark was not placed."""


class _Group(_Part):
    label: str
    mask: list[Annotated[int, Field(ge=0)]]


class _PointSet(_Part):
    landmarks: _Points
    labels: list[_Group] = []


class _Ljson3(_Part):
    groups: Annotated[dict[str, _PointSet], Field(min_length=1, max_length=1)]


class _Version(_Part):
    version: int = 2


def _parse_ljson(
    path: Path, content: bytes
) -> tuple[NDArray[np.float64], dict[str, tuple[int, ...]]]:
    """Parse version 2 of menpo's format, or version 3 with a single set: x, y and groups."""
    try:
        if _Version.model_validate_json(content).version == 3:
            (points,) = _Ljson3.model_validate_json(content).groups.values()
        else:
            points = _PointSet.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise FormatError(
            f"{path}: is no landmark file of menpo's versions 2 or 3 ({place}: {first['msg']}); "
            f"export it again"
        ) from error
    placed = np.array(points.landmarks.points, np.float64).reshape(-1, 2)
    groups = {group.label: tuple(group.mask) for group in points.labels}
    beyond = [name for name, numbers in groups.items() if max(numbers, default=0) >= len(placed)]
    if beyond:
        raise FormatError(
            f"{path}: group {beyond[0]} names a landmark that is not there; repair it"
        )
    return placed[:, ::-1], groups


def _parse_pts(path: Path, content: bytes, first_pixel: int) -> NDArray[np.float64]:
    """Parse `version: 1`, `n_points: 68` and lines of x and y between braces."""
    text = content.decode("utf-8", errors="replace")
    _, opening, rest = text.partition("{")
    body, closing, _ = rest.partition("}")
    try:
        points = [tuple(map(float, line.split())) for line in body.split("\n") if line.strip()]
    except ValueError as error:
        raise FormatError(f"{path}: is no .pts file ({error}); export it again") from error
    if not (opening and closing and points) or any(len(point) != 2 for point in points):
        raise FormatError(
            f"{path}: is no .pts file (no lines of x and y between braces); export it again"
        )
    return np.array(points, np.float64) - first_pixel
