"""Networks: sizes against the published ones, shapes, initialisation, and what they react to."""

from pathlib import Path

import pytest
import torch
from torch import nn

import thermoseg.networks
from thermoseg.models import ModelHeader, load_model, save_model
from thermoseg.networks import NETWORKS, build
from thermoseg.networks.deeplab import DeepLabV3Plus


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def full_size(name: str, num_classes: int, in_channels: int) -> nn.Module:
    """Without memory for the weights."""
    with torch.device("meta"):
        return build(name, num_classes, 64, in_channels)


def full_size_deeplab(name: str, num_classes: int, in_channels: int) -> DeepLabV3Plus:
    network = full_size(name, num_classes, in_channels)
    assert isinstance(network, DeepLabV3Plus)
    return network


def channels_out(convolution: nn.Module) -> int:
    assert isinstance(convolution, nn.Conv2d)
    return convolution.out_channels


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # 34,878,573 for 3 channels in and 1 out in the public LeeJunHyun/Image_Segmentation code,
        # whose layout the SAM-CL authors' checkpoints have; 34,877,746 is 1 in and 6 out
        ("attention_unet", 34_877_746),
        # 31,037,633 for 3 channels in and 1 out is what U-Net with batch normalisation is commonly
        # listed with, and 7,763,041 at width 32 (mateuszbuda/brain-segmentation-pytorch); 1 in and
        # 6 out takes 2 * 576 weights off the first layer and adds 5 * 65 to the last
        ("unet", 31_036_806),
    ],
)
def test_full_size_networks_have_the_published_number_of_parameters(
    name: str, expected: int
) -> None:
    assert parameters(full_size(name, num_classes=6, in_channels=1)) == expected


def test_the_resnet_101_backbone_has_the_published_number_of_parameters() -> None:
    backbone = full_size_deeplab("deeplabv3plus_resnet101", num_classes=21, in_channels=3).backbone

    # torchvision gives resnet101 44,549,160, of which 2,049,000 are its classifier's
    assert parameters(backbone) == 42_500_160


def test_the_atrous_pyramid_on_resnet_101_has_the_published_number_of_parameters() -> None:
    network = full_size_deeplab("deeplabv3plus_resnet101", num_classes=21, in_channels=3)

    # torchvision gives deeplabv3_resnet101 60,996,202 for 21 classes: 42,500,160 the backbone,
    # 2,365,205 the auxiliary head, 590,336 and 5,397 the two convolutions behind the pyramid
    assert parameters(network.pyramid) == 15_535_104
    # no paper counts the whole; this adds the decoder of Chen et al. 2018, section 3.1 and table 1:
    # 1x1 to 48 (12,384), 3x3 from 304 (700,928) and from 256 (590,336), 21 classes (5,397)
    assert parameters(network) == 59_344_309


def test_deeplab_on_xception_65_has_the_published_number_of_parameters() -> None:
    network = full_size_deeplab("deeplabv3plus_xception65", num_classes=21, in_channels=3)
    statistics = sum(b.numel() for name, b in network.named_buffers() if "running" in name)

    # 41,258,213 with the moving means and variances: bonlime/keras-deeplab-v3-plus, a port of the
    # authors' weights, as listed by ZFTurbo/Keras-inference-time-optimizer
    assert parameters(network) + statistics == 41_258_213


def test_hrnet_w48_has_the_published_number_of_parameters() -> None:
    network = full_size("hrnetv2_w48", num_classes=19, in_channels=3)
    head = network.get_submodule("classify")

    # 65.8 M in the README of HRNet/HRNet-Semantic-Segmentation, 65.9 M in Wang et al. 2020, table 4
    assert 65_800_000 <= parameters(network) < 65_900_000
    # 66.4768 M in Open Model Zoo (hrnet-v2-c1-segmentation), of which 1,193,490 are its own head;
    # it counts normalisation as the bias it becomes, some 40,000 numbers less
    assert parameters(network) - parameters(head) == pytest.approx(65_283_000, rel=1e-3)


@pytest.mark.parametrize("name", ["deeplabv3plus_resnet101", "deeplabv3plus_xception65"])
def test_the_decoder_takes_48_channels_of_detail_and_256_of_depth(name: str) -> None:
    network = full_size_deeplab(name, num_classes=6, in_channels=1)

    assert channels_out(network.low[0]) == 48
    assert channels_out(network.pyramid.merge[0]) == 256


@pytest.mark.parametrize(
    ("name", "stride"), [("deeplabv3plus_resnet101", 8), ("deeplabv3plus_xception65", 16)]
)
def test_backbones_keep_their_output_stride(name: str, stride: int) -> None:
    backbone = build(name, width=4).backbone
    assert isinstance(backbone, nn.Module)
    backbone.eval()

    with torch.inference_mode():
        low, deep = backbone(torch.zeros(1, 1, 64, 96))

    assert low.shape[-2:] == (16, 24)
    assert deep.shape[-2:] == (64 // stride, 96 // stride)


@pytest.mark.parametrize("name", ["deeplabv3plus_resnet101", "deeplabv3plus_xception65"])
def test_a_batch_of_one_picture_can_be_trained(name: str) -> None:
    network = build(name, width=4).train()

    network(torch.randn(1, 1, 64, 64)).sum().backward()

    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "width", "expected"),
    [("attention_unet", 64, 34_878_573), ("unet", 64, 31_037_633), ("unet", 32, 7_763_041)],
)
def test_for_colour_to_one_class_the_parameters_are_those_of_public_code(
    name: str, width: int, expected: int
) -> None:
    assert parameters(build(name, num_classes=1, width=width, in_channels=3)) == expected


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
def test_a_model_file_of_each_network_gives_it_back(name: str, tmp_path: Path) -> None:
    torch.manual_seed(4)
    network, picture = build(name, width=4).eval(), torch.randn(1, 1, 64, 64)
    path = tmp_path / "model.safetensors"

    save_model(path, network, ModelHeader(name="model", network=name, width=4))
    loaded, header = load_model(path)

    assert header.network == name
    with torch.inference_mode():
        assert torch.equal(loaded(picture), network(picture))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_no_network_has_the_strided_1x1_convolution_that_corrupts_memory(name: str) -> None:
    """OneDNN issue 6035: its gradient writes past its memory when channels come last."""
    with torch.device("meta"):
        layers = [m for m in build(name).modules() if isinstance(m, nn.Conv2d)]

    assert layers
    assert not [m for m in layers if m.kernel_size == (1, 1) and m.stride != (1, 1)]


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

    loss = nn.functional.cross_entropy(network(torch.randn(2, 1, 64, 64)), labels)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's

    without = [name for name, p in network.named_parameters() if p.grad is None]
    assert not without


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_convolutions_start_xavier_uniform_with_zero_bias(name: str) -> None:
    torch.manual_seed(2)
    for module in build(name, width=16).modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 2000:
            places = module.kernel_size[0] * module.kernel_size[1]
            channels = (module.in_channels + module.out_channels) / module.groups
            bound = (6 / (places * channels)) ** 0.5
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


def test_the_package_builds_a_network_of_full_size_unless_told_otherwise() -> None:
    with torch.device("meta"):
        network = thermoseg.networks.build("attention_unet")

    assert parameters(network) == 34_877_746


def test_a_network_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"'resnet'.*attention_unet, compact, deeplab.*unet"):
        build("resnet")


@pytest.mark.parametrize("arguments", [{"width": 1}, {"num_classes": 0}, {"in_channels": 0}])
def test_impossible_sizes_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        build("unet", **arguments)
