"""Faces in the output of a network: grouping islands of labels, and refusing impossible ones."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.labels import NUM_CLASSES, Region
from thermoseg.preprocess import Box

MIN_FRAGMENT_PX: Final = 4
"""Smaller islands of labels are noise."""
MOST_FRAGMENTS: Final = 64
"""Most islands, the largest first, that are grouped; an untrained network makes thousands."""
JOIN_REACH: Final = 0.35
"""Brows lie apart from the cheeks: islands within this fraction of a face's size belong to it."""
JOIN_AREA: Final = 0.4
"""An island with more than this fraction of the face's pixels is a face of its own."""
MIN_REGIONS: Final = 3
"""A face shows at least so many of its five regions, even in profile or behind a mask."""
FRAGMENT_FRACTION: Final = 0.2
"""Islands of one region below this fraction of its largest are strays."""
MIN_CHIN_FRACTION: Final = 0.35
"""Cheeks and chin make up at least this fraction of the labels of a face."""
MAX_COSINE: Final = -0.5
"""Eyes and mouth lie on opposite sides of the nose: the angle between them is 120° or more."""
MOST_ISLANDS: Final = {
    Region.CHIN: 2,
    Region.MOUTH: 1,
    Region.EYES: 2,
    Region.EYEBROWS: 2,
    Region.NOSE: 1,
}
"""Most pieces that a region of one face can have; two of chin, as a long nose can part it."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """The labelled pixels of one face."""

    box: Box
    """Around them, in the coordinates of the labels."""
    mask: NDArray[np.bool_]
    """(h, w), true where a pixel belongs to this face."""
    pixels: int
    confidence: float
    """Mean probability of the labels of its pixels, 0-1."""


def most_likely(
    probabilities: NDArray[np.float32],
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the likeliest label of each pixel and its probability.

    Parameters
    ----------
    probabilities
        (classes, h, w).

    Returns
    -------
    (h, w) labels; the lowest wins a draw; and (h, w) probabilities.
    """
    # The same as `argmax` and `max` along axis 0, plane by plane in OpenCV, which is ten times
    # faster: NumPy walks through axis 0 with a stride of a whole plane.
    confidence = probabilities[0].copy()
    labels = np.zeros(confidence.shape, np.uint8)
    for label in range(1, len(probabilities)):
        plane = probabilities[label]
        larger = cv2.compare(plane, confidence, cv2.CMP_GT)
        cv2.max(plane, confidence, confidence)
        cv2.copyTo(np.full_like(labels, label), larger, labels)
    return labels, confidence


def find_faces(labels: NDArray[np.uint8], confidence: NDArray[np.float32]) -> list[FoundFace]:
    """Group the labelled pixels into faces.

    Islands of face labels are joined to a larger one close by, as brows are to cheeks; a group
    that shows fewer than three of the five regions is no face.

    Parameters
    ----------
    labels, confidence
        (h, w), the likeliest label of each pixel and its probability.

    Returns
    -------
    The faces, largest first.
    """
    # Connected components of all face labels, from the largest on.  Cheeks and chin make the first
    # of a face; its brows are islands of their own.  Each smaller island joins the nearest group
    # whose first one is close for its size, unless it shows a whole face by itself: that is the
    # second of two people close together.
    count, islands, stats, centres = cv2.connectedComponentsWithStats(
        (labels != Region.BACKGROUND).astype(np.uint8), connectivity=8
    )
    areas = stats[:, cv2.CC_STAT_AREA]
    order = [int(i) for i in np.argsort(-areas) if i != 0 and areas[i] >= MIN_FRAGMENT_PX]
    groups: list[list[int]] = []
    for island in order[:MOST_FRAGMENTS]:
        near = [group for group in groups if _belongs(island, group[0], stats, centres)]
        if not near or _is_whole(labels[islands == island]):
            groups.append([island])
        else:
            distances = [_distance(island, group[0], stats, centres) for group in near]
            near[int(np.argmin(distances))].append(island)
    faces = []
    for group in groups:
        chosen = np.zeros(count, np.bool_)
        chosen[group] = True
        mask = chosen[islands]
        if len(np.unique(labels[mask])) >= MIN_REGIONS:
            box = _around(stats[group])
            pixels = int(areas[group].sum())
            faces.append(FoundFace(box, mask, pixels, float(confidence[mask].mean())))
    return sorted(faces, key=lambda face: -face.pixels)


