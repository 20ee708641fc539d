"""Settings of a training run: strict TOML in, frozen models out.

Imports no torch, so that a window can build a form from these models at once.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from annotated_types import Unit
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from thermoseg.errors import ConfigError, ThermoSegError
from thermoseg.preprocess import Normalisation
from thermoseg.radiometry import KELVIN
from thermoseg.terminal import printable
from trainer.degradation import DegradationConfig
from trainer.tiaug import Probability, TiAugConfig

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Folder = Annotated[Path, Field(json_schema_extra={"format": "directory-path"})]
"""A path of which a form knows that it is a folder's; it need not exist yet."""
Checked = TypeVar("Checked", bound=BaseModel)

DEEPEST_PX: Final = 32
"""Side of what a network makes one place of, where batch normalisation needs two values."""
MOST_BYTES: Final = 1_000_000
"""Largest TOML file that is read; a recipe has a few thousand bytes."""
MOST_SHOWN: Final = 80
"""Characters of a wrong value in a message."""
MOVED: Final = {"tiaug.height": "stream.height", "tiaug.width": "stream.width"}
"""Keys that had no effect of their own and are gone, and those that have it."""
LENGTHS: Final = {("run", "iterations"), ("run", "minutes")}
"""Keys of which a run has one."""

LABEL_LOSSES: Final = ("bce", "dice", "rmi", "sam_cl", "seg_an", "seg_gan")
"""Losses that a network can learn its labels from without the cross-entropy."""

SET_HINT: Final = "write KEY=VALUE, for example run.batch=4"


class Section(BaseModel):
    """Part of a configuration: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class NetworkConfig(Section):
    """Architecture of the network that is trained."""

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
    """Number of different pictures, eight of each person; 0 for endless."""


class FolderConfig(Section):
    """Your own pictures, in folders and subfolders, each with labels or landmarks beside it."""

    kind: Literal["folder"]
    path: Folder
    """Folder with .npy, .tif, .png, .bmp or .jpg pictures."""
    labels: Folder | None = None
    """Folder, with the same subfolders, that holds `<stem>.png` (labels), `<stem>.ljson` or
    `<stem>.pts` (68 landmarks); None means `<stem>_labels.png` or landmarks beside a picture."""
    scale_k: Annotated[Positive, Field(examples=[0.01]), Unit("K")] | None = None
    """Kelvin per count of 16-bit pictures, such as 0.01 or 0.04; None leaves them as counts."""
    offset_c: Annotated[float, Field(allow_inf_nan=False), Unit("°C")] = -KELVIN
    """Temperature of count 0 if `scale_k` is given, °C."""
    first_pixel: Literal[0, 1] = 1
    """Number that .pts files give the first row and column; iBUG's count from 1."""
    subject: str | None = None
    """Regular expression whose one group finds the person in a picture's path within the folder,
    such as "^(s[0-9]+)_"; None where every picture shows somebody else."""
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0.15
    """Share of the people (or pictures, without `subject`) that the run is validated on and never
    learns from; always the same ones, chosen by a hash of their names."""
    validation_subjects: tuple[str, ...] = ()
    """Exactly these people instead of a share."""
    validation_path: Folder | None = None
    """Another folder to be validated on instead of a share, its labels beside its pictures."""
    weight: Positive = 1.0
    """Share of the pictures that come from here, against the other sources."""

    @model_validator(mode="after")
    def _one_way_to_split(self) -> "FolderConfig":
        if self.subject is not None:
            try:
                groups = re.compile(self.subject).groups
            except re.error as error:
                raise ValueError(
                    f"subject is no regular expression ({error}); correct it"
                ) from error
            if groups != 1:
                raise ValueError(f"subject needs exactly one group ( ), has {groups}; correct it")
        elif self.validation_subjects:
            raise ValueError("validation_subjects needs subject, which tells people apart; add it")
        if self.validation_subjects and self.validation_path is not None:
            raise ValueError("give either validation_subjects or validation_path")
        return self


class ThermalFaceDbConfig(Section):
    """The Thermal Face Database (Kopaczka et al., I2MTC 2018) as its owners hand it out."""

    kind: Literal["thermal_face_db"]
    path: Folder
    """Folder with `<x>_subNNN_<x>.npy` and landmark files `.ljson` of the same stems."""
    cache: Folder | None = None
    """Folder for the prepared pictures, 1.2 GB; None means the user's cache."""
    validation_subjects: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9]{3}$")], ...], Field(min_length=1)
    ] = (
        *("007", "009", "011", "012", "013", "017", "021", "023"),
        *("052", "061", "068", "069", "075", "085", "090", "091"),
    )
    """Whom the run is validated on; the default is the split of Joshi et al., BMVC 2022."""
    weight: Positive = 1.0
    """Share of the pictures that come from here, against the other sources."""


