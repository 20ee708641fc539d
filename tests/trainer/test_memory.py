from pathlib import Path

import pytest
import torch
from torch import nn

from trainer.memory import free_bytes, in_plain_words, kept_bytes


def test_what_a_forward_pass_keeps_is_counted_once_and_without_weights() -> None:
    network = nn.Linear(4, 5, bias=False)
    images = torch.ones(100, 4)

    # The linear layer keeps its input (100·4 numbers); exp and its square keep exp's output
    # (100·5), which is one tensor.
    found = kept_bytes(lambda: network(images).exp().square().sum(), network)

    assert found == 4 * (100 * 4 + 100 * 5)


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, use = tmp_path / "max", tmp_path / "current"
    limit.write_text("5000000\n")
    use.write_text("2000000\n")
    monkeypatch.setattr("trainer.memory.GROUP_LIMIT", limit)
    monkeypatch.setattr("trainer.memory.GROUP_USE", use)

    assert free_bytes(torch.device("cpu")) == 3_000_000
    limit.write_text("max\n")
    assert free_bytes(torch.device("cpu")) > 3_000_000


def test_other_errors_pass_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a defect"), in_plain_words(8, tmp_path):
        raise RuntimeError("a defect")
