"""The model file: what is written comes back; the damaged, hostile or foreign is refused."""

import hashlib
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from torch import nn

from thermoseg.errors import ModelError
from thermoseg.models import (
    ModelHeader,
    describe_model,
    file_sha256,
    find_model,
    import_authors_checkpoint,
    list_models,
    load_model,
    read_header,
    save_model,
    user_models_folder,
)
from thermoseg.networks import build

PICTURE = torch.linspace(-1, 1, 64 * 64).reshape(1, 1, 64, 64)


def header(**changes: object) -> ModelHeader:
    fields = {"name": "small", "network": "attention_unet", "width": 4, "seed": 7, "command": "x"}
    return ModelHeader.model_validate(fields | changes)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(5)
    return build("attention_unet", width=4).eval()


@pytest.fixture
def saved(tmp_path: Path, network: nn.Module) -> Path:
    save_model(tmp_path / "small.safetensors", network, header())
    return tmp_path / "small.safetensors"


@pytest.fixture(autouse=True)
def _own_user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


def answer(network: nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = network(PICTURE)
    return result


def test_a_network_comes_back_bit_for_bit_with_its_header(saved: Path, network: nn.Module) -> None:
    loaded, found = load_model(saved)

    assert torch.equal(answer(loaded), answer(network))
    assert not loaded.training
    assert (found.name, found.seed, found.network, found.width) == ("small", 7, "attention_unet", 4)
    assert found.labels == ("background", "chin", "mouth", "eyes", "eyebrows", "nose")


def test_a_header_is_summed_as_it_is_stored_so_that_older_ones_stay_valid(saved: Path) -> None:
    with safe_open(saved, framework="numpy") as file:
        text = file.metadata()["thermoseg"].partition(" ")[2]
    fields = json.loads(text)
    del fields["notes"], fields["trained_utc"]
    older = json.dumps(fields, indent=1)
    digest = hashlib.sha256(older.encode()).hexdigest()

    save_file(load_file(saved), saved, {"thermoseg": f"{digest} {older}"})

    assert load_model(saved)[1] == header(tensors_sha256=fields["tensors_sha256"])


def test_a_header_from_a_newer_version_says_so(saved: Path) -> None:
    text = header().model_dump_json().replace('"seed":7', '"seed":7,"mood":"good"')
    digest = hashlib.sha256(text.encode()).hexdigest()
    save_file(load_file(saved), saved, {"thermoseg": f"{digest} {text}"})

    with pytest.raises(ModelError, match=r"mood.*newer ThermoSeg"):
        load_model(saved)


def test_a_loaded_network_can_be_trained_further(saved: Path) -> None:
    loaded, _ = load_model(saved)

    loaded(PICTURE).sum().backward()

    assert all(parameter.grad is not None for parameter in loaded.parameters())


def test_half_precision_halves_the_file_and_hardly_changes_the_answer(
    tmp_path: Path, saved: Path, network: nn.Module
) -> None:
    half = tmp_path / "half.safetensors"
    save_model(half, network, header(), half=True)

    assert half.stat().st_size < 0.65 * saved.stat().st_size
    assert torch.allclose(answer(load_model(half)[0]), answer(network), atol=0.02)


def test_the_digest_of_the_file_names_the_model(tmp_path: Path, network: nn.Module) -> None:
    path = tmp_path / "a.safetensors"
    digest = save_model(path, network, header())

    assert digest == file_sha256(path) == describe_model(path).sha256
    assert digest == save_model(tmp_path / "b.safetensors", network, header())
    assert digest != save_model(tmp_path / "c.safetensors", network, header(seed=8))


def test_reading_and_listing_headers_does_not_load_torch(saved: Path) -> None:
    code = (
        "import sys, pathlib; from thermoseg.models import read_header, list_models;"
        "listed = [model.header.name for model in list_models()];"
        "print(read_header(pathlib.Path(sys.argv[1])).name, 'face-compact' in listed,"
        "'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(saved)], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["small", "True", "False"]


def test_any_flipped_bit_is_refused(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    (header_bytes,) = struct.unpack("<Q", content[:8])
    rng = np.random.default_rng(11)
    in_header = rng.integers(0, 8 + header_bytes, 150)
    in_weights = rng.integers(8 + header_bytes, len(content), 50)
    damaged = tmp_path / "damaged.safetensors"
    for place in (*in_header, *in_weights):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        damaged.write_bytes(flipped)
        with pytest.raises(ModelError, match=r"damaged\.safetensors"):
            load_model(damaged)


@pytest.mark.parametrize("kept", [0, 3, 8, 100, 0.5, 0.999])
def test_a_truncated_file_is_refused(saved: Path, kept: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])

    with pytest.raises(ModelError, match=r"small\.safetensors is damaged.*export it again"):
        load_model(saved)


@pytest.mark.parametrize(
    "table",
    [
        {"w": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}},
        {"w": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}},
        {
            "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
            "v": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        },
        {"__metadata__": {"thermoseg": "0 {}"}},
    ],
)
def test_hostile_tables_are_refused(tmp_path: Path, table: dict[str, object]) -> None:
    text = json.dumps(table).encode()
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 8)

    with pytest.raises(ModelError, match=r"hostile\.safetensors"):
        load_model(path)


