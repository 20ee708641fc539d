"""Backends: the same labels from all, a cache that spares PyTorch, and a choice with reasons."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from thermoseg.errors import ConfigError, ModelError
from thermoseg.frames import Frame
from thermoseg.inference import choose
from thermoseg.inference.choose import choose_segmenter
from thermoseg.inference.openvino_backend import OpenVinoRunner, converted
from thermoseg.inference.torch_backend import TorchCpuRunner, TorchCudaRunner
from thermoseg.models import ModelHeader, load_model, save_model, user_models_folder
from thermoseg.networks import NETWORKS, build

SIZE = (64, 96)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def random_network(name: str) -> torch.nn.Module:
    """Random weights, with normalisation statistics as after some training."""
    torch.manual_seed(9)
    network = build(name, width=8)
    with torch.no_grad():
        for _ in range(6):
            network(torch.randn(4, 1, *SIZE))
    return network.eval()


def save_random(name: str = "compact", labels: tuple[str, ...] | None = None) -> Path:
    header = ModelHeader(
        name="random", network=name, width=8, input_height=SIZE[0], input_width=SIZE[1]
    )
    if labels:
        header = header.model_copy(update={"labels": labels})
    path = user_models_folder() / "random.safetensors"
    save_model(path, random_network(name), header)
    return path


def pictures(count: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(6)
    return rng.uniform(-1, 1, (count, 1, *SIZE)).astype(np.float32)


def blank_frame() -> Frame:
    celsius = np.linspace(20, 35, 120 * 160, dtype=np.float32).reshape(120, 160)
    return Frame(np.zeros((120, 160), np.uint16), celsius, 0, 0.0, 0.0)


FREED_ELSEWHERE = """
import os, signal, threading
import numpy as np
from thermoseg.inference.openvino_backend import OpenVinoRunner
from thermoseg.silent_openvino import openvino, opset13

images = opset13.parameter([1, 1, 8, 8], np.float32)
runners = [OpenVinoRunner(openvino.Model([opset13.softmax(images, 1)], [images]))]
elsewhere = threading.Thread(target=runners.clear)
elsewhere.start()
elsewhere.join()
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_signals_are_handled_after_a_network_was_freed_in_another_thread() -> None:
    done = subprocess.run([sys.executable, "-c", FREED_ELSEWHERE], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "handled\n")


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_openvino_and_torch_give_the_same_labels(name: str, tmp_path: Path) -> None:
    network = random_network(name)
    fast = OpenVinoRunner(converted("a" * 64, SIZE, lambda: network, tmp_path))
    plain = TorchCpuRunner(network)

    found, expected = fast.probabilities(pictures(4)), plain.probabilities(pictures(4))

    assert found.shape == expected.shape == (4, 6, *SIZE)
    assert found.dtype == expected.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-4)
    assert len(np.unique(expected.argmax(axis=1))) > 1
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.999


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_gpu_is_named() -> None:
    with pytest.raises(ModelError, match="no CUDA device 0"):
        TorchCudaRunner(random_network("compact"))


@pytest.mark.parametrize("make", [OpenVinoRunner, TorchCpuRunner])
def test_each_answer_is_the_caller_s_own(make: type, tmp_path: Path) -> None:
    network = random_network("compact")
    openvino = make is OpenVinoRunner
    runner = make(converted("a" * 64, SIZE, lambda: network, tmp_path) if openvino else network)

    first = runner.probabilities(pictures(2)[:1])
    kept = first.copy()
    runner.probabilities(pictures(2)[1:])

    np.testing.assert_array_equal(first, kept)


def test_the_second_start_neither_converts_nor_loads_torch(tmp_path: Path) -> None:
    path = save_random()
    first = choose_segmenter(path, "openvino").segment(blank_frame())
    code = (
        "import sys, numpy as np; from thermoseg.frames import Frame;"
        "from thermoseg.inference.choose import choose_segmenter;"
        "s = choose_segmenter('random', 'auto');"
        "c = np.linspace(20, 35, 120 * 160, dtype=np.float32).reshape(120, 160);"
        "r = s.segment(Frame(np.zeros((120, 160), np.uint16), c, 0, 0.0, 0.0));"
        "np.save(sys.argv[1], r.labels); print(s.backend, 'torch' in sys.modules)"
    )
    labels = tmp_path / "labels.npy"

    done = subprocess.run(
        [sys.executable, "-c", code, str(labels)], capture_output=True, text=True, check=True
    )

    if torch.cuda.is_available():
        assert done.stdout.split() == ["torch", "cuda:0", "True"]
    else:
        assert done.stdout.split() == ["openvino", "CPU", "False"]
        np.testing.assert_array_equal(np.load(labels), first.labels)


