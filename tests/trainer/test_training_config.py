import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from thermoseg.errors import ConfigError
from trainer.config import TrainingConfig, check_config, check_kept_config, load_config

MINIMAL = """
[[sources]]
kind = "phantom"

[run]
iterations = 10
"""

BUNDLED = Path(__file__).parents[2] / "assets" / "training"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(BUNDLED.glob("[!t]*.toml")), ids=lambda path: path.stem)
def test_the_bundled_recipes_are_valid(path: Path) -> None:
    assert isinstance(load_config(path), TrainingConfig)


def test_settings_from_the_command_line_win(tmp_path: Path) -> None:
    path = written(tmp_path, MINIMAL)

    config = load_config(
        path,
        ("run.iterations=7", "network.name=unet", "sources.0.weight=2", "tiaug.scale=[0.8, 1.2]"),
    )

    assert config.run.iterations == 7
    assert config.network.name == "unet"
    assert config.sources[0].weight == 2
    assert config.tiaug is not None
    assert config.tiaug.scale == (0.8, 1.2)


@pytest.mark.parametrize(
    ("objective", "weight"),
    [
        ("", 1.0),
        ("margin = 2.0", 1.0),
        ("rmi = 0.0", 1.0),
        ("contrastive = 0.1", 1.0),
        ("rmi = 1.0\nsam_cl = 0.5", 0.0),
        ("bce = 1.0", 0.0),
        ("seg_an = 1.0", 0.0),
        ("rmi = 1.0\ncross_entropy = 0.3", 0.3),
    ],
)
def test_the_cross_entropy_is_no_part_of_an_objective_that_names_others(
    tmp_path: Path, objective: str, weight: float
) -> None:
    config = load_config(written(tmp_path, f"{MINIMAL}[objective]\n{objective}"))

    assert config.objective.cross_entropy == weight
    assert check_config(config.model_dump(mode="json"), "again") == config


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("face-accurate", (0.5, 0.7, 0.5, 0.25)),
        ("face-compact-1-coarse", (1, 1, 0, 0)),
        ("face-compact-2-fine", (0.7, 1, 0, 0)),
        ("face-compact-3-sam-cl", (0.5, 0.7, 0.5, 0.25)),
        ("paper", (0, 0, 1, 0.5)),
        ("quick-start", (1, 1, 0.2, 0.1)),
    ],
)
def test_the_bundled_recipes_weigh_their_losses_as_they_say(
    name: str, weights: tuple[float, ...]
) -> None:
    objective = load_config(BUNDLED / f"{name}.toml").objective

    assert (objective.cross_entropy, objective.dice, objective.rmi, objective.sam_cl) == weights
    assert objective.bce == objective.contrastive == objective.seg_an == objective.seg_gan == 0


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (MINIMAL + "bach = 4", "run.bach: is not a setting"),
        (MINIMAL + 'batch = "four"', "run.batch"),
        (MINIMAL + "batch = 4.5", "run.batch"),
        (MINIMAL + "[tiaug]\nscale = [2.0, 0.5]", "tiaug.scale"),
        (MINIMAL + "[tiaug]\nheight = 96", "any more; set stream.height instead"),
        (MINIMAL + "[optimiser]\nlearning_rate = nan", "optimiser.learning_rate"),
        (MINIMAL + "[objective]\ncross_entropy = 0.0", "at least one a weight"),
        (MINIMAL + "[validation]\nseed = 1", "run.toml: validation.seed must differ"),
        (
            MINIMAL + "batch = 1\n[stream]\nheight = 32\nwidth = 32",
            "run.toml: run.batch must be at least 2 with pictures of 32 x 32",
        ),
        (MINIMAL + "[objective]\nclass_weights = [1.0]", "objective: class_weights needs 6"),
        (
            MINIMAL + "[objective]\nclass_weights = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]",
            "objective: class_weights are all 0; give at least one class a weight",
        ),
        (MINIMAL + "[objective]\nrmi = 'much'", "objective.rmi: Input should be"),
        (MINIMAL + "objective = 3", "run.objective: is not a setting"),
        ("objective = 3\n" + MINIMAL, "objective: Input should be"),
        ('[[sources]]\nkind = "phantom"', "run: is missing"),
        ("[run]\niterations = 10", "sources: is missing"),
        ("[run]\niterations = 10\n[[sources]]\nkind = 'fantom'", "sources.0.kind: must be one of"),
        ("[run]\niterations = 10\n[[sources]]\nweight = 1.0", "sources.0.kind: is missing"),
        (
            "[run]\niterations = 10\n[[sources]]\nkind = 'phantom'\nweight = 0",
            "sources.0.weight: Input should be greater than 0, got 0; correct it",
        ),
        ("[run]\niterations = 1\nminutes = 1.0\n[[sources]]\nkind = 'phantom'", "either"),
        ("[run]\niterations = 10\n[[sources]]\nkind = 'folder'", "sources.0.path: is missing"),
        ("[run", "is not TOML"),
        (MINIMAL + "x = " + "[" * 5000 + "]" * 5000, "is nested too deeply"),
        (MINIMAL + "[tiaug" + ".a" * 5000 + "]", "is nested too deeply"),
        (MINIMAL + "x = " + "9" * 5000, "is not TOML"),
        (MINIMAL + "#" * 1_000_000, "is larger than 1 MB"),
        (MINIMAL + 'batch = "' + "x" * 500 + '"', "run.batch"),
        (MINIMAL + '"a\\nb" = 1', "run.a\\nb: is not a setting"),
    ],
)
def test_a_wrong_file_names_the_key(tmp_path: Path, text: str, named: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(ConfigError) as caught:
        load_config(path)

    assert named in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_keys_at_fault_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, MINIMAL + "bach = 4\nminuets = 1\n[tiaug]\nscale = [2.0, 0.5]")

    with pytest.raises(ConfigError) as caught:
        load_config(path)

    assert all(key in str(caught.value) for key in ("run.bach", "run.minuets", "tiaug.scale"))
    assert "\n" not in str(caught.value)