SourceConfig = Annotated[
    PhantomConfig | FolderConfig | ThermalFaceDbConfig, Field(discriminator="kind")
]


class StreamConfig(Section):
    """How pictures become batches."""

    height: Annotated[int, Field(ge=32, le=2048), Unit("px")] = 256
    """Height of the network's input, pixels."""
    width: Annotated[int, Field(ge=32, le=2048), Unit("px")] = 320
    """Width of the network's input, pixels."""
    normalisations: Annotated[tuple[Normalisation, ...], Field(min_length=1)] = ("percentile",)
    """One is drawn for each picture; the first is the model's.  The paper's is "minmax", which one
    hot or cold object in the picture is enough to squeeze a face with."""
    augment: Probability = 1.0
    """Chance that a picture is augmented at all."""
    repeats: Annotated[float, Field(ge=1, le=1000)] = 1.0
    """Mean number of uses of a rendered picture, each time with fresh augmentation."""
    window: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Newest pictures of a lane from which repeats are drawn."""
    lanes: Annotated[int, Field(ge=1, le=64)] = 2
    """Independent streams whose batches take turns.  Part of what a seed reproduces, unlike the
    number of workers, which is best equal to it."""
    workers: Annotated[int, Field(ge=0, le=64)] = 2
    """Processes that make batches; 0 makes them in the training process."""


def _cross_entropy_beside(others: dict[str, Any]) -> float:
    """Return the weight of the cross-entropy where none is given, from those of the others."""
    return 0.0 if any(others.get(name) for name in LABEL_LOSSES) else 1.0


class ObjectiveConfig(Section):
    """Weight of each loss in the sum; 0 leaves it out.

    The paper's objective is `rmi = 1.0` and `sam_cl = 0.5`.
    """

    bce: Weight = Field(default=0.0, title="Binary cross-entropy")
    """Cross-entropy of each class on its own, against all others."""
    dice: Weight = Field(default=0.0, title="Dice")
    """One less the mean Dice coefficient of the classes."""
    rmi: Weight = Field(default=0.0, title="RMI")
    """Region mutual information; the paper: 1."""
    sam_cl: Weight = Field(default=0.0, title="SAM-CL")
    """The paper: 0.5, beside 1 for RMI."""
    contrastive: Weight = Field(default=0.0, title="Contrastive")
    """Between pixels (ContrastiveSeg); published with 0.1, 256 channels and a memory of 5000."""
    seg_an: Weight = Field(default=0.0, title="SegAN")
    """Loss of the critic of SegAN, which compares features of right and predicted masks."""
    seg_gan: Weight = Field(default=0.0, title="SegGAN")
    """Loss of the critic and painter of SegGAN, which paint the picture again from the mask."""
    seg_gan_from: Annotated[float, Field(ge=0, lt=1, title="SegGAN from")] = 0.4
    """Share of the run in which SegGAN's painter learns and has no say yet; the network learns
    from the other losses meanwhile, so give it one, or a trained start and 0 here."""
    cross_entropy: Weight = Field(default_factory=_cross_entropy_beside)
    """Where it is not given: 0 if any other loss of the labels has a weight, so that what is named
    is all there is, else 1.  `contrastive` compares features and comes on top of either."""
    class_weights: tuple[Weight, ...] = ()
    """Importance of background, chin, mouth, eyes, eyebrows, nose in the two cross-entropies."""
    margin: Weight = 1.0
    """Margin of SAM-CL's triplets."""
    triplets: Literal["batch", "place"] = "place"
    """What one triplet of SAM-CL is: each pixel and each place of its coarser scales, or a whole
    batch, as in the paper's code, where what is right already soon hides what is wrong."""
    temperature: Positive = 1.0
    """Divides the features that SAM-CL compares at its coarser scales."""
    contrastive_temperature: Positive = 0.1
    """Divides the similarities that the contrastive loss compares."""
    contrastive_channels: Annotated[int, Field(ge=2, le=1024)] = 64
    """Channels of the embeddings that the contrastive loss compares."""
    contrastive_memory: Annotated[int, Field(ge=0, le=100_000)] = 512
    """Pixels, and as many regions, remembered per class; 0 compares within a batch only."""
    critic_width: Annotated[int, Field(ge=1, le=512)] = 16
    """Channels of the first level of the networks that SegAN and SegGAN learn."""
    critic_learning_rate: Positive = 2e-4
    """Learning rate of the critics' Adam, constant over the run."""

    @model_validator(mode="after")
    def _something_to_minimise(self) -> "ObjectiveConfig":
        pixelwise = self.cross_entropy or self.bce or self.dice or self.rmi
        if not (pixelwise or self.sam_cl or self.contrastive or self.seg_an or self.seg_gan):
            raise ValueError("all losses have weight 0; give at least one a weight")
        if self.class_weights and len(self.class_weights) != 6:
            raise ValueError(
                f"class_weights needs 6 numbers, got {len(self.class_weights)}; correct it"
            )
        if self.class_weights and not any(self.class_weights):
            raise ValueError("class_weights are all 0; give at least one class a weight")
        return self


