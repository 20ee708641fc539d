"""Networks of the user's own, named as module:attribute in a training configuration."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from thermoseg.errors import ConfigError
from thermoseg.networks import build
from thermoseg.networks.unet import UNet
from trainer.config import NetworkConfig
from trainer.own_network import build_network

MODULE = """
import torch
from torch import nn


class Mine(nn.Module):
    def __init__(self, num_classes, width, in_channels):
        super().__init__()
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.last = nn.Conv2d(width, num_classes, 1)

    def forward(self, images):
        return self.last(self.first(images).relu())


class OtherOrder(Mine):
    def __init__(self, in_channels=3, num_classes=1000, depth=2):
        super().__init__(num_classes, depth, in_channels)


class Holder:
    Inner = Mine


def unnamed(a, b, c):
    return Mine(a, b, c)


def ready():
    return Mine(6, 5, 1)


def hungry(path, num_classes):
    return Mine(num_classes, 5, 1)


def broken(width):
    raise RuntimeError("no weights on this machine")


def text():
    return "a network"


def unsaid(width):
    return forgotten


def fixed():
    return nn.Sequential(nn.Identity())


def four_classes():
    return Mine(4, 5, 1)


def half_size():
    return nn.Sequential(Mine(6, 5, 1), nn.MaxPool2d(2))


def colour():
    return Mine(6, 5, 3)


class Imports(Mine):
    def forward(self, images):
        import a_package_nobody_has


class Pair(Mine):
    def forward(self, images):
        return {"out": super().forward(images)}


instance = Mine(6, 5, 1)
number = 7
"""


@pytest.fixture(autouse=True)
def _a_module_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    (tmp_path / "my_networks.py").write_text(MODULE)
    (tmp_path / "unfinished.py").write_text("class Mine(:\n")
    (tmp_path / "wants_more.py").write_text("import a_package_nobody_has\n")
    (tmp_path / "misspelt.py").write_text("undefined_name + 1\n")
    (tmp_path / "reads_file.py").write_text("open('nowhere.pth')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield
    for name in ("my_networks", "unfinished", "wants_more", "misspelt", "reads_file"):
        sys.modules.pop(name, None)


def network(name: str, width: int = 5) -> torch.nn.Module:
    return build_network(NetworkConfig(name=name, width=width))


def test_a_name_of_ours_builds_our_network() -> None:
    made = network("unet", width=4)

    assert isinstance(made, UNet)
    weights = {name: tensor.shape for name, tensor in build("unet", 6, 4).state_dict().items()}
    assert {name: tensor.shape for name, tensor in made.state_dict().items()} == weights


@pytest.mark.parametrize("attribute", ["Mine", "unnamed", "ready", "Holder.Inner"])
def test_a_network_of_the_current_folder_is_built_and_answers(attribute: str) -> None:
    made = network(f"my_networks:{attribute}")

    assert made.get_parameter("first.weight").shape == (5, 1, 3, 3)
    assert made.training
    assert made(torch.zeros(2, 1, 40, 56)).shape == (2, 6, 40, 56)


def test_arguments_are_given_by_name_where_they_have_one() -> None:
    made = network("my_networks:OtherOrder", width=9)

    assert made.get_parameter("first.weight").shape == (2, 1, 3, 3)
    assert made.get_parameter("last.weight").shape == (6, 2, 1, 1)


def test_a_seed_reproduces_the_weights() -> None:
    torch.manual_seed(3)
    first = network("my_networks:Mine").get_parameter("first.weight")
    torch.manual_seed(3)

    again = network("my_networks:Mine").get_parameter("first.weight")
    assert torch.equal(again, first)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet18", r"no network is called 'resnet18'; known are .*unet; .*module:attribute"),
        ("my_networks:", "“my_networks:” is not of the form"),
        (":Mine", "is not of the form"),
        ("my_networks:Mine()", "is not of the form"),
        ("/home/me/net.py:Mine", "is not of the form"),
        ("nowhere.at_all:Mine", "“nowhere.at_all” cannot be imported.*install it"),
        ("unfinished:Mine", "“unfinished” cannot be imported.*invalid syntax.*correct it"),
        ("wants_more:Mine", "cannot be imported.*a_package_nobody_has.*correct it"),
        ("misspelt:Mine", "cannot be imported.*NameError.*undefined_name.*correct it"),
        ("reads_file:Mine", r"cannot be imported.*nowhere\.pth.*correct it"),
        ("my_networks:Yours", r"my_networks \(.*my_networks\.py\) has no “Yours”"),
        ("my_networks:number", "is int and not a class or function"),
        ("my_networks:instance", "is Mine and not a class or function"),
        ("my_networks:hungry", "takes other arguments.*'path'"),
        ("my_networks:broken", r"cannot be built with \{'width': 5\}.*no weights on this machine"),
        ("my_networks:unsaid", "cannot be built.*NameError.*forgotten"),
        ("my_networks:Imports", "fails on a picture.*a_package_nobody_has"),
        ("my_networks:text", "gives str, not a torch.nn.Module"),
        ("my_networks:fixed", "has no weights to train"),
        ("my_networks:colour", r"fails on a picture of shape \(1, 1, 64, 64\).*3 channels"),
        ("my_networks:four_classes", r"with \(1, 4, 64, 64\);.*\(1, 6, 64, 64\)"),
        ("my_networks:half_size", r"with \(1, 6, 32, 32\);.*\(1, 6, 64, 64\)"),
        ("my_networks:Pair", r"with dict; it must give logits of shape \(1, 6, 64, 64\)"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence_with_the_key(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"^network\.name: .*{said}") as refusal:
        network(name)

    assert "\n" not in str(refusal.value)


def test_the_network_is_tried_at_the_size_it_is_trained_at() -> None:
    with pytest.raises(ConfigError, match=r"\(1, 4, 32, 48\);.*\(1, 6, 32, 48\)"):
        build_network(NetworkConfig(name="my_networks:four_classes"), (32, 48))


def test_model_files_cannot_name_code() -> None:
    with pytest.raises(ValueError, match="no network is called 'my_networks:Mine'"):
        build("my_networks:Mine")