def test_a_header_that_claims_to_be_endless_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "endless.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")

    with pytest.raises(ModelError, match=r"endless\.safetensors is damaged"):
        read_header(path)


def test_weights_of_others_without_our_header_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"w": np.zeros(3, np.float32)}, path)

    with pytest.raises(ModelError, match="no ThermoSeg header"):
        load_model(path)


def test_a_network_outside_our_table_is_never_imported(tmp_path: Path, network: nn.Module) -> None:
    path = tmp_path / "evil.safetensors"
    save_model(path, network, header(network="os.system"))

    with pytest.raises(ModelError, match=r"evil\.safetensors needs a network.*'os\.system'"):
        load_model(path)


@pytest.mark.parametrize("changes", [{"width": 6}, {"network": "unet"}, {"width": 512}])
def test_weights_of_another_network_are_refused(
    tmp_path: Path, network: nn.Module, changes: dict[str, object]
) -> None:
    path = tmp_path / "wrong.safetensors"
    save_model(path, network, header(**changes))

    with pytest.raises(ModelError, match=r"wrong\.safetensors does not hold a .*another network"):
        load_model(path)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_not_saved(
    tmp_path: Path, network: nn.Module, number: float
) -> None:
    path = tmp_path / "nan.safetensors"
    with torch.no_grad():
        next(network.parameters())[0, 0, 0, 0] = number

    with pytest.raises(ModelError, match=r"nan\.safetensors: the weights .Conv1.* not finite"):
        save_model(path, network, header())
    assert not path.exists()


def test_weights_too_large_for_half_precision_are_not_saved(
    tmp_path: Path, network: nn.Module
) -> None:
    with torch.no_grad():
        next(network.parameters())[0, 0, 0, 0] = 1e6

    with pytest.raises(ModelError, match="not finite"):
        save_model(tmp_path / "half.safetensors", network, header(), half=True)


def test_a_model_that_cannot_be_written_says_where(tmp_path: Path, network: nn.Module) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ModelError, match=r"cannot be written.*another folder"):
        save_model(tmp_path / "file" / "a.safetensors", network, header())


def test_a_model_file_has_its_own_suffix(tmp_path: Path, network: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"\.safetensors"):
        save_model(tmp_path / "a.pth", network, header())


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing\.safetensors cannot be opened"):
        load_model(tmp_path / "nothing.safetensors")
    with pytest.raises(ModelError, match="is not a file"):
        load_model(tmp_path)


def test_a_model_is_found_by_name_in_the_users_folder(network: nn.Module) -> None:
    path = user_models_folder() / "mine.safetensors"
    save_model(path, network, header(name="mine"))

    assert find_model("mine") == path
    assert "mine" in [model.header.name for model in list_models()]


def test_a_model_is_found_by_path(saved: Path) -> None:
    assert find_model(saved) == find_model(str(saved)) == saved


@pytest.mark.parametrize("name", ["nobody", "", "=cmd", "a\0b", "x" * 300])
def test_an_unknown_name_is_answered_with_the_known_ones(name: str, network: nn.Module) -> None:
    save_model(user_models_folder() / "mine.safetensors", network, header(name="mine"))

    with pytest.raises(ModelError, match=r"no model is called.*known are .*mine"):
        find_model(name)