class OptimiserConfig(Section):
    """Optimiser, schedule and moving average of the weights."""

    name: Literal["adamw", "sgd"] = "adamw"
    """Kind of the optimiser."""
    learning_rate: Positive = 2e-3
    """Highest one, reached after the warm-up."""
    weight_decay: Weight = 1e-2
    """Weight decay of AdamW or SGD; not applied to norms and biases."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Momentum of SGD."""
    schedule: Literal["cosine", "one_cycle", "poly", "constant"] = "cosine"
    """How the learning rate goes on after the warm-up."""
    warm_up: Annotated[float, Field(ge=0, lt=1)] = 0.03
    """Share of the run in which the learning rate rises."""
    final: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Learning rate at the end, as a fraction of the highest."""
    clip: Weight = 1.0
    """Largest norm of the gradient; 0 leaves it alone."""
    ema: Annotated[float, Field(ge=0, lt=1, title="Moving average")] = 0.998
    """Decay of the averaged weights that are validated and exported; 0 for none."""


class RunConfig(Section):
    """Length, batch, precision and device of the run, and what is kept."""

    iterations: Annotated[int, Field(ge=1, examples=[1000])] | None = None
    """Length of the run; give this or `minutes`."""
    minutes: Annotated[Positive, Field(examples=[5.0]), Unit("min")] | None = None
    """Length of the run; the schedule then follows the clock, so it ends annealed."""
    batch: Annotated[int, Field(ge=1, le=4096)] = 8
    """Pictures of each process in an iteration."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Bits of the numbers that the network computes with."""
    channels_last: bool = True
    """Keep the channels of a pixel side by side in memory, which is faster on most machines."""
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Threads of PyTorch on a CPU; 0 leaves the choice to PyTorch."""
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    """What the network learns on; auto takes a GPU where there is one."""
    devices: Annotated[int, Field(ge=1, le=1024)] = 1
    """Processes on each machine, one for each GPU; `torchrun` says it itself."""
    nodes: Annotated[int, Field(ge=1, le=4096)] = 1
    """Machines that train together."""
    joint_loss: bool = True
    """Each of several processes computes the losses of the whole batch, which makes exactly the
    model that one process would make of it; false: of its own part only, cheaper with many."""
    checkpoint_every_s: Annotated[Positive, Unit("s")] = 120.0
    """Seconds between checkpoints."""
    checkpoint_every: (
        Annotated[int, Field(ge=1, title="Iterations between checkpoints", examples=[1000])] | None
    ) = None
    """Iterations between checkpoints, in place of the seconds."""
    validate_every_s: Annotated[Positive, Unit("s")] = 300.0
    """Seconds between validations; the run also ends with one."""
    validate_every: (
        Annotated[int, Field(ge=1, title="Iterations between validations", examples=[1000])] | None
    ) = None
    """Iterations between validations, in place of the seconds."""
    patience: Annotated[int, Field(ge=1, examples=[10])] | None = None
    """The run ends after so many validations in a row without a better mean IoU."""
    tensorboard: bool = Field(default=True, title="TensorBoard")
    """Write TensorBoard's event files beside `metrics.jsonl`."""
    read_every: (
        Annotated[int, Field(ge=1, le=1000, title="Steps read together", examples=[10])] | None
    ) = None
    """Steps whose losses are fetched and looked at together; None: each on a CPU, where it costs
    nothing, and ten on a GPU, which has to be waited for."""
    compile: bool = False
    """Compile the network (torch.compile); where that fails the run goes on without it."""
    init_from: Annotated[Path, Field(title="Start from")] | None = None
    """Model file or checkpoint whose weights are the start; of a narrower network, widened."""

    @model_validator(mode="after")
    def _one_length(self) -> "RunConfig":
        if (self.iterations is None) == (self.minutes is None):
            raise ValueError("give either iterations or minutes, and not both")
        return self