@pytest.mark.parametrize("module", ["inference.openvino_backend", "networks.convert"])
def test_openvino_reports_nothing_to_its_maker(module: str) -> None:
    code = (
        f"import sys, threading, thermoseg.{module}; "
        "print('openvino' in sys.modules, sys.modules['openvino_telemetry'], "
        "threading.active_count())"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True", "None", "1"]


def refuse_to_load() -> torch.nn.Module:
    raise AssertionError("the cache was not used")


def test_the_cache_is_kept_apart_by_model_and_size(tmp_path: Path) -> None:
    network = random_network("compact")
    converted("a" * 64, SIZE, lambda: network, tmp_path)

    converted("a" * 64, SIZE, refuse_to_load, tmp_path)
    with pytest.raises(AssertionError, match="not used"):
        converted("b" * 64, SIZE, refuse_to_load, tmp_path)
    with pytest.raises(AssertionError, match="not used"):
        converted("a" * 64, (96, 64), refuse_to_load, tmp_path)


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_a_damaged_cache_is_made_anew(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    network = random_network("compact")
    expected = OpenVinoRunner(converted("a" * 64, SIZE, lambda: network, tmp_path))
    (damaged,) = tmp_path.glob(f"*{suffix}")
    damaged.write_bytes(damaged.read_bytes()[:1000])

    again = OpenVinoRunner(converted("a" * 64, SIZE, lambda: network, tmp_path))

    assert "is damaged and is made anew" in caplog.text
    np.testing.assert_array_equal(
        again.probabilities(pictures(1)), expected.probabilities(pictures(1))
    )


def test_a_cache_that_cannot_be_written_only_costs_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = random_network("compact")
    (tmp_path / "file").write_text("in the way")

    runner = OpenVinoRunner(converted("a" * 64, SIZE, lambda: network, tmp_path / "file"))

    assert runner.probabilities(pictures(1)).shape == (1, 6, *SIZE)
    assert "not kept for the next start" in caplog.text


@pytest.mark.parametrize(
    ("backend", "expected"), [("openvino", "openvino CPU"), ("torch", "torch CPU")]
)
def test_a_backend_can_be_asked_for(backend: str, expected: str) -> None:
    segmenter = choose_segmenter(save_random(), backend)

    assert segmenter.backend == expected
    assert segmenter.model_name == "random"
    assert len(segmenter.model_sha256) == 64
    assert segmenter.segment(blank_frame()).labels.shape == (120, 160)


def test_what_fails_is_replaced_by_the_next_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("illegal instruction")

    monkeypatch.setattr(choose, "_openvino", broken)
    monkeypatch.setattr(choose, "_has_nvidia_driver", lambda: False)

    assert choose_segmenter(save_random()).backend == "torch CPU"
    assert "backend openvino is not used: illegal instruction" in caplog.text


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_driver_without_a_usable_gpu_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(choose, "_has_nvidia_driver", lambda: True)

    assert choose_segmenter(save_random()).backend == "openvino CPU"
    assert "backend cuda is not used: PyTorch finds no CUDA device" in caplog.text


def test_if_nothing_works_all_reasons_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(choose, "_openvino", broken)
    monkeypatch.setattr(choose, "_torch", broken)
    monkeypatch.setattr(choose, "_has_nvidia_driver", lambda: False)

    with pytest.raises(ModelError, match=r"openvino: no memory; torch: no memory"):
        choose_segmenter(save_random())


def test_the_authors_checkpoint_runs_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "authors.pth"
    torch.save({"state_dict": build("attention_unet", width=4).state_dict()}, path)

    segmenter = choose_segmenter(path, "openvino")

    assert segmenter.model_name == "authors"
    assert segmenter.segment(blank_frame()).labels.shape == (120, 160)


def test_an_unknown_backend_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"“tensorrt”.*auto.*cuda.*openvino.*torch"):
        choose_segmenter(save_random(), "tensorrt")


def test_a_model_of_other_regions_is_refused_by_file() -> None:
    path = save_random(labels=("a", "b", "c", "d", "e", "f"))

    with pytest.raises(ModelError, match=r"random\.safetensors is not a face model"):
        choose_segmenter(path, "torch")


def test_a_model_with_another_number_of_classes_is_refused_by_file() -> None:
    path = user_models_folder() / "two.safetensors"
    header = ModelHeader(name="two", network="compact", width=4, num_classes=2, labels=("a", "b"))
    save_model(path, build("compact", 2, 4), header)

    with pytest.raises(ModelError, match=r"two\.safetensors"):
        choose_segmenter(path, "torch")


def test_weights_damaged_after_conversion_do_not_go_unnoticed() -> None:
    path = save_random()
    choose_segmenter(path, "openvino")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)

    with pytest.raises(ModelError, match="its weights were altered"):
        choose_segmenter(path, "openvino")
    with pytest.raises(ModelError, match="its weights were altered"):
        load_model(path)
