"""ONNX files of ours: they run in OpenVINO as the network does in PyTorch; others are refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import nn

from thermoseg import models
from thermoseg.cli import main
from thermoseg.errors import ModelError
from thermoseg.frames import Frame
from thermoseg.inference.choose import choose_segmenter
from thermoseg.inference.openvino_backend import OpenVinoRunner, from_onnx
from thermoseg.inference.torch_backend import TorchCpuRunner
from thermoseg.models import (
    ModelHeader,
    describe_model,
    file_sha256,
    find_model,
    list_models,
    load_model,
    load_onnx,
    read_header,
    save_onnx,
    user_models_folder,
)
from thermoseg.networks import NETWORKS, build
from thermoseg.onnx_file import read_content, with_metadata

SIZE = (72, 100)


def random_network(name: str) -> nn.Module:
    """Random weights, with normalisation statistics as after some training."""
    torch.manual_seed(9)
    network = build(name, width=4)
    with torch.no_grad():
        for _ in range(5):
            network(torch.randn(4, 1, *SIZE))
    return network.eval()


def header(**changes: object) -> ModelHeader:
    fields = {"name": "small", "network": "unet", "width": 4, "notes": "Größe"}
    return ModelHeader.model_validate(
        fields | {"input_height": SIZE[0], "input_width": SIZE[1]} | changes
    )


def pictures(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(6).uniform(-1, 1, (count, 1, *SIZE)).astype(np.float32)


def blank_frame() -> Frame:
    celsius = np.linspace(20, 35, 120 * 160, dtype=np.float32).reshape(120, 160)
    return Frame(np.zeros((120, 160), np.uint16), celsius, 0, 0.0, 0.0)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return random_network("unet")


@pytest.fixture(scope="module")
def exported(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    save_onnx(path, network, header())
    return path


@pytest.fixture
def saved(exported: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copy(exported, tmp_path / "small.onnx"))


def rewritten(path: Path, model: onnx.ModelProto, **changes: object) -> None:
    """Write another network with a valid header of ours."""
    del model.metadata_props[:]
    content = model.SerializeToString()
    text = models._as_text(header(**changes), read_content(content).rest_sha256)
    path.write_bytes(with_metadata(content, "thermoseg", text))


def test_onnx_and_torch_give_the_same_labels(exported: Path, network: nn.Module) -> None:
    fast = OpenVinoRunner(from_onnx(load_onnx(exported)[0], SIZE, 6), threads=1)

    found = fast.probabilities(pictures(3))

    expected = TorchCpuRunner(network).probabilities(pictures(3))
    assert found.shape == (3, 6, *SIZE)
    assert len(np.unique(expected.argmax(axis=1))) > 1
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.999


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_each_network_gives_the_same_labels_as_onnx(name: str, tmp_path: Path) -> None:
    network, path = random_network(name), tmp_path / "any.onnx"
    save_onnx(path, network, header(network=name))

    fast = OpenVinoRunner(from_onnx(load_onnx(path)[0], SIZE, 6), threads=1)

    found = fast.probabilities(pictures(2)).argmax(axis=1)
    expected = TorchCpuRunner(network).probabilities(pictures(2)).argmax(axis=1)
    assert (found == expected).mean() >= 0.999


def test_the_file_is_plain_onnx_for_any_number_of_pictures(exported: Path) -> None:
    model = onnx.load(exported)

    onnx.checker.check_model(model, full_check=True)
    (given,), (answer,) = model.graph.input, model.graph.output
    assert (given.name, answer.name) == ("images", "logits")
    sizes = [dim.dim_param or dim.dim_value for dim in given.type.tensor_type.shape.dim]
    assert sizes == ["n", 1, 72, 100]
    sizes = [dim.dim_param or dim.dim_value for dim in answer.type.tensor_type.shape.dim]
    assert sizes == ["n", 6, 72, 100]


def test_the_file_tells_nothing_of_the_machine_that_wrote_it(exported: Path) -> None:
    content = exported.read_bytes()

    assert b".py" not in content
    assert str(Path.home()).encode() not in content
    assert [entry.key for entry in onnx.load(exported).metadata_props] == ["thermoseg"]


def test_the_header_comes_back_without_torch(exported: Path) -> None:
    code = (
        "import sys, pathlib; from thermoseg.models import read_header;"
        "h = read_header(pathlib.Path(sys.argv[1]));"
        "print(h.name, h.network, h.input_width, 'torch' in sys.modules, 'onnx' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(exported)], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["small", "unet", "100", "False", "False"]
    assert read_header(exported).notes == "Größe"


def test_the_digest_of_the_file_names_the_model(saved: Path) -> None:
    assert describe_model(saved).sha256 == file_sha256(saved)


@pytest.mark.parametrize("backend", ["auto", "openvino"])
def test_the_segmenter_runs_it_with_openvino(exported: Path, backend: str) -> None:
    segmenter = choose_segmenter(exported, backend, threads=1)

    assert segmenter.backend == "openvino CPU"
    assert segmenter.model_name == "small"
    assert segmenter.segment(blank_frame()).labels.shape == (120, 160)


@pytest.mark.parametrize("backend", ["torch", "cuda"])
def test_other_backends_are_refused(exported: Path, backend: str) -> None:
    with pytest.raises(ModelError, match=r"small\.onnx cannot be loaded into PyTorch; use"):
        choose_segmenter(exported, backend)
    with pytest.raises(ModelError, match="cannot be loaded into PyTorch"):
        load_model(exported)


def test_the_command_line_segments_with_it(exported: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "face.npy", blank_frame().celsius)

    where = ["--out", str(tmp_path / "out"), "--model", str(exported)]

    assert main(["segment", str(tmp_path / "face.npy"), "--fast", *where]) == 0
    assert (tmp_path / "out" / "face.png").is_file()


def test_a_model_is_found_by_name_in_the_users_folder(exported: Path) -> None:
    user_models_folder().mkdir(parents=True)
    shutil.copy(exported, user_models_folder() / "mine.onnx")

    assert find_model("mine") == user_models_folder() / "mine.onnx"
    assert user_models_folder() / "mine.onnx" in [model.path for model in list_models()]


def test_onnx_of_others_is_refused(saved: Path) -> None:
    model = onnx.load(saved)
    del model.metadata_props[:]
    onnx.save(model, saved)

    with pytest.raises(ModelError, match=r"small\.onnx has no ThermoSeg header.*export"):
        choose_segmenter(saved)


def test_weights_in_another_file_are_refused(saved: Path) -> None:
    onnx.save(
        onnx.load(saved),
        saved,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )

    with pytest.raises(ModelError, match=r"small\.onnx cannot be used.*lie in other files"):
        choose_segmenter(saved)


def test_a_file_that_is_too_large_is_refused_unread(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "MAX_ONNX_BYTES", 1000)

    with pytest.raises(ModelError, match=r"small\.onnx has \d+ bytes, more than the 1000"):
        choose_segmenter(saved)


def test_any_flipped_bit_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    rng = np.random.default_rng(11)
    for place in rng.integers(0, len(content), 60):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        saved.write_bytes(flipped)
        with pytest.raises(ModelError, match=r"small\.onnx"):
            load_onnx(saved)


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.999])
def test_a_truncated_file_is_refused(saved: Path, kept: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])

    with pytest.raises(ModelError, match=r"small\.onnx cannot be used as a model"):
        choose_segmenter(saved)


def test_a_header_that_promises_another_size_is_refused(saved: Path) -> None:
    rewritten(saved, onnx.load(saved), input_height=64)

    with pytest.raises(ModelError, match=r"takes pictures.*1,72,100.*promises \[1, 1, 64, 100\]"):
        choose_segmenter(saved)


def test_a_network_of_another_answer_is_refused(saved: Path) -> None:
    picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, *SIZE])
    same = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 1, *SIZE])
    node = helper.make_node("Relu", ["images"], ["logits"])
    graph = helper.make_graph([node], "graph", [picture], [same])
    opset = [helper.make_opsetid("", 20)]
    rewritten(saved, helper.make_model(graph, opset_imports=opset))

    with pytest.raises(ModelError, match=r"maps \[1, 1, 72, 100\] to \[1,1,72,100\], expected"):
        choose_segmenter(saved)


def test_a_network_of_two_inputs_is_refused(saved: Path) -> None:
    info = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 6, *SIZE])
        for name in ("images", "more", "logits")
    ]
    node = helper.make_node("Add", ["images", "more"], ["logits"])
    graph = helper.make_graph([node], "graph", info[:2], info[2:])
    rewritten(saved, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]))

    with pytest.raises(ModelError, match="has 2 inputs and 1 outputs"):
        choose_segmenter(saved)


def test_an_operation_that_openvino_does_not_know_is_refused(saved: Path) -> None:
    model = onnx.load(saved)
    model.graph.node[0].op_type = "Teleport"
    rewritten(saved, model)

    with pytest.raises(ModelError, match=r"OpenVINO cannot read.*Teleport") as refusal:
        choose_segmenter(saved)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_missing_package_is_answered_with_the_extra(
    package: str, network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ModelError, match=rf"“{package}”, which is not installed.*extra “onnx”"):
        save_onnx(tmp_path / "a.onnx", network, header())
    assert not (tmp_path / "a.onnx").exists()


class Undecided(nn.Module):
    """Takes another way for every picture, which no ONNX graph can."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 6, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layer(images if images.sum() > 0 else -images)
        return answer


def test_a_network_that_cannot_be_converted_is_refused_in_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match=r"cannot be written as ONNX.*data-dependent") as refusal:
        save_onnx(tmp_path / "a.onnx", Undecided(), header())

    assert "\n" not in str(refusal.value)
    assert capfd.readouterr() == ("", "")


def test_weights_that_are_no_numbers_are_not_exported(tmp_path: Path) -> None:
    broken = random_network("unet")
    with torch.no_grad():
        next(broken.parameters())[0, 0, 0, 0] = torch.nan

    with pytest.raises(ModelError, match="not finite"):
        save_onnx(tmp_path / "a.onnx", broken, header())


def test_an_onnx_file_has_its_own_suffix(tmp_path: Path, network: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"\.onnx"):
        save_onnx(tmp_path / "a.safetensors", network, header())
