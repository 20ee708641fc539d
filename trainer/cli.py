"""`thermoseg-train`: train a network, judge it, and make a model file of it."""

import argparse
import json
import math
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thermoseg.errors import ThermoSegError, TrainingError
from trainer.config import TrainingConfig, check_config, load_config

if TYPE_CHECKING:
    from trainer.loop import Progress

LINE_EVERY_S = 15.0
"""Between progress lines where there is no terminal to rewrite one in."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0 done, 1 failed, 2 wrong usage, 3 stopped early."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ThermoSegError as error:
        print(f"thermoseg-train: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="thermoseg-train", description="Train networks that segment thermal faces."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a network as a TOML file says")
    train.add_argument("config", type=Path, nargs="?", help="TOML file; not needed to resume")
    train.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="such as run.batch=4"
    )
    train.add_argument("--out", type=Path, help="folder of the run (default: runs/<file>-<time>)")
    train.add_argument("--resume", type=Path, metavar="DIR", help="go on with the run in DIR")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="print the overlap per region")
    evaluate.add_argument("model", type=Path, help="model file, checkpoint, or folder of a run")
    evaluate.add_argument("--config", type=Path, help="judge on this file's sources instead")
    evaluate.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    evaluate.set_defaults(run=_evaluate)

    export = commands.add_parser("export", help="make a model file of a checkpoint")
    export.add_argument("checkpoint", type=Path, help="checkpoint, or folder of a run")
    export.add_argument("--name", required=True, help="such as face-compact")
    export.add_argument("--out", type=Path, required=True, help="ends in .safetensors")
    export.add_argument("--half", action="store_true", help="store half precision")
    export.add_argument("--data", default="", help="what it was trained on, in words")
    export.add_argument("--notes", default="", help="where it works and fails, in words")
    export.add_argument("--licence", default="GPL-3.0-or-later")
    export.set_defaults(run=_export)
    return parser


def _train(options: argparse.Namespace) -> int:
    settings = tuple(options.set)
    if options.resume is not None:
        folder, about = options.resume, _read_about(options.resume)
        tree = about["config"]
        if settings or options.config is not None:
            raise TrainingError(
                f"{folder}: a resumed run keeps its settings; leave the file and --set out, or "
                f"start a new run with run.init_from"
            )
        config = check_config(tree, str(folder / "run.json"))
    elif options.config is None:
        raise TrainingError("nothing to train; give a TOML file, or --resume with a run's folder")
    else:
        config = load_config(options.config, settings)
        stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        folder = options.out or Path("runs") / f"{options.config.stem}-{stamp}"
        if (folder / "run.json").exists():
            raise TrainingError(f"{folder}: holds a run already; choose another --out or --resume")
        _write_about(folder, config, ["train", str(options.config), *_as_flags(settings)])

    from trainer.loop import Training

    training = Training(config, folder, _Reporter())
    if options.resume is not None:
        training.resume()
    print(f"training in {folder}", flush=True)
    outcome = training.fit()
    for name, scores in outcome.scores.items():
        print(f"{name}: {scores}")
    if not outcome.finished:
        print(f"stopped at iteration {outcome.iteration}; go on with --resume {folder}")
        return 3
    print(f"finished after {outcome.iteration} iterations; the checkpoint is {folder}/last.ckpt")
    return 0


class _Reporter:
    """Prints one line of progress: rewritten in a terminal, now and then elsewhere."""

    def __init__(self) -> None:
        self._printed_s = -math.inf

    def __call__(self, progress: "Progress") -> None:
        """Print `progress`."""
        live = sys.stdout.isatty()
        if progress.scores:
            for name, scores in progress.scores.items():
                print(f"{chr(13) if live else ''}{progress.iteration:7d} {name}: {scores}")
            sys.stdout.flush()
            return
        if not live and time.monotonic() - self._printed_s < LINE_EVERY_S:
            return
        self._printed_s = time.monotonic()
        losses = " ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
        left = "" if math.isnan(progress.left_s) else f"{progress.left_s / 60:.1f} min left"
        line = (
            f"{progress.iteration:7d} {100 * progress.fraction:5.1f} % {losses} "
            f"lr {progress.learning_rate:.1e} {progress.images_per_s:.1f} images/s "
            f"(waiting {100 * progress.waiting:.0f} %) {left}"
        )
        print(f"\r{line:<118}" if live else line, end="" if live else "\n", flush=True)


def _evaluate(options: argparse.Namespace) -> int:
    import torch

    from thermoseg.models import load_model
    from trainer.datasets import to_tensors, validation_pictures
    from trainer.metrics import Confusion

    settings = tuple(options.set)
    if options.model.suffix == ".safetensors":
        if options.config is None:
            raise TrainingError(f"{options.model}: holds no settings; give --config as well")
        network = load_model(options.model)[0]
        config = load_config(options.config, settings)
    else:
        network, config, _ = _network_of(options.model)
        if options.config is not None:
            config = load_config(options.config, settings)
    network.eval()
    pictures = validation_pictures(config)
    half = len(pictures) // 2
    with torch.inference_mode():
        for name, part in (("plain", pictures[:half]), ("augmented", pictures[half:])):
            confusion = Confusion()
            for first in range(0, len(part), config.run.batch):
                images, labels = to_tensors(part[first : first + config.run.batch])
                predicted = network(images).argmax(1).to(torch.uint8)
                confusion.add(labels.numpy(), predicted.numpy())
            print(f"{name}: {confusion.scores()}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from thermoseg.models import ModelHeader, save_model

    network, config, iterations = _network_of(options.checkpoint)
    folder = options.checkpoint if options.checkpoint.is_dir() else options.checkpoint.parent
    about = _read_about(folder)
    header = ModelHeader(
        name=options.name,
        network=config.network.name,
        width=config.network.width,
        input_height=config.stream.height,
        input_width=config.stream.width,
        normalisation=config.stream.normalisations[0],
        command=about["command"],
        seed=config.seed,
        iterations=iterations,
        phantom_version=about["phantom_version"],
        data=options.data,
        licence=options.licence,
        notes=" ".join(filter(None, [options.notes, f"Revision {about['revision']}."])),
        trained_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    digest = save_model(options.out, network, header, half=options.half)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB, sha256 {digest}")
    return 0


def _network_of(path: Path) -> tuple[Any, TrainingConfig, int]:
    """Load the averaged network of a checkpoint, its settings and its iterations."""
    from thermoseg.labels import NUM_CLASSES
    from thermoseg.networks.build import build
    from trainer.checkpoint import load_checkpoint

    state = load_checkpoint(path)
    config = check_config(json.loads(state["config"]), str(path))
    network = build(config.network.name, NUM_CLASSES, config.network.width)
    network.load_state_dict(state["averaged"])
    return network, config, int(state["iteration"])


def _write_about(folder: Path, config: TrainingConfig, arguments: list[str]) -> None:
    """Save what an exported model must say of the run, and all settings."""
    about = {
        "command": shlex.join(["thermoseg-train", *arguments]),
        "revision": _revision(),
        "phantom_version": _phantom_version(config),
        "config": config.model_dump(mode="json"),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "run.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    except OSError as error:
        raise TrainingError(
            f"{folder}: cannot be written ({error.strerror}); choose another --out"
        ) from error


def _read_about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{folder}: holds no run (run.json cannot be read); give the folder of a run"
        ) from error
    if not isinstance(about, dict) or "config" not in about:
        raise TrainingError(f"{folder}: its run.json is damaged; start the run anew")
    return about


def _as_flags(settings: tuple[str, ...]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def _phantom_version(config: TrainingConfig) -> str:
    if not any(source.kind == "phantom" for source in config.sources):
        return ""
    from thermoseg.phantom.pictures import PHANTOM_VERSION

    return PHANTOM_VERSION


def _revision() -> str:
    """Name the revision of a checkout that is being trained from, or say that there is none."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607 - whichever git is installed
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return described.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