class ValidationConfig(Section):
    """Validation of the network while it learns."""

    pictures: Annotated[int, Field(ge=2, le=100_000)] = 64
    """How many are drawn with a seed of their own: half as they are, from sources without end,
    and half augmented, from what all sources keep from training."""
    most: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """A data set or folder is validated on all that it keeps from training, up to so many."""
    seed: Annotated[int, Field(ge=0)] = 1_000_003
    """Chooses the pictures; another one than the run's, which must not have seen them."""
    look_at: tuple[Path, ...] = ()
    """Pictures without labels (files or folders) whose predictions are painted each time."""


class TrainingConfig(Section):
    """Everything that a run depends on."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Chooses first weights, pictures and augmentation: the same seed gives the same run."""
    network: NetworkConfig = NetworkConfig()
    """Architecture of the network that is trained."""
    sources: Annotated[tuple[SourceConfig, ...], Field(min_length=1)]
    """Where pictures and labels come from."""
    stream: StreamConfig = StreamConfig()
    """How pictures become batches."""
    tiaug: TiAugConfig | None = None
    """Changes of the scene: objects, noise, geometry; absent for none."""
    contrast: DegradationConfig | None = None
    """Changes of the picture, as cameras and viewers make them; absent for none."""
    objective: ObjectiveConfig = ObjectiveConfig()
    """Weight of each loss in the sum."""
    optimiser: OptimiserConfig = OptimiserConfig()
    """Optimiser, schedule and moving average of the weights."""
    run: RunConfig
    """Length, batch, precision and device, and what is kept."""
    validation: ValidationConfig = ValidationConfig()
    """Validation of the network while it learns."""

    @model_validator(mode="after")
    def _validated_on_others(self) -> "TrainingConfig":
        if self.seed == self.validation.seed:
            raise ValueError(
                "validation.seed must differ from seed, or a run is validated on what it learnt"
            )
        return self

    @model_validator(mode="after")
    def _enough_to_normalise_over(self) -> "TrainingConfig":
        if self.run.batch == 1 and max(self.stream.height, self.stream.width) <= DEEPEST_PX:
            raise ValueError(
                f"run.batch must be at least 2 with pictures of {DEEPEST_PX} x {DEEPEST_PX}, which "
                f"are a single place at the deepest level; raise it, or the size in stream"
            )
        return self


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
    tree = read_toml(path)
    for setting in settings:
        apply_setting(tree, setting)
    return check_config(tree, str(path))


def changed_config(config: TrainingConfig, settings: tuple[str, ...]) -> TrainingConfig:
    """Return `config` with changes such as "run.batch=4".

    Raises
    ------
    ConfigError
        If a key is unknown or has a value it may not have.
    """
    tree = config.model_dump(mode="json")
    for setting in settings:
        apply_setting(tree, setting)
    return check_config(tree, "--set")


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
    return check_tree(TrainingConfig, tree, origin)


def check_kept_config(tree: dict[str, Any], origin: str) -> TrainingConfig:
    """Check the configuration of a run or checkpoint, which an older version may have written.

    Parameters
    ----------
    tree
        As read from JSON; left untouched.
    origin
        What messages call it.

    Raises
    ------
    ConfigError
        If a key is unknown or has a value it may not have.
    """
    kept = dict(tree)
    for key in MOVED:
        section, _, name = key.partition(".")
        if isinstance(kept.get(section), dict):
            kept[section] = {k: value for k, value in kept[section].items() if k != name}
    return check_config(kept, origin)


@contextmanager
def under_key(key: str) -> Iterator[None]:
    """Say which setting is at fault in whatever goes wrong inside.

    Raises
    ------
    ConfigError
        Instead of an error with a remedy or a `ValueError`, with `key` before its message.
    """
    try:
        yield
    except ConfigError:
        raise
    except ThermoSegError as error:  # which says itself what to do
        raise ConfigError(f"{key}: {error}") from error
    except ValueError as error:
        raise ConfigError(f"{key}: {error}; correct it") from error


