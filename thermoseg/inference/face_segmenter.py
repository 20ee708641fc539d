"""From frame to labels in two steps: find the faces, then look at each at the right size.

A network judges a face best at the size it was trained for.  So the whole frame is looked at
first, roughly, and then a crop around each face in which the face fills about 60 % of the height.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from thermoseg.frames import Frame
from thermoseg.inference.faces import (
    FoundFace,
    belonging,
    find_faces,
    has_face_layout,
    most_likely,
)
from thermoseg.inference.runner import Runner
from thermoseg.inference.segmenter import Segmentation
from thermoseg.inference.stage import HostStage, Kept, Look, Stage, StagingRunner, look_from
from thermoseg.labels import Region
from thermoseg.models import ModelFile
from thermoseg.preprocess import Box, fit_box, regrid

log = logging.getLogger(__name__)

Mode = Literal["live", "best"]
"""`live`: one run per frame and face, in a crop that follows it; `best`: each frame searched."""

FACE_FRACTION: Final = 0.6
"""Fraction of the crop's height that a face takes up, brows to chin."""
WIDER_FRACTION: Final = 0.48
"""The same in the second, wider crop of `best`."""
LOOK_EVERY_S: Final = 1.0
"""Interval of evaluating the whole frame while a face is being followed."""
WHOLE_FRAME_FRACTION: Final = 0.5
"""A face that fills so much of the whole frame is left at that size; a crop would gain little."""
STAY_FRACTION: Final = 0.45
"""Below this fraction a face is cropped again; the distance to the one above is hysteresis."""
DRIFT_FRACTION: Final = 0.08
"""The crop stays until the face has moved by this fraction of it, so that labels do not flicker."""
SIZE_DRIFT: Final = 1.15
"""The crop stays until the face has grown or shrunk by this factor."""
MIN_COARSE: Final = 0.5
"""Mean probability of its labels from which a face in a rough look is worth a closer one."""
MIN_CONFIDENCE: Final[dict[Mode, float]] = {"live": 0.75, "best": 0.6}
"""Mean probability below which a group of labels is not taken for a face.  Real faces reached 0.86
and more, furniture up to 0.74; `best` is for pictures chosen for their faces, and looks twice."""
MIN_FACE_PX: Final = 8
"""Faces smaller than this in the frame show no regions worth having."""
SAME_FACE: Final = 0.4
"""Boxes that overlap by this fraction of the smaller are one face."""
SMALL_FACE: Final = 0.3
"""A face that takes up this fraction of the tiles just evaluated spares the smaller tiles."""
TILE_FRACTIONS: Final = (2, 4)
"""`best` looks at halves and then at quarters of the frame's sides, overlapping by half."""
MIN_TILE_PX: Final = 60
"""Tiles lower than this would show pixels, not faces."""
MOST_FACES: Final[dict[Mode, int]] = {"live": 2, "best": 12}


@dataclass(frozen=True, slots=True)
class _Followed:
    """A face that is tracked from frame to frame."""

    face: Box
    """Box around the labels of the face in the last frame."""
    crop: Box
    """Part of the frame that the network gets."""


