"""Settings of a training run: strict TOML in, frozen models out.

Imports no torch, so that a window can build a form from these models at once.
"""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from thermoseg.errors import ConfigError
from thermoseg.preprocess import Normalisation
from trainer.contrast import ContrastConfig
from trainer.tiaug import Probability, TiAugConfig

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]

SET_HINT: Final = "write KEY=VALUE, for example run.batch=4"


class Section(BaseModel):
    """Part of a configuration: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkConfig(Section):
    """Which network is trained."""

    name: str = "compact"
    """A name that `thermoseg.networks.build` knows, or module:attribute of your own."""
    width: Annotated[int, Field(ge=2, le=512)] = 24
    """Channels of the first level."""


class PhantomConfig(Section):
    """The synthetic head: endless pictures with exact labels."""

    kind: Literal["phantom"]
    weight: Positive = 1.0
    """Share of the pictures that come from here, against the other sources."""
    scene: Literal["any", "laboratory", "wild"] = "any"
    """"laboratory" has bare frontal faces before a wall; "wild" has the world outside."""
    pictures: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """How many different pictures there are, eight of each person; 0 for endless."""


class FolderConfig(Section):
    """Your own pictures, each beside a PNG with its labels."""

    kind: Literal["folder"]
    path: Path
    """Folder with .npy, .png or .tif pictures."""
    labels: Path | None = None
    """Folder with a PNG of the same stem for each; None means `<stem>_labels.png` beside it."""
    weight: Positive = 1.0
    """Share of the pictures that come from here, against the other sources."""


SourceConfig = Annotated[PhantomConfig | FolderConfig, Field(discriminator="kind")]


class StreamConfig(Section):
    """How pictures become batches."""

    height: Annotated[int, Field(ge=32, le=2048)] = 256
    """Of the network's input, pixels."""
    width: Annotated[int, Field(ge=32, le=2048)] = 320
    """Of the network's input, pixels."""
    normalisations: Annotated[tuple[Normalisation, ...], Field(min_length=1)] = ("percentile",)
    """One is drawn for each picture; the first is the model's."""
    augment: Probability = 1.0
    """Chance that a picture is augmented at all."""
    repeats: Annotated[float, Field(ge=1, le=1000)] = 1.0
    """How often a rendered picture is used on average, each time with fresh augmentation."""
    window: Annotated[int, Field(ge=1, le=100_000)] = 200
    """How many of the newest pictures of a lane are drawn from when they repeat."""
    lanes: Annotated[int, Field(ge=1, le=64)] = 2
    """Independent streams whose batches take turns.  Part of what a seed reproduces, unlike the
    number of workers, which is best equal to it."""
    workers: Annotated[int, Field(ge=0, le=64)] = 2
    """Processes that make batches; 0 makes them in the training process."""


class ObjectiveConfig(Section):
    """Weight of each loss in the sum; 0 leaves it out."""

    cross_entropy: Weight = 1.0
    bce: Weight = 0.0
    dice: Weight = 0.0
    rmi: Weight = 0.0
    sam_cl: Weight = 0.0
    margin: Weight = 1.0
    """Of SAM-CL's triplets."""
    class_weights: tuple[Weight, ...] = ()
    """Importance of background, chin, mouth, eyes, eyebrows, nose in the two cross-entropies."""

    @model_validator(mode="after")
    def _something_to_minimise(self) -> "ObjectiveConfig":
        if not (self.cross_entropy or self.bce or self.dice or self.rmi or self.sam_cl):
            raise ValueError("all losses have weight 0; give at least one a weight")
        if self.class_weights and len(self.class_weights) != 6:
            raise ValueError(f"class_weights needs 6 numbers, got {len(self.class_weights)}")
        return self


class OptimiserConfig(Section):
    """How weights are changed."""

    name: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Positive = 2e-3
    """Highest one, reached after the warm-up."""
    weight_decay: Weight = 1e-2
    """Of AdamW, or of SGD; not applied to norms and biases."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of SGD."""
    schedule: Literal["cosine", "one_cycle", "poly", "constant"] = "cosine"
    warm_up: Annotated[float, Field(ge=0, lt=1)] = 0.03
    """Share of the run in which the learning rate rises."""
    final: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Learning rate at the end, share of the highest."""
    clip: Weight = 1.0
    """Largest norm of the gradient; 0 leaves it alone."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.998
    """Decay of the averaged weights that are validated and exported; 0 for none."""