def check_tree(model: type[Checked], tree: dict[str, Any], origin: str) -> Checked:
    """Make a `model` of a tree of dictionaries.

    Parameters
    ----------
    model
        What the tree must hold.
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
        text = json.dumps(tree, default=str)
    except (RecursionError, ValueError) as error:
        raise ConfigError(
            f"{printable(origin)}: is nested too deeply or holds a number that is too long; no "
            f"setting needs that"
        ) from error
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        faults = error.errors()
        if faults[0]["type"] == "json_invalid":
            raise ConfigError(
                f"{printable(origin)}: is nested too deeply; no setting needs that"
            ) from error
        # Of a list with a fault inside, pydantic says as well that it has become too short.
        inside = [fault["loc"] for fault in faults]
        own = [
            fault
            for fault in faults
            if not any(
                loc != fault["loc"] and loc[: len(fault["loc"])] == fault["loc"] for loc in inside
            )
        ]
        others = ", ".join(dict.fromkeys(_key(fault["loc"]) or "the whole" for fault in own[1:]))
        cut = f"{others[:MOST_SHOWN]}…" if len(others) > MOST_SHOWN else others
        more = f" (faults also in {printable(cut)})" if others else ""
        raise ConfigError(f"{printable(origin)}: {_complaint(own[0])}{more}") from error


def _complaint(fault: ErrorDetails) -> str:
    """Say in words what pydantic found, with the key."""
    key = _key(fault["loc"])
    match fault["type"]:
        case "extra_forbidden" if key in MOVED:
            return f"{key}: is no setting any more; set {MOVED[key]} instead"
        case "extra_forbidden":
            return f"{key}: is not a setting; remove it or correct its name"
        case "missing":
            return f"{key}: is missing; add it"
        case "union_tag_not_found":
            return f"{key}.{_discriminator(fault)}: is missing; add it"
        case "union_tag_invalid":
            context = fault["ctx"]
            return (
                f"{key}.{_discriminator(fault)}: must be one of {context['expected_tags']}, got "
                f"{_short(context['tag'])}; correct it"
            )
        case "value_error":  # of a validator of ours, which names keys and remedy itself
            said = fault["msg"].removeprefix("Value error, ")
            return f"{key}: {said}" if key else said
    return f"{key}: {fault['msg']}, got {_short(fault['input'])}; correct it"


def _discriminator(fault: ErrorDetails) -> str:
    return str(fault["ctx"]["discriminator"]).strip("'")


def _key(loc: tuple[int | str, ...]) -> str:
    """Return the dotted path of a key, as `--set` would take it."""
    parts = [str(part) for part in loc]
    if parts[:1] == ["sources"] and len(parts) > 2:
        del parts[2]  # pydantic puts the kind of the source there
    return printable(".".join(parts))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file without checking what it says.

    Raises
    ------
    ConfigError
        If it cannot be read or is no TOML.
    """
    name = printable(path)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{name}: cannot be read ({error.strerror}); give the path of a TOML file"
        ) from error
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{name}: is larger than {MOST_BYTES // 10**6} MB; give a TOML file")
    try:
        return tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except RecursionError as error:
        raise ConfigError(f"{name}: is nested too deeply; no setting needs that") from error
    except ValueError as error:  # of text, of TOML, and of a number that is too long
        raise ConfigError(f"{name}: is not TOML ({printable(error)}); correct that line") from error


def apply_setting(tree: dict[str, Any], setting: str) -> None:
    """Apply "a.b.0.c=value" to the tree, in place.

    Of the two lengths of a run, the one that is set takes the place of the other.

    Raises
    ------
    ConfigError
        If it is no assignment or has no place in the tree.
    """
    key, equals, text = setting.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {printable(setting)}: is no assignment; {SET_HINT}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except RecursionError as error:
        raise ConfigError(f"--set {_short(key)}: is nested too deeply; {SET_HINT}") from error
    except ValueError:
        value = text
    node: Any = tree
    try:
        for part in parts[:-1]:
            node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
        node[int(parts[-1]) if isinstance(node, list) else parts[-1]] = value
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"--set {printable(setting)}: has no place in the file; {SET_HINT}"
        ) from error
    if tuple(parts) in LENGTHS:
        for _, other in LENGTHS - {tuple(parts)}:
            node.pop(other, None)
