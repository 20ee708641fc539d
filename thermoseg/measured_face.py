"""Which of the faces in the picture is measured: followed, chosen, given up.

The face that is measured stays the measured one while it is in the picture, whoever walks in.

- Faces are told apart by place, size and movement from one frame to the next, never by likeness.
- One that is not found (a flicker of the mask, a hand, a turned head) is waited for `GONE_S`, where
  it would be by now; nobody takes its place meanwhile.
- Then it is gone, and the largest face in sight is measured: another one, or the same come back,
  which nobody can tell.
- Where two faces touch they are parted in the middle between them; where one covers the other,
  nothing is measured, and afterwards each is found where its movement has led it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from thermoseg.labelled_faces import FaceBox, FacePart, LabelledFaces

GONE_S: Final = 2.0
"""A face that is not seen for so long is gone."""
GONE_FRAMES: Final = 3
"""And for at least so many frames: pictures may come one in ten seconds."""
REACH: Final = 0.75
"""Farthest that a face moves between two frames, in sizes of it."""
SIZE_RATIO: Final = 2.5
"""Most by which its size changes between two frames."""
COVERED: Final = 0.25
"""Boxes that share this fraction of the smaller one are no faces side by side."""
FIT: Final = 0.2
"""A part whose edges all lie so near to those of a face, in sizes of it, is that face alone."""
FIT_WEIGHT: Final = 0.5
"""Weight of the place of a part in which another face is believed to be, too."""
ODD_RATIO: Final = 1.25
ODD_FRAMES: Final = 3
ODD_S: Final = 0.5
"""No face grows or shrinks by more than `ODD_RATIO` from one frame to the next: the network has
lost half of it, or given it what is of another; believed after so many frames, or a pause."""
SPEED_MEMORY_S: Final = 0.2
"""Time constant of the mean speed: boxes jitter by some pixels from frame to frame."""
COAST_S: Final = 2.0
"""Time constant with which the speed of a face that is not seen is believed less and less."""
CLICK_MARGIN: Final = 0.15
"""A point so far outside the box of a face, in sizes, still means that face."""


@dataclass(frozen=True, slots=True)
class FollowedFaces:
    """What came of one frame: the face that is measured and the others."""

    part: int | None
    """Number of the measured face's part in `LabelledFaces`; None if it is not to be had."""
    box: FaceBox | None
    """Around the measured face; None if it is not seen."""
    others: tuple[FaceBox, ...]
    """Around the other faces that are seen."""
    covered: bool
    """Whether another face lies over the measured one, or touches it and cannot be parted."""
    change: str
    """Why another face is measured from this frame on, a clause; empty if none is."""


NO_FACES: Final = FollowedFaces(None, None, (), covered=False, change="")
"""What there is before the first frame."""