def test_settings_that_an_older_version_kept_are_understood() -> None:
    tree: dict[str, Any] = tomllib.loads(MINIMAL)
    config = check_config({**tree, "tiaug": {"occlude": 0.3}}, "new")

    kept = check_kept_config(
        {**tree, "tiaug": {"occlude": 0.3, "height": 256, "width": 320}}, "old"
    )

    assert kept == config
    assert check_kept_config({**tree, "tiaug": None}, "old").tiaug is None


@pytest.mark.parametrize(
    ("text", "setting", "length"),
    [
        ("[run]\nminutes = 8.0\n", "run.iterations=20", (20, None)),
        ("[run]\niterations = 10\n", "run.minutes=1.5", (None, 1.5)),
    ],
)
def test_a_length_that_is_set_takes_the_place_of_the_other(
    tmp_path: Path, text: str, setting: str, length: tuple[int | None, float | None]
) -> None:
    path = written(tmp_path, text + "[[sources]]\nkind = 'phantom'\n")

    run = load_config(path, (setting,)).run

    assert (run.iterations, run.minutes) == length


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_text_is_utf_8_with_or_without_a_mark(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes((MINIMAL + "# gr\u00fcn\r\n").encode(encoding))

    if encoding == "utf-8-sig":
        assert load_config(path).run.iterations == 10
    else:
        with pytest.raises(ConfigError, match="is not TOML"):
            load_config(path)


def test_names_of_files_never_break_the_sentence(tmp_path: Path) -> None:
    path = tmp_path / "--out \u202e\n; rm.toml"
    path.write_text("[run")

    with pytest.raises(ConfigError, match=r"--out \\u202e\\n; rm\.toml: is not TOML"):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load_config(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "setting",
    ["run.batch", "=4", "sources.9.weight=1", "sources.x=1", f"run.batch={'[' * 5000}", "a\nb"],
)
def test_a_setting_without_a_place_is_named(tmp_path: Path, setting: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        load_config(written(tmp_path, MINIMAL), (setting,))


def test_reading_settings_loads_no_torch() -> None:
    code = "import sys, trainer.config, trainer.cli; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