class RunConfig(Section):
    """How long, how fast, and what is kept."""

    iterations: Annotated[int, Field(ge=1)] | None = None
    """Length of the run; give this or `minutes`."""
    minutes: Positive | None = None
    """Length of the run; the schedule then follows the clock, so it ends annealed."""
    batch: Annotated[int, Field(ge=1, le=4096)] = 8
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    channels_last: bool = True
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Of PyTorch on a CPU; 0 leaves its choice."""
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Annotated[int, Field(ge=1)] = 1
    checkpoint_every_s: Positive = 120.0
    """Seconds between checkpoints."""
    validate_every_s: Positive = 300.0
    """Seconds between validations; the run also ends with one."""
    init_from: Path | None = None
    """Model file or checkpoint whose weights are the start; of a narrower network, widened."""

    @model_validator(mode="after")
    def _one_length(self) -> "RunConfig":
        if (self.iterations is None) == (self.minutes is None):
            raise ValueError("give either iterations or minutes")
        return self


class ValidationConfig(Section):
    """What the network is judged on while it learns."""

    pictures: Annotated[int, Field(ge=2, le=100_000)] = 64
    """How many fixed pictures, from the same sources with a seed of their own."""
    seed: Annotated[int, Field(ge=0)] = 1_000_003
    look_at: tuple[Path, ...] = ()
    """Pictures without labels (files or folders) whose predictions are painted each time."""


class TrainingConfig(Section):
    """Everything that a run depends on."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    network: NetworkConfig = NetworkConfig()
    sources: Annotated[tuple[SourceConfig, ...], Field(min_length=1)]
    stream: StreamConfig = StreamConfig()
    tiaug: TiAugConfig | None = None
    """Absent for none."""
    contrast: ContrastConfig | None = None
    """Absent for none."""
    objective: ObjectiveConfig = ObjectiveConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    run: RunConfig
    validation: ValidationConfig = ValidationConfig()


def load_config(path: Path, settings: tuple[str, ...] = ()) -> TrainingConfig:
    """Read a TOML file and check all of it.

    Parameters
    ----------
    path
        TOML file.
    settings
        Changes on top, as "run.batch=4".

    Raises
    ------
    ConfigError
        If the file cannot be read, is no TOML, or a key is unknown or has a value it may not have.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); give the path of a TOML file"
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML ({error}); correct that line") from error
    for setting in settings:
        _set(tree, setting)
    return check_config(tree, str(path))


def check_config(tree: dict[str, Any], origin: str) -> TrainingConfig:
    """Check a configuration that is already a tree of dictionaries.

    Parameters
    ----------
    tree
        As read from TOML or JSON.
    origin
        What messages call it.

    Raises
    ------
    ConfigError
        If a key is unknown or has a value it may not have; the message gives its path.
    """
    try:
        return TrainingConfig.model_validate_json(json.dumps(tree, default=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        loc = [str(part) for part in first["loc"] if part not in ("phantom", "folder")]
        key = ".".join(loc) or "run"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            said = "is not a setting; remove it or correct its name"
        elif first["type"] == "missing":
            said = "is missing; add it"
        else:
            said = f"{said}, got {first['input']!r}; correct it"
        raise ConfigError(f"{origin}: {key}: {said}{more}") from error


def _set(tree: dict[str, Any], setting: str) -> None:
    """Apply "a.b.0.c=value" to the tree, in place."""
    key, equals, text = setting.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {setting}: is no assignment; {SET_HINT}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    node: Any = tree
    try:
        for part in parts[:-1]:
            node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
        node[int(parts[-1]) if isinstance(node, list) else parts[-1]] = value
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise ConfigError(f"--set {setting}: has no place in the file; {SET_HINT}") from error