class FaceFollower:
    """Follows the faces of one stream of frames; used by one thread, `choose` by any."""

    def __init__(self) -> None:
        """Know no face yet: the largest of the first frame with a face is measured."""
        self._tracks: list[_Track] = []
        self._measured: _Track | None = None
        self._time_s = -math.inf
        self._point: tuple[float, float] | None = None
        self.refusal = ""
        """Why the last choice came to nothing, one sentence; set by `follow`, else empty."""

    def choose(self, x_px: float, y_px: float) -> None:
        """Measure the face at this point of the picture, from the next frame on."""
        self._point = (x_px, y_px)

    def follow(self, faces: LabelledFaces, time_s: float) -> FollowedFaces:
        """Find each face of the frame before again in this one.

        Parameters
        ----------
        time_s
            Of the frame.  One that goes back is another source: all faces are forgotten.
        """
        if time_s < self._time_s:
            self._tracks, self._measured = [], None
        elapsed_s = time_s - self._time_s if self._tracks else 0.0
        self._time_s, self.refusal = time_s, ""
        for track in self._tracks:
            track.expect(elapsed_s)
        parts = self._assign(faces)
        self._meet(part for part in faces.parts if part.number not in parts)
        self._tracks = [track for track in self._tracks if not track.gone(time_s)]
        change = self._decide()
        measured = self._measured
        seen = [track for track in self._tracks if track.part is not None]
        return FollowedFaces(
            part=None if measured is None or measured.part is None else measured.part.number,
            box=measured.box.within(faces.frame) if measured in seen and measured else None,
            others=tuple(track.box.within(faces.frame) for track in seen if track is not measured),
            covered=measured is not None and measured.covered,
            change=change,
        )

    def _assign(self, faces: LabelledFaces) -> set[int]:
        """Give each track its part; returns the numbers of those that belong to some track."""
        # The best pairs first, each track and each part once.  A track that is left over and lies
        # within a part that is taken shares it: its face touches the other, or is behind it.
        pairs = sorted(
            (
                (cost, number, part)
                for number, track in enumerate(self._tracks)
                for part in faces.parts
                if (cost := track.cost(part)) < math.inf
            ),
            key=lambda pair: pair[0],
        )
        sharing: dict[int, list[_Track]] = {}
        by_number = {part.number: part for part in faces.parts}
        left = list(self._tracks)
        for _, number, part in pairs:
            track = self._tracks[number]
            if track in left and part.number not in sharing:
                left.remove(track)
                sharing[part.number] = [track]
        for number, part in by_number.items():
            within = [track for track in left if part.box.holds(*track.box.centre)]
            left = [track for track in left if track not in within]
            if number in sharing or len(within) > 1:
                sharing.setdefault(number, []).extend(within)
            elif within:  # somebody new stands before the face
                within[0].covered = True
        for number, sharers in sharing.items():
            self._share(faces, by_number[number], sharers)
        return set(sharing)

    def _share(self, faces: LabelledFaces, part: FacePart, sharers: "list[_Track]") -> None:
        """Tell whose a part is in which one or several faces may be."""
        owner, *others = sharers
        if not others:
            owner.see(part, self._time_s)
            return
        fitting = [track for track in sharers if track.fits(part)]
        side_by_side = all(
            one.box.overlap(other.box) <= COVERED
            for place, one in enumerate(sharers)
            for other in sharers[:place]
        )
        if len(fitting) == 1:
            fitting[0].see_among_others(part, self._time_s)
        elif side_by_side and not fitting:
            pieces = faces.split(part.number, [track.box for track in sharers])
            for track, piece in zip(sharers, pieces, strict=True):
                if piece is not None:
                    track.see_among_others(piece, self._time_s)
        for track in sharers:
            if track.part is None:
                track.covered = True
                # Of faces that look like one, one at least is there.
                if not fitting or track is owner:
                    track.wait(self._time_s)

    def _meet(self, parts: Iterable[FacePart]) -> None:
        """Follow the faces that are new; a part of a face only while there is nothing else."""
        for part in parts:
            if part.whole or not self._tracks:
                track = _Track(part.box)
                track.see(part, self._time_s)
                self._tracks.append(track)

    def _decide(self) -> str:
        """Choose whom to measure; returns why it is another one, empty if it is not."""
        before = self._measured
        chosen = self._chosen()
        if chosen is not None and chosen is not before:
            self._measured = chosen
            return "" if before is None else "chosen"
        there = before is not None and before in self._tracks
        whole = [track for track in self._tracks if track.whole and track.part is not None]
        if there and (before is None or before.whole or not whole):
            return ""
        candidates = whole or [track for track in self._tracks if track.part is not None]
        if not candidates:
            return ""
        self._measured = max(candidates, key=lambda track: track.box.side_px)
        if before is None:
            return ""
        return "the one before showed too little of a face" if there else "the one before is gone"

    def _chosen(self) -> "_Track | None":
        """Return the face at the point that was chosen, if one was."""
        point, self._point = self._point, None
        if point is None:
            return None
        near = [track for track in self._tracks if track.part is not None and track.near(*point)]
        if near:
            return min(near, key=lambda track: math.dist(track.box.centre, point))
        self.refusal = (
            f"there is no face at {point[0]:.0f}, {point[1]:.0f}; "
            "click on one that is marked in the picture"
        )
        return None


