"""Cutting, normalising, looking and painting in PyTorch give what NumPy and OpenCV give."""

import logging

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.gpu_checks import StagedCpuRunner
from benchmarks.gpu_pictures import phantom_frames
from thermoseg.frames import Frame
from thermoseg.inference.choose import DEFAULT_MODEL
from thermoseg.inference.face_segmenter import FaceSegmenter
from thermoseg.inference.resampling import cut_weights, paste_weights
from thermoseg.inference.stage import HostStage
from thermoseg.inference.torch_backend import TorchCpuRunner
from thermoseg.inference.torch_stage import Replayed, TorchStage, normalise_tensor, resample
from thermoseg.models import describe_model, find_model, load_model
from thermoseg.preprocess import Box, Normalisation, cut, normalise, paste

SHAPE = (120, 160)
"""Height and width of the image that boxes are cut out of, pixels."""
SIZE = (64, 80)
"""Height and width of the network's input, pixels."""
CPU = torch.device("cpu")

BOXES = [
    pytest.param(Box(0, 0, 120, 160), id="shrunk"),
    pytest.param(Box(0, 0, 128, 160), id="shrunk to half, beyond the border"),
    pytest.param(Box(11, 17, 64, 80), id="as it is"),
    pytest.param(Box(30, 40, 32, 40), id="doubled"),
    pytest.param(Box(-20, -31, 53, 67), id="enlarged in a corner"),
    pytest.param(Box(70, 100, 90, 111), id="shrunk in the other corner"),
    pytest.param(Box(10, 10, 65, 79), id="one side shrunk and one enlarged"),
    pytest.param(Box(200, 300, 64, 80), id="beside the image"),
]


def a_picture(shape: tuple[int, int] = SHAPE) -> NDArray[np.float32]:
    return np.random.default_rng(4).normal(30, 3, shape).astype(np.float32)


@pytest.mark.parametrize("box", BOXES)
def test_matrices_cut_as_opencv_does(box: Box) -> None:
    rows, columns = map(torch.from_numpy, cut_weights(box, SHAPE, SIZE))

    found = resample(torch.from_numpy(a_picture()), rows, columns)

    np.testing.assert_allclose(found.numpy(), cut(a_picture(), box, SIZE), atol=2e-4)


@pytest.mark.parametrize("box", BOXES)
def test_matrices_paste_as_opencv_does(box: Box) -> None:
    answer = a_picture(SIZE)
    rows, columns = paste_weights(box, SHAPE, SIZE)

    found = rows @ answer @ columns.T

    (expected,), where = paste(answer[np.newaxis], box, SHAPE)
    np.testing.assert_allclose(found[where], expected, atol=2e-4)
    found[where] = 0
    assert not found.any()


def test_a_pixel_without_a_number_spoils_only_those_made_of_it() -> None:
    picture = a_picture()
    picture[60, 80] = np.nan
    box = Box(0, 0, 120, 160)
    rows, columns = map(torch.from_numpy, cut_weights(box, SHAPE, SIZE))

    found = resample(torch.from_numpy(picture), rows, columns).numpy()

    expected = cut(picture, box, SIZE)
    assert 0 < np.isnan(expected).sum() <= 4
    np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("method", ["minmax", "percentile"])
@pytest.mark.parametrize("holes", [0, 1, 137, SIZE[0] * SIZE[1] - 1, SIZE[0] * SIZE[1]])
def test_normalising_is_the_one_that_networks_are_trained_with(
    method: Normalisation, holes: int
) -> None:
    picture = a_picture(SIZE)
    picture.ravel()[np.random.default_rng(5).permutation(picture.size)[:holes]] = np.nan
    picture.ravel()[: min(holes, 3)] = np.inf

    found = normalise_tensor(torch.from_numpy(picture), method).numpy()

    np.testing.assert_array_equal(found, normalise(picture, method))


@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_a_constant_picture_becomes_zeros(method: Normalisation) -> None:
    assert not normalise_tensor(torch.full(SIZE, 31.7), method).any()