def has_face_layout(labels: NDArray[np.uint8]) -> bool:
    """Tell whether the labels lie as in a face, whatever its roll.

    Eyes or brows, nose and mouth are all there, the nose between the others, and cheeks make up
    a good part.  Texture of clothes and walls seldom passes; a face behind a mask may not either,
    so this is asked only where a mistake is likelier than a face.

    Parameters
    ----------
    labels
        (h, w), of one face.
    """
    # Centroids, (row, column): the angle at the nose between eyes and mouth is the same for any
    # roll and size.  Compared is its cosine times both lengths, which needs no division by a length
    # of 0.
    upper = np.isin(labels, (Region.EYES, Region.EYEBROWS))
    parts = [upper, labels == Region.NOSE, labels == Region.MOUTH]
    if not all(part.any() for part in parts):
        return False
    if np.mean(labels[labels != Region.BACKGROUND] == Region.CHIN) < MIN_CHIN_FRACTION:
        return False
    eyes, nose, mouth = (np.argwhere(part).mean(axis=0) for part in parts)
    up, down = eyes - nose, mouth - nose
    length = np.linalg.norm(up) * np.linalg.norm(down)
    return bool(up @ down <= MAX_COSINE * length)


def belonging(
    labels: NDArray[np.uint8], confidence: NDArray[np.float32], face: FoundFace
) -> NDArray[np.bool_]:
    """Tell where each label may be given if the picture is to show `face` and what it can have.

    Face labels are taken away from every pixel that is not of the face.  And a face has one nose
    and one mouth, at most two eyes and two brows: of each region the islands with the most
    probability are kept, as many as `MOST_ISLANDS` says and none below a fifth of the largest.  All
    others get their next likely label, so a second nose on the cheek becomes cheek.  Nothing is
    moved, filled or smoothed.

    Parameters
    ----------
    labels, confidence
        (h, w), the likeliest label of each pixel and its probability.

    Returns
    -------
    (classes, h, w), true where a label keeps its probability, false where that becomes zero; the
    background keeps it everywhere.
    """
    # One pixel more than the face, so that its rim keeps probabilities for the enlargement to the
    # frame to interpolate between.  An island's weight is the sum of its confidences, not its area:
    # a large guess must not displace a small certainty.  Component 0 is what is outside all
    # islands, so `count` is one more than they are.
    near = cv2.dilate(face.mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    kept = np.ones((NUM_CLASSES, *labels.shape), np.bool_)
    kept[1:] = near
    alone = labels * near
    for region, most in MOST_ISLANDS.items():
        count, islands = cv2.connectedComponents((alone == region).astype(np.uint8))
        if count <= 2:
            continue
        weight = np.bincount(islands.ravel(), confidence.ravel(), count)
        weight[0] = 0
        largest = np.argsort(-weight)[:most]
        largest = largest[weight[largest] >= FRAGMENT_FRACTION * weight.max()]
        stray = np.ones(count, np.bool_)
        stray[[0, *largest]] = False
        kept[region][stray[islands]] = False
    return kept


def _is_whole(labels: NDArray[np.uint8]) -> bool:
    """Whether an island shows enough to be a face without its neighbours."""
    shown = np.unique(labels)
    return Region.CHIN in shown and len(shown) >= MIN_REGIONS


def _belongs(
    island: int, main: int, stats: NDArray[np.int32], centres: NDArray[np.float64]
) -> bool:
    """Whether an island is small enough and close enough to be part of the face of `main`."""
    if stats[island, cv2.CC_STAT_AREA] > JOIN_AREA * stats[main, cv2.CC_STAT_AREA]:
        return False
    left, top, width, height = stats[main, :4]
    reach = JOIN_REACH * max(width, height)
    x, y = centres[island]
    return bool(
        left - reach <= x <= left + width + reach and top - reach <= y <= top + height + reach
    )


def _distance(
    island: int, main: int, stats: NDArray[np.int32], centres: NDArray[np.float64]
) -> float:
    """Return how far an island lies from the middle of a face, in sizes of that face."""
    left, top, width, height = stats[main, :4]
    x, y = centres[island]
    return float(np.hypot(x - left - width / 2, y - top - height / 2) / max(width, height))


def _around(stats: NDArray[np.int32]) -> Box:
    left, top = stats[:, 0].min(), stats[:, 1].min()
    right, bottom = (stats[:, 0] + stats[:, 2]).max(), (stats[:, 1] + stats[:, 3]).max()
    return Box(int(top), int(left), int(bottom - top), int(right - left))