class _Track:
    """One face that is followed."""

    def __init__(self, box: FaceBox) -> None:
        self.box = box
        """Where the face is, or is believed to be while it is not seen."""
        self.part: FacePart | None = None
        """Its part of this frame; None if it is not seen."""
        self.covered = False
        self.whole = False
        """Whether it has ever shown enough of a face."""
        self._speed = (0.0, 0.0)
        self._there_s = 0.0
        self._seen_s = 0.0
        self._seen_box = box
        self._placed = False
        self._timed = False
        self._odd = 0
        self._missed = 0

    def expect(self, elapsed_s: float) -> None:
        """Move on to where the face should be in the next frame."""
        limit_px = REACH * self.box.side_px
        right, down = (max(-limit_px, min(speed * elapsed_s, limit_px)) for speed in self._speed)
        self.box = self.box.moved(right, down)
        if self.part is None:
            slower = math.exp(-elapsed_s / COAST_S)
            self._speed = (self._speed[0] * slower, self._speed[1] * slower)
        self.part, self.covered = None, False
        self._missed += 1

    def see(self, part: FacePart, time_s: float) -> None:
        """Take a part of the frame for this face."""
        elapsed_s, self.part = time_s - self._seen_s, part
        self.wait(time_s)
        self.whole = self.whole or part.whole
        if self._is_piece(part):
            return
        odd = self._compare(part)[1] > math.log(ODD_RATIO)
        self._odd = self._odd + 1 if odd else 0
        if 0 < self._odd <= ODD_FRAMES and elapsed_s < ODD_S:
            return
        if self._placed and elapsed_s > 0:
            memory = math.exp(-elapsed_s / SPEED_MEMORY_S) if self._timed else 0.0
            self._timed = True
            moves = zip(part.box.centre, self._seen_box.centre, self._speed, strict=True)
            right, down = (
                memory * speed + (1 - memory) * (now - before) / elapsed_s
                for now, before, speed in moves
            )
            self._speed = (right, down)
        self.box, self._seen_box, self._seen_s, self._placed = part.box, part.box, time_s, True

    def see_among_others(self, part: FacePart, time_s: float) -> None:
        """Take a part for this face in which pixels of another one may be.

        It tells where the face is, not how large it is or how it moves: an edge may be another's.
        """
        self.part = part
        self.wait(time_s)
        (x, y), (part_x, part_y) = self.box.centre, part.box.centre
        self.box = self.box.moved(FIT_WEIGHT * (part_x - x), FIT_WEIGHT * (part_y - y))

    def wait(self, time_s: float) -> None:
        """Count the face as there, seen or not."""
        self._there_s, self._missed = time_s, 0

    def gone(self, time_s: float) -> bool:
        """Tell whether the face has not been there for too long."""
        return time_s - self._there_s > GONE_S and self._missed >= GONE_FRAMES

    def cost(self, part: FacePart) -> float:
        """Return how unlike the expected face a part is in place and size; infinite if it is not.

        The place counts in sizes of the face, the size as the logarithm of the ratio.
        """
        distance, ratio = self._compare(part)
        if self._is_piece(part):
            return distance + ratio
        farthest = REACH * max(1.0, self._missed / GONE_FRAMES)
        if distance > farthest or ratio > math.log(SIZE_RATIO):
            return math.inf
        return distance + ratio

    def fits(self, part: FacePart) -> bool:
        """Tell whether a part can be this face alone."""
        farthest_px = max(abs(a - b) for a, b in zip(self.box, part.box, strict=True))
        return farthest_px <= FIT * self.box.side_px

    def near(self, x: float, y: float) -> bool:
        """Tell whether a point means this face."""
        margin_px = CLICK_MARGIN * self.box.side_px
        left, top, right, bottom = self.box
        wide = FaceBox(left - margin_px, top - margin_px, right + margin_px, bottom + margin_px)
        return wide.holds(x, y)

    def _is_piece(self, part: FacePart) -> bool:
        """Tell whether a part is what little the network has labelled of this face."""
        small = part.box.side_px * SIZE_RATIO < self.box.side_px
        return small and self.whole and not part.whole and self.box.holds(*part.box.centre)

    def _compare(self, part: FacePart) -> tuple[float, float]:
        size_px = self.box.side_px
        distance = math.dist(self.box.centre, part.box.centre) / size_px
        return distance, abs(math.log(part.box.side_px / size_px))