class FaceSegmenter:
    """Labels every face in a frame with one network.

    In mode `live` frames must come in order: each crop follows the face of the frame before.
    """

    def __init__(self, runner: Runner, model: ModelFile, mode: Mode = "live") -> None:
        """Remember what to run; nothing is computed yet.

        Raises
        ------
        ValueError
            If the model's classes are not the regions of `thermoseg.labels`.
        """
        expected = tuple(region.label for region in Region)
        if model.header.labels != expected:
            raise ValueError(f"the model labels {model.header.labels}, expected {expected}")
        self._runner = runner
        self._model = model
        self._mode: Mode = mode
        self._size = (model.header.input_height, model.header.input_width)
        self._host = HostStage(runner, self._size, model.header.normalisation)
        # `best` averages over crops, which is done on the CPU whatever runs the network.
        self._stage: Stage = (
            runner.open_stage(self._size, model.header.normalisation)
            if mode == "live" and isinstance(runner, StagingRunner)
            else self._host
        )
        self._shape = (0, 0)
        self._followed: tuple[_Followed, ...] = ()
        self._looked_s = -np.inf

    @property
    def model_name(self) -> str:
        """Name of the model, such as `face-compact`."""
        return self._model.header.name

    @property
    def model_sha256(self) -> str:
        """Hex digest of the model file."""
        return self._model.sha256

    @property
    def backend(self) -> str:
        """Library and device that run the network, such as `openvino CPU`."""
        return self._runner.backend

    @property
    def mode(self) -> Mode:
        """Mode: `live` for speed, `best` for thoroughness."""
        return self._mode

    def segment(self, frame: Frame) -> Segmentation:
        """Label every pixel of `frame`."""
        self._stage.show(frame.celsius)
        shape = (frame.celsius.shape[0], frame.celsius.shape[1])
        view = _View(shape, self._stage, self._host, self._size, MIN_CONFIDENCE[self._mode])
        answers = self._search(view) if self._mode == "best" else self._follow(view, frame.time_s)
        labels, confidence = self._stage.compose([(answer.look, answer.kept) for answer in answers])
        labels.flags.writeable = confidence.flags.writeable = False
        return Segmentation(labels, confidence, frame.index)

    def _follow(self, view: "_View", time_s: float) -> "list[_Answer]":
        """Run once per followed face; look at the whole frame when due or when one is lost."""
        # One run of the network per face is what a live frame affords.  So each face is segmented
        # in a crop around where it was in the last frame, and its labels give the next crop.  The
        # whole frame, in which faces are small, is searched when nothing is followed, once a second
        # for people who came, and at once when a crop holds its face no longer; what the other
        # crops hold is kept then, and the search adds only faces that overlap none of them.  The
        # view remembers its runs, so a crop that is asked for twice costs one.  Another size, or
        # a time that goes back, is another source, in which nothing is followed yet.
        if view.shape != self._shape or time_s < self._looked_s:
            self._followed, self._looked_s, self._shape = (), -np.inf, view.shape
        looked = not self._followed or time_s - self._looked_s >= LOOK_EVERY_S
        if looked:
            self._look(view, time_s)
        answers = [view.refined(face) for face in self._followed]
        if not looked and any(answer is None for answer in answers):
            kept = tuple(f for f, a in zip(self._followed, answers, strict=True) if a is not None)
            self._followed = kept
            self._look(view, time_s)
            answers = [view.refined(face) for face in self._followed]
        seen = _without_repeats(answer for answer in answers if answer is not None)
        self._followed = tuple(_Followed(answer.face, view.next_crop(answer)) for answer in seen)
        return seen

    def _look(self, view: "_View", time_s: float) -> None:
        """Look at the whole frame and follow what is new there."""
        self._looked_s = time_s
        self._stage.keep_background(view.look_at(view.whole))
        for face in view.coarse_faces(view.whole):
            known = any(face.overlap(followed.face) > SAME_FACE for followed in self._followed)
            if not known and len(self._followed) < MOST_FACES["live"]:
                self._followed += (_Followed(face, view.crop_around(face)),)

    def _search(self, view: "_View") -> "list[_Answer]":
        """Look at the whole frame and at enlarged parts, then thoroughly at each face."""
        # An image pyramid from coarse to fine: the whole frame, then halves and quarters of its
        # sides that overlap by half, so that a face cut by one tile is whole in another (a face at
        # a tile's edge is left to that one).  Tiles find small faces, and texture that looks like
        # one: what they find must have the layout of a face.
        self._stage.keep_background(view.look_at(view.whole))
        answers = view.thorough_answers(view.coarse_faces(view.whole))
        for fraction in TILE_FRACTIONS:
            largest = max((answer.face.height for answer in answers), default=0)
            if largest * fraction >= 2 * SMALL_FACE * view.whole.height:
                break
            found: list[Box] = []
            for tile in _tiles(view.whole, fraction):
                for face in view.coarse_faces(tile):
                    cut_off = _touches_border(face, tile) and not _touches_border(face, view.whole)
                    known = [*found, *(answer.face for answer in answers)]
                    if not cut_off and all(face.overlap(other) <= SAME_FACE for other in known):
                        found.append(face)
            sure = [a for a in view.thorough_answers(found) if has_face_layout(a.labels)]
            answers = _without_repeats([*answers, *sure])
        return answers[: MOST_FACES["best"]]


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """The network's output for one face."""

    look: Look
    """Output of the network for the crop; may show other faces, too."""
    kept: Kept
    """Which classes each pixel of the output may keep, so that this face alone is shown."""
    face: Box
    """Box around the labelled pixels, in the frame."""
    confidence: float

    @property
    def crop(self) -> Box:
        """The part of the frame that was looked at."""
        return self.look.box

    @property
    def labels(self) -> NDArray[np.uint8]:
        """(h, w) in the network's size, this face only; of looks on the CPU."""
        return most_likely(self.look.answer * self.kept)[0]


