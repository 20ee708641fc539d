"""Finding, following and refining faces, with a stand-in for the network.

The stand-in reads labels out of temperatures that are painted in steps of 2 K, so every pixel of
the answer can be checked; what it cannot show is how well a trained network sees.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from thermoseg.frames import Frame
from thermoseg.inference.face_segmenter import FaceSegmenter, Mode
from thermoseg.labels import NUM_CLASSES, Region
from thermoseg.models import ModelFile, ModelHeader

COLDEST_C = 20.0
STEP_K = 2.0
SIZE = (256, 320)
"""Height and width of the network's input."""


class PaintedRunner:
    """Answers 0.9 for the label that was painted and 0.02 for each other one."""

    backend = "painted"

    def __init__(self) -> None:
        self.runs = 0
        self.face_heights: list[int] = []
        """Rows with face labels in each picture it was shown."""

    def probabilities(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        self.runs += len(images)
        labels = np.rint((images[:, 0] + 1) / 2 * (NUM_CLASSES - 1)).astype(int)
        labels[np.ptp(images, axis=(1, 2, 3)) == 0] = 0
        self.face_heights += [int((image != 0).any(axis=1).sum()) for image in labels]
        answer = np.full((len(images), NUM_CLASSES, *SIZE), 0.02, np.float32)
        np.put_along_axis(answer, labels[:, np.newaxis], np.float32(0.9), axis=1)
        return answer


LABELS = tuple(region.label for region in Region)


def model(labels: tuple[str, ...] = LABELS) -> ModelFile:
    header = ModelHeader(
        name="painted",
        network="compact",
        width=8,
        num_classes=len(labels),
        labels=labels,
        input_height=SIZE[0],
        input_width=SIZE[1],
        normalisation="minmax",
    )
    return ModelFile(Path("painted.safetensors"), "5e" * 32, header)


def draw_face(
    labels: NDArray[np.uint8], row: float, column: float, height: float
) -> NDArray[np.uint8]:
    """Draw a face of `height` pixels from brow to chin around a place."""
    rows, columns = np.mgrid[: labels.shape[0], : labels.shape[1]]
    y, x = (rows + 0.5 - row) / height, (columns + 0.5 - column) / height
    labels[(y / 0.5) ** 2 + (x / 0.48) ** 2 <= 1] = Region.CHIN
    labels[(abs(x) < 0.17) & (abs(y - 0.25) < 0.07)] = Region.MOUTH
    labels[(abs(abs(x) - 0.22) < 0.11) & (abs(y + 0.25) < 0.06)] = Region.EYES
    labels[(abs(abs(x) - 0.22) < 0.13) & (abs(y + 0.42) < 0.05)] = Region.EYEBROWS
    labels[(abs(x) < 0.12) & (abs(y + 0.05) < 0.18)] = Region.NOSE
    return labels


def one_face(shape: tuple[int, int], row: float, column: float, height: float) -> NDArray[np.uint8]:
    return draw_face(np.zeros(shape, np.uint8), row, column, height)


def frame(labels: NDArray[np.uint8], index: int = 0, time_s: float = 0.0) -> Frame:
    celsius = (COLDEST_C + STEP_K * labels).astype(np.float32)
    return Frame(np.zeros(labels.shape, np.uint16), celsius, index, time_s, 0.0)


def worst_iou(found: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    regions = [region for region in Region if (truth == region).any()]
    return min(
        float(((found == r) & (truth == r)).sum() / ((found == r) | (truth == r)).sum())
        for r in regions
    )


FACES = [
    pytest.param((512, 640), 256, 320, 300, id="large"),
    pytest.param((512, 640), 200, 420, 120, id="middling"),
    pytest.param((512, 640), 90, 80, 60, id="small in a corner"),
    pytest.param((120, 160), 60, 80, 60, id="Lepton"),
    pytest.param((640, 512), 300, 250, 150, id="upright"),
    pytest.param((768, 1024), 300, 800, 50, id="far away"),
]


@pytest.mark.parametrize("mode", ["live", "best"])
@pytest.mark.parametrize(("shape", "row", "column", "height"), FACES)
def test_a_face_is_labelled_where_it_is(
    mode: Mode, shape: tuple[int, int], row: float, column: float, height: float
) -> None:
    truth = one_face(shape, row, column, height)

    result = FaceSegmenter(PaintedRunner(), model(), mode).segment(frame(truth, index=17))

    assert worst_iou(result.labels, truth) > 0.9
    assert result.frame_index == 17
    assert (result.labels.dtype.name, result.confidence.dtype.name) == ("uint8", "float32")
    assert not result.labels.flags.writeable
    assert not result.confidence.flags.writeable


def test_confidence_is_the_probability_of_the_label() -> None:
    truth = one_face((512, 640), 256, 320, 200)

    result = FaceSegmenter(PaintedRunner(), model(), "live").segment(frame(truth))

    assert result.confidence[256, 320] == pytest.approx(0.9, abs=1e-3)
    assert result.confidence[5, 5] == pytest.approx(0.9, abs=1e-3)
    assert 0 <= result.confidence.min() <= result.confidence.max() <= 1


@pytest.mark.parametrize("height", [40, 100, 200])
def test_the_network_sees_the_face_at_about_60_percent_of_the_crop(height: int) -> None:
    runner = PaintedRunner()

    FaceSegmenter(runner, model(), "live").segment(frame(one_face((512, 640), 256, 320, height)))

    assert runner.face_heights[-1] / SIZE[0] == pytest.approx(0.6, abs=0.05)


def test_following_a_face_costs_one_run_per_frame() -> None:
    runner = PaintedRunner()
    segmenter = FaceSegmenter(runner, model(), "live")
    segmenter.segment(frame(one_face((512, 640), 256, 320, 120)))
    before = runner.runs

    for index in range(1, 20):
        truth = one_face((512, 640), 256 + 3 * index, 320 - 5 * index, 120 + index)
        result = segmenter.segment(frame(truth, index, index / 30))
        assert worst_iou(result.labels, truth) > 0.9

    assert runner.runs - before == 19


def test_the_whole_frame_is_looked_at_once_a_second_while_following() -> None:
    runner = PaintedRunner()
    segmenter = FaceSegmenter(runner, model(), "live")
    truth = one_face((512, 640), 256, 320, 120)

    for index in range(91):
        segmenter.segment(frame(truth, index, index / 30))

    assert runner.runs == 91 + 4


def test_without_a_face_each_frame_costs_one_run_and_has_no_label() -> None:
    runner = PaintedRunner()
    segmenter = FaceSegmenter(runner, model(), "live")

    for index in range(5):
        result = segmenter.segment(frame(np.zeros((512, 640), np.uint8), index, index / 30))
        assert not result.labels.any()

    assert runner.runs == 5


def test_a_face_that_jumps_away_is_found_in_the_same_frame() -> None:
    segmenter = FaceSegmenter(PaintedRunner(), model(), "live")
    segmenter.segment(frame(one_face((512, 640), 150, 150, 100)))
    truth = one_face((512, 640), 400, 500, 100)

    result = segmenter.segment(frame(truth, 1, 0.03))

    assert worst_iou(result.labels, truth) > 0.9


def test_a_face_that_leaves_takes_its_labels_along() -> None:
    segmenter = FaceSegmenter(PaintedRunner(), model(), "live")
    segmenter.segment(frame(one_face((512, 640), 150, 150, 100)))

    result = segmenter.segment(frame(np.zeros((512, 640), np.uint8), 1, 0.03))

    assert not result.labels.any()


def test_a_second_face_is_noticed_within_a_second() -> None:
    segmenter = FaceSegmenter(PaintedRunner(), model(), "live")
    segmenter.segment(frame(one_face((512, 640), 250, 150, 100)))
    both = draw_face(one_face((512, 640), 250, 150, 100), 250, 450, 130)

    for index in range(1, 32):
        result = segmenter.segment(frame(both, index, index / 30))

    assert worst_iou(result.labels, both) > 0.9


def test_a_still_face_has_the_same_labels_in_every_frame() -> None:
    segmenter = FaceSegmenter(PaintedRunner(), model(), "live")
    truth = one_face((512, 640), 256, 320, 140)
    segmenter.segment(frame(truth))

    results = [segmenter.segment(frame(truth, i, i / 30)).labels for i in range(1, 40)]

    assert all(np.array_equal(results[0], labels) for labels in results)


def test_a_source_that_starts_again_or_changes_its_size_is_no_trouble() -> None:
    segmenter = FaceSegmenter(PaintedRunner(), model(), "live")
    segmenter.segment(frame(one_face((512, 640), 256, 320, 140), 100, 50.0))

    for truth in (one_face((512, 640), 200, 200, 90), one_face((120, 160), 60, 80, 50)):
        assert worst_iou(segmenter.segment(frame(truth, 0, 0.0)).labels, truth) > 0.9


@pytest.mark.parametrize("mode", ["live", "best"])
def test_faces_side_by_side_are_all_labelled(mode: Mode) -> None:
    truth = draw_face(one_face((512, 640), 250, 150, 100), 260, 290, 130)

    result = FaceSegmenter(PaintedRunner(), model(), mode).segment(frame(truth))

    assert worst_iou(result.labels, truth) > 0.9


def test_best_finds_a_group_of_faces_too_small_for_one_look() -> None:
    truth = np.zeros((768, 1024), np.uint8)
    for column in range(100, 1000, 150):
        draw_face(truth, 400 + column / 10, column, 34)

    result = FaceSegmenter(PaintedRunner(), model(), "best").segment(frame(truth))

    assert worst_iou(result.labels, truth) > 0.85


def test_best_spares_the_small_parts_of_a_picture_with_a_large_face() -> None:
    runner = PaintedRunner()

    FaceSegmenter(runner, model(), "best").segment(frame(one_face((512, 640), 256, 320, 300)))

    assert runner.runs <= 6


@pytest.mark.parametrize("mode", ["live", "best"])
@pytest.mark.parametrize("value", [float("nan"), 0.0, 65535.0])
def test_a_frame_without_any_contrast_has_no_face(mode: Mode, value: float) -> None:
    celsius = np.full((120, 160), value, np.float32)
    blank = Frame(np.zeros(celsius.shape, np.uint16), celsius, 0, 0.0, 0.0)

    result = FaceSegmenter(PaintedRunner(), model(), mode).segment(blank)

    assert not result.labels.any()
    assert np.isfinite(result.confidence).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 500), (60, 80)])
def test_odd_frames_are_labelled_in_their_own_size(shape: tuple[int, int]) -> None:
    labels = np.random.default_rng(3).integers(0, 6, shape).astype(np.uint8)

    for mode in ("live", "best"):
        result = FaceSegmenter(PaintedRunner(), model(), mode).segment(frame(labels))
        assert result.labels.shape == result.confidence.shape == shape


def test_the_segmenter_tells_what_it_runs() -> None:
    segmenter = FaceSegmenter(PaintedRunner(), model(), "best")

    assert segmenter.model_name == "painted"
    assert segmenter.model_sha256 == "5e" * 32
    assert segmenter.backend == "painted"
    assert segmenter.mode == "best"


def test_a_model_of_other_regions_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected .*eyebrows"):
        FaceSegmenter(PaintedRunner(), model(("sky", "road")))
