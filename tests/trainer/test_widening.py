"""Widening: the wide network starts with the answers of the narrow one."""

import pytest
import torch

from thermoseg.networks import build
from trainer.widening import widen


@pytest.mark.parametrize(
    ("name", "narrow", "wide"), [("compact", 16, 32), ("attention_unet", 4, 12), ("unet", 4, 8)]
)
def test_a_widened_network_gives_the_same_answers(name: str, narrow: int, wide: int) -> None:
    torch.manual_seed(3)
    small, big = build(name, 6, narrow), build(name, 6, wide)
    pictures = torch.randn(2, 1, 64, 64)
    for _ in range(3):
        small(pictures + torch.randn_like(pictures))  # gives the norms statistics of their own

    big.load_state_dict(widen(small.state_dict(), big.state_dict()))

    with torch.inference_mode():
        assert torch.allclose(small.eval()(pictures), big.eval()(pictures), atol=1e-3)


def test_copies_of_a_channel_learn_different_things() -> None:
    small, big = build("unet", 6, 4), build("unet", 6, 8)
    big.load_state_dict(widen(small.state_dict(), big.state_dict()))

    big(torch.randn(2, 1, 32, 32)).square().mean().backward()

    gradient = next(p.grad for p in big.parameters() if p.ndim == 4 and p.shape[1] > 1)
    assert gradient is not None
    assert not torch.allclose(gradient[0], gradient[1], rtol=1e-2)


def test_a_width_that_is_no_multiple_is_refused() -> None:
    small, big = build("unet", 6, 4), build("unet", 6, 6)

    with pytest.raises(ValueError, match=r"\(6, 1, 3, 3\) is no multiple of \(4, 1, 3, 3\)"):
        widen(small.state_dict(), big.state_dict())


def test_another_kind_of_network_is_refused() -> None:
    with pytest.raises(ValueError, match="different layers"):
        widen(build("unet", 6, 4).state_dict(), build("attention_unet", 6, 8).state_dict())