class _View:
    """One frame as the network sees it, part by part; no part is computed twice."""

    def __init__(
        self,
        shape: tuple[int, int],
        stage: Stage,
        host: HostStage,
        size: tuple[int, int],
        least_confidence: float,
    ) -> None:
        self._stage = stage
        self._host = host
        self._size = size
        self._least_confidence = least_confidence
        self._seen: dict[Box, Look] = {}
        self.shape = shape
        self.whole = fit_box(Box(0, 0, *self.shape), size)

    def look_at(self, box: Box) -> Look:
        """Look at a part of the frame."""
        if box not in self._seen:
            self._seen[box] = self._stage.look(box)
        return self._seen[box]

    def thorough_answers(self, faces: list[Box]) -> list[_Answer]:
        """Look at each face once to centre its crop, then four times for the mean."""
        answers = []
        for face in faces[: MOST_FACES["best"]]:
            first = self.refined(_Followed(face, self.crop(face, FACE_FRACTION)))
            if first is None:
                continue
            crop = self.crop(first.face, FACE_FRACTION)
            mean = self.refined(_Followed(first.face, crop), thorough=True)
            if mean is not None:
                answers.append(mean)
        return _without_repeats(answers)

    def look_thoroughly(self, face: Box, crop: Box) -> Look:
        """Return the mean over two crops of a face and their mirror images, for `crop`."""
        # Test-time augmentation: two scales times two mirror images, averaged as probabilities on
        # the grid of `crop`.  Where the face fills the frame both crops are the same box, and the
        # set leaves one.
        boxes = {crop, self.crop(face, WIDER_FRACTION)}
        total = np.zeros((len(Region), *self._size), np.float32)
        for box in boxes:
            answer = self.look_at(box).answer + self._host.probabilities(box, mirrored=True)
            total += answer if box == crop else regrid(answer, box, crop)
        return look_from(total / np.float32(2 * len(boxes)), crop)

    def coarse_faces(self, box: Box) -> list[Box]:
        """Return the boxes, in the frame, of the faces seen in a part of it, largest first."""
        look = self.look_at(box)
        faces = find_faces(look.labels, look.confidence)
        boxes = [self._in_frame(face.box, box) for face in faces if face.confidence >= MIN_COARSE]
        return [where for where in boxes if where.side >= MIN_FACE_PX]

    def refined(self, followed: _Followed, *, thorough: bool = False) -> _Answer | None:
        """Look at one face; None if there is none in its crop."""
        if thorough:
            look = self.look_thoroughly(followed.face, followed.crop)
        else:
            look = self.look_at(followed.crop)
        face = self._expected(find_faces(look.labels, look.confidence), followed)
        if face is None:
            return None
        kept = belonging(look.labels, look.confidence, face)
        return _Answer(look, kept, self._in_frame(face.box, followed.crop), face.confidence)

    def crop_around(self, face: Box) -> Box:
        """Return the crop for a face, or the whole frame if the face fills enough of it."""
        if face.side >= WHOLE_FRAME_FRACTION * self.whole.height:
            return self.whole
        return self.crop(face, FACE_FRACTION)

    def next_crop(self, answer: _Answer) -> Box:
        """Return the crop for the next frame: the same, unless the face moved or changed size."""
        # Hysteresis in place and size: a crop that followed every frame would resample the face on
        # another grid each time, and the borders of its regions would flicker.
        if answer.crop == self.whole and answer.face.side >= STAY_FRACTION * self.whole.height:
            return self.whole
        wanted = self.crop_around(answer.face)
        row, column = wanted.centre
        old_row, old_column = answer.crop.centre
        moved = max(abs(row - old_row), abs(column - old_column)) / answer.crop.height
        grown = wanted.height / answer.crop.height
        if moved <= DRIFT_FRACTION and 1 / SIZE_DRIFT <= grown <= SIZE_DRIFT:
            return answer.crop
        return wanted

    def crop(self, face: Box, fraction: float) -> Box:
        """Return the box around a face in which it takes up `fraction` of the height.

        It is moved and made smaller so as not to leave the frame, because repeated border pixels
        tell the network less than an odd place or size of the face.
        """
        height = min(round(face.side / fraction), self.whole.height)
        width = min(round(height * self._size[1] / self._size[0]), self.whole.width)
        row, column = face.centre
        last_top = self.whole.top + self.whole.height - height
        last_left = self.whole.left + self.whole.width - width
        top = min(max(round(row - height / 2), self.whole.top), last_top)
        left = min(max(round(column - width / 2), self.whole.left), last_left)
        return Box(top, left, height, width)

    def _expected(self, faces: list[FoundFace], followed: _Followed) -> FoundFace | None:
        """Return the face that lies where one was expected."""
        best: FoundFace | None = None
        for face in faces:
            where = self._in_frame(face.box, followed.crop)
            if (
                face.confidence >= self._least_confidence
                and where.overlap(followed.face) > 0
                and (best is None or face.pixels > best.pixels)
            ):
                best = face
        return best

    def _in_frame(self, box: Box, crop: Box) -> Box:
        """Map a box from the network's pixels to the frame's."""
        down, across = crop.height / self._size[0], crop.width / self._size[1]
        return Box(
            crop.top + round(box.top * down),
            crop.left + round(box.left * across),
            max(1, round(box.height * down)),
            max(1, round(box.width * across)),
        )


def _without_repeats(answers: Iterable[_Answer]) -> list[_Answer]:
    """Drop answers whose face is that of a surer one."""
    kept: list[_Answer] = []
    for answer in sorted(answers, key=lambda a: -a.confidence):
        if all(answer.face.overlap(other.face) <= SAME_FACE for other in kept):
            kept.append(answer)
    return kept


def _tiles(whole: Box, fraction: int) -> list[Box]:
    """Return the parts of a box with 1/fraction of its sides that overlap by half."""
    height, width = whole.height // fraction, whole.width // fraction
    if height < MIN_TILE_PX:
        return []
    steps = range(2 * fraction - 1)
    return [
        Box(whole.top + row * height // 2, whole.left + column * width // 2, height, width)
        for row in steps
        for column in steps
    ]


def _touches_border(face: Box, box: Box) -> bool:
    """Whether a face reaches the edge of a part of the frame and so may go on beyond it."""
    return (
        face.top <= box.top + 1
        or face.left <= box.left + 1
        or face.top + face.height >= box.top + box.height - 1
        or face.left + face.width >= box.left + box.width - 1
    )