@pytest.mark.parametrize("name", ["last.ckpt", "README.md", "notes"])
def test_a_file_that_is_no_model_is_told_apart_from_an_unknown_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text("no model", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    for given in (name, tmp_path / name):
        with pytest.raises(ModelError, match=r"is no model file.*thermoseg-train export"):
            find_model(given)


@pytest.mark.parametrize("name", ["../small", "/etc/small.safetensors", "a/b"])
def test_a_path_that_is_not_there_is_not_searched_as_a_name(name: str) -> None:
    with pytest.raises(ModelError, match="cannot be opened"):
        find_model(name)


def test_a_damaged_model_is_left_out_of_the_list_with_a_warning(
    network: nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    path = user_models_folder() / "mine.safetensors"
    save_model(path, network, header(name="mine"))
    path.write_bytes(path.read_bytes()[:200])

    assert "mine" not in [model.header.name for model in list_models()]
    assert "mine.safetensors is damaged" in caplog.text


@pytest.mark.parametrize("nesting", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_authors_checkpoints_are_imported(
    tmp_path: Path, network: nn.Module, nesting: str | None, prefix: str
) -> None:
    weights = {prefix + name: tensor for name, tensor in network.state_dict().items()}
    path = tmp_path / "authors.pth"
    torch.save({nesting: weights, "epoch": 3} if nesting else weights, path)

    imported, found = import_authors_checkpoint(path)

    assert torch.equal(answer(imported), answer(network))
    assert (found.network, found.width, found.normalisation) == ("attention_unet", 4, "minmax")
    assert "authors.pth" in found.data


def test_checkpoints_from_before_batch_counters_are_imported(
    tmp_path: Path, network: nn.Module
) -> None:
    weights = {n: t for n, t in network.state_dict().items() if "num_batches" not in n}
    torch.save(weights, tmp_path / "old.pth")

    assert torch.equal(answer(import_authors_checkpoint(tmp_path / "old.pth")[0]), answer(network))


class _Payload:
    """Unpickling this would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_checkpoint_never_runs_code(tmp_path: Path, legacy: bool) -> None:
    path, victim = tmp_path / "evil.pth", tmp_path / "victim"
    torch.save({"state_dict": _Payload(victim)}, path, _use_new_zipfile_serialization=not legacy)

    with pytest.raises(ModelError, match=r"evil\.pth is damaged or holds more than weights"):
        import_authors_checkpoint(path)
    assert not victim.exists()


def test_a_bare_pickle_never_runs_code(tmp_path: Path) -> None:
    path, victim = tmp_path / "evil.pth", tmp_path / "victim"
    path.write_bytes(pickle.dumps(_Payload(victim)))

    with pytest.raises(ModelError, match=r"evil\.pth"):
        import_authors_checkpoint(path)
    assert not victim.exists()


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain.pth", tmp_path / "bomb.pth"
    torch.save({"Conv1.conv.0.weight": torch.zeros(1000, 1000)}, plain)
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for member in source.infolist():
            target.writestr(member.filename, source.read(member))

    with pytest.raises(ModelError, match="compressed"):
        import_authors_checkpoint(packed)


def test_a_tensor_that_repeats_one_number_for_ever_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stride.pth"
    torch.save({"Conv1.conv.0.weight": torch.zeros(1).expand(2**20, 2**20)}, path)

    with pytest.raises(ModelError, match="absurdly large"):
        import_authors_checkpoint(path)


def test_damaged_checkpoints_are_refused_or_wrong_but_never_crash(
    tmp_path: Path, network: nn.Module
) -> None:
    path = tmp_path / "authors.pth"
    torch.save(network.state_dict(), path)
    content = path.read_bytes()
    rng = np.random.default_rng(4)
    refusals: list[str] = []
    for _ in range(60):
        damaged = bytearray(content)
        if rng.random() < 0.5:
            damaged = damaged[: int(rng.integers(len(damaged)))]
        else:
            for place in rng.integers(0, len(damaged), 20):
                damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            import_authors_checkpoint(path)
        except ModelError as error:
            refusals.append(str(error))

    assert len(refusals) >= 30
    assert all("authors.pth" in refusal for refusal in refusals)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({}, "no table of weights"),
        ([1, 2], "no table of weights"),
        ({"Conv1.conv.0.weight": "text"}, "not a plain tensor"),
        ({"fc.weight": torch.zeros(3)}, "not an Attention U-Net"),
    ],
)
def test_other_checkpoints_are_refused_with_the_reason(
    tmp_path: Path, content: object, complaint: str
) -> None:
    torch.save(content, tmp_path / "other.pth")

    with pytest.raises(ModelError, match=complaint):
        import_authors_checkpoint(tmp_path / "other.pth")


def test_a_colour_network_is_refused(tmp_path: Path) -> None:
    torch.save(build("attention_unet", 1, 4, 3).state_dict(), tmp_path / "colour.pth")

    with pytest.raises(ModelError, match="maps 3 channels to 1 classes"):
        import_authors_checkpoint(tmp_path / "colour.pth")