def stages() -> tuple[HostStage, TorchStage]:
    """The bundled model on both stages, in float32 on the CPU."""
    model = describe_model(find_model(DEFAULT_MODEL))
    size = (model.header.input_height, model.header.input_width)
    runner = TorchCpuRunner(load_model(model.path)[0])
    network = load_model(model.path)[0]
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub
    return (
        HostStage(runner, size, model.header.normalisation),
        TorchStage(network, CPU, torch.float32, size, model.header.normalisation),
    )


def test_looks_and_pictures_are_those_of_the_cpu_s_stage() -> None:
    frame = phantom_frames(1, 240, 320, seed=3)[0]
    left, right = Box(20, 10, 200, 250), Box(30, 90, 160, 200)
    made = []
    for stage in stages():
        stage.show(frame.celsius)
        whole = stage.look(Box(0, 0, 256, 320))
        stage.keep_background(whole)
        kept = np.ones((6, *whole.labels.shape), np.bool_)
        kept[1:, :, 200:] = False
        made.append((whole, stage.compose([(stage.look(b), kept) for b in (left, right)])))
    (expected, (labels, confidence)), (found, (own_labels, own_confidence)) = made

    assert len(np.unique(labels)) == 6
    assert (found.labels == expected.labels).mean() > 0.9999
    np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-3)
    assert (own_labels == labels).mean() > 0.9999
    assert np.quantile(np.abs(own_confidence - confidence), 0.999) < 1e-3


def test_each_look_and_picture_is_the_caller_s_own() -> None:
    _, stage = stages()
    frames = phantom_frames(2, 120, 160, seed=3)
    whole, kept = Box(0, 0, 128, 160), np.ones((6, 256, 320), np.bool_)
    stage.show(frames[0].celsius)
    look = stage.look(whole)
    stage.keep_background(look)
    labels, confidence = stage.compose([(look, kept)])
    before = [each.copy() for each in (look.labels, look.confidence, labels, confidence)]
    answer = look.answer.clone()

    stage.show(frames[1].celsius[::-1])
    stage.compose([(stage.look(whole), kept)])

    for now, then in zip((look.labels, look.confidence, labels, confidence), before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert torch.equal(look.answer, answer)


@pytest.mark.parametrize("shape", [(240, 320), (120, 160)])
def test_a_face_is_followed_alike_on_both_stages(shape: tuple[int, int]) -> None:
    model = describe_model(find_model(DEFAULT_MODEL))
    plain = FaceSegmenter(TorchCpuRunner(load_model(model.path)[0]), model)
    staged = FaceSegmenter(StagedCpuRunner(load_model(model.path)[0]), model)

    for frame in phantom_frames(4, *shape, seed=7):
        expected, found = plain.segment(frame), staged.segment(frame)
        assert len(np.unique(expected.labels)) == 6
        assert (found.labels == expected.labels).mean() > 0.999
        assert found.confidence.shape == shape
        assert not found.labels.flags.writeable
        assert not found.confidence.flags.writeable


def test_a_stage_takes_frames_of_another_size_and_of_no_contrast() -> None:
    model = describe_model(find_model(DEFAULT_MODEL))
    segmenter = FaceSegmenter(StagedCpuRunner(load_model(model.path)[0]), model)

    for shape in ((1, 1), (60, 80), (90, 50)):
        celsius = np.full(shape, np.nan, np.float32)
        answer = segmenter.segment(Frame(np.zeros(shape, np.uint16), celsius, 0, 0.0, 0.0))
        assert answer.labels.shape == answer.confidence.shape == shape
        assert not answer.labels.any()
        assert np.isfinite(answer.confidence).all()


def test_what_cannot_be_captured_runs_without_a_graph(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(Replayed, "_capture", refuse)
    number = torch.zeros(1)

    with caplog.at_level(logging.WARNING):
        replayed = Replayed("counting", lambda: (number + 1,), torch.device("cuda", 0))
    number += 4

    assert [record.message for record in caplog.records] == [
        "counting runs without a CUDA graph (operation not permitted when stream is capturing)"
    ]
    assert not replayed.captured
    assert replayed.run()[0].item() == 5
