"""Networks: sizes against the published ones, shapes, initialisation, and what they react to."""

import pytest
import torch
from torch import nn

from thermoseg.networks.build import NETWORKS, build


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # 34,878,573 for 3 channels in and 1 out in the public LeeJunHyun/Image_Segmentation code,
        # whose layout the SAM-CL authors' checkpoints have; 34,877,746 is 1 in and 6 out
        ("attention_unet", 34_877_746),
        # "31 M" in Ronneberger et al. 2015 as counted by Joshi et al. 2022
        ("unet", 31_036_806),
    ],
)
def test_full_size_networks_have_the_published_number_of_parameters(
    name: str, expected: int
) -> None:
    assert parameters(build(name, num_classes=6, width=64, in_channels=1)) == expected


def test_attention_unet_counts_34878573_parameters_for_colour_to_one_class() -> None:
    assert parameters(build("attention_unet", num_classes=1, in_channels=3)) == 34_878_573


def test_the_compact_network_fits_into_ten_megabytes_of_half_precision() -> None:
    assert 1_000_000 < parameters(build("compact", width=24)) < 5_000_000


def test_attention_unet_has_the_layer_names_of_the_authors_checkpoints() -> None:
    names = set(build("attention_unet", width=4).state_dict())

    for level in range(1, 6):
        assert {f"Conv{level}.conv.{i}.weight" for i in (0, 1, 3, 4)} <= names
    for level in range(2, 6):
        assert {f"Up{level}.up.{i}.weight" for i in (1, 2)} <= names
        assert {f"Up_conv{level}.conv.{i}.weight" for i in (0, 1, 3, 4)} <= names
        for part in ("W_g", "W_x", "psi"):
            assert {f"Att{level}.{part}.{i}.weight" for i in (0, 1)} <= names
    assert {"Conv_1x1.weight", "Conv_1x1.bias"} <= names


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("size", [(64, 96), (50, 71), (33, 32)])
def test_logits_have_the_size_of_the_picture(name: str, size: tuple[int, int]) -> None:
    network = build(name, num_classes=6, width=4).eval()

    with torch.inference_mode():
        logits = network(torch.zeros(2, 1, *size))

    assert logits.shape == (2, 6, *size)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_weight_receives_a_gradient(name: str) -> None:
    torch.manual_seed(1)
    network = build(name, num_classes=6, width=4)
    labels = torch.randint(0, 6, (2, 64, 64))

    nn.functional.cross_entropy(network(torch.randn(2, 1, 64, 64)), labels).backward()

    without = [name for name, p in network.named_parameters() if p.grad is None]
    assert not without


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_convolutions_start_xavier_uniform_with_zero_bias(name: str) -> None:
    torch.manual_seed(2)
    for module in build(name, width=16).modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 2000:
            places = module.kernel_size[0] * module.kernel_size[1]
            bound = (6 / (places * (module.in_channels + module.out_channels))) ** 0.5
            largest = float(module.weight.detach().abs().max())
            assert 0.95 * bound < largest <= bound
            assert module.bias is None or not module.bias.any()


def test_the_compact_network_sees_single_pixels_and_the_whole_picture() -> None:
    torch.manual_seed(3)
    network = build("compact", width=8).eval()
    picture = torch.randn(1, 1, 128, 160)
    changed = picture.clone()
    changed[0, 0, 65, 81] += 1

    with torch.inference_mode():
        difference = (network(picture) - network(changed)).abs().sum(1)[0]

    assert difference[65, 81] > 1e-3
    assert difference[0, 0] > 0
    assert difference[-1, -1] > 0


def test_a_network_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"'resnet'.*attention_unet, compact, unet"):
        build("resnet")


@pytest.mark.parametrize("arguments", [{"width": 1}, {"num_classes": 0}, {"in_channels": 0}])
def test_impossible_sizes_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        build("unet", **arguments)
