"""`thermoseg-train`: train a network, evaluate it, and make a model file of it."""

import argparse
import json
import logging
import math
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from thermoseg.errors import ThermoSegError, TrainingError
from thermoseg.terminal import open_closed_streams, printable
from trainer.config import (
    TrainingConfig,
    changed_config,
    check_kept_config,
    load_config,
)
from trainer.run_folder import (
    ABOUT,
    BEST,
    LAST,
    begin_run,
    forget_run,
    note_process,
    present_paths,
    read_about,
)

if TYPE_CHECKING:
    from trainer.loop import Training
    from trainer.progress import Progress

LINE_EVERY_S: Final = 15.0
"""Interval between progress lines where there is no terminal to rewrite one in."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status.

    0 done, 1 failed, 2 wrong usage, 3 stopped before its end, 130 interrupted.
    """
    open_closed_streams()
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ThermoSegError as error:
        print(f"thermoseg-train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("thermoseg-train: interrupted", file=sys.stderr)
        return 130


def run() -> NoReturn:
    """Run one command as the program `thermoseg-train`, and end the process."""
    code = main()
    if "trainer.parallel" in sys.modules:  # most commands do without PyTorch
        from trainer.parallel import end_process

        end_process(code)
    sys.exit(code)


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
    evaluate.add_argument("--config", type=Path, help="evaluate on this file's sources instead")
    evaluate.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    evaluate.set_defaults(run=_evaluate)

    export = commands.add_parser("export", help="make a model file of a checkpoint")
    export.add_argument("checkpoint", type=Path, help="checkpoint, or folder of a run")
    export.add_argument("--name", required=True, help="such as face-compact")
    export.add_argument("--out", type=Path, required=True, help="ends in .safetensors or .onnx")
    export.add_argument("--half", action="store_true", help=".safetensors in half precision")
    export.add_argument("--data", default="", help="what it was trained on, in words")
    export.add_argument("--notes", default="", help="where it works and fails, in words")
    export.add_argument("--licence", default="GPL-3.0-or-later")
    export.set_defaults(run=_export)

    tiaug = commands.add_parser("tiaug", help="measure and paint what TiAug does to pictures")
    tiaug.add_argument(
        "--data", required=True, help="phantom, a folder of labelled pictures, or a TOML file"
    )
    tiaug.add_argument("--out", type=Path, required=True, help="folder for tables and pictures")
    tiaug.add_argument(
        "--pictures", type=int, default=473, help="how many at most; default: 473, as in the paper"
    )
    tiaug.add_argument("--seed", type=int, default=1)
    tiaug.set_defaults(run=_tiaug)

    benchmark = commands.add_parser("benchmark", help="train the paper's tables anew")
    benchmark.add_argument("--table", type=int, choices=(1, 2), required=True)
    benchmark.add_argument("--data", required=True, help="phantom, or the database's folder")
    benchmark.add_argument("--out", type=Path, help="folder of all runs; --list needs none")
    benchmark.add_argument(
        "--rows", nargs="+", default=[], metavar="ROW", help="such as unet/rmi or 'unet/*'"
    )
    benchmark.add_argument("--seeds", type=_seeds, help="such as 1,2,3")
    benchmark.add_argument(
        "--scale", choices=("full", "small"), help="default: full on data, small on the phantom"
    )
    benchmark.add_argument("--config", type=Path, help="a table's TOML file of your own")
    benchmark.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="such as run.iterations=99"
    )
    benchmark.add_argument("--list", action="store_true", help="name the runs and end")
    benchmark.set_defaults(run=_benchmark, refuse=benchmark.error)
    return parser


def _train(options: argparse.Namespace) -> int:
    report = _Reporter(_is_first_process())
    training, folder, config = _begin(options, report)
    with report:
        report.say(f"training in {folder}")
        outcome = training.fit()
    training.close()
    for name, scores in outcome.scores.items():
        report.say(f"{name}: {scores}")
    if not outcome.finished:
        report.say(f"stopped at iteration {outcome.iteration}; go on with --resume {folder}")
        return 3
    if outcome.early:
        report.say(f"nothing became better for run.patience = {config.run.patience} validations")
    report.say(
        f"finished after {outcome.iteration} iterations; the checkpoint is {folder / LAST}, "
        f"the best (mean IoU {outcome.best_score:.3f}) {folder / BEST}"
    )
    training.close()
    return 0


def _begin(
    options: argparse.Namespace, report: "_Reporter"
) -> tuple["Training", Path, TrainingConfig]:
    """Make a new run, or take up the one to resume.

    What is refused or interrupted leaves nothing behind, so that the corrected one may begin.
    """
    settings = tuple(options.set)
    with ExitStack() as undo:
        if options.resume is not None:
            folder, about = options.resume, read_about(options.resume)
            if settings or options.config is not None:
                raise TrainingError(
                    f"{printable(folder)}: a resumed run keeps its settings; leave the file and "
                    f"--set out, or start a new run with run.init_from"
                )
            config = check_kept_config(about["config"], str(folder / ABOUT))
        elif options.config is None:
            raise TrainingError(
                "nothing to train; give a TOML file, or --resume with a run's folder"
            )
        else:
            config = load_config(options.config, settings)
            stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
            folder = options.out or Path("runs") / f"{options.config.stem}-{stamp}"
            if report.speaks:
                undo.callback(forget_run, folder, present_paths(folder))
                begin_run(folder, config, ["train", str(options.config), *_as_flags(settings)])

        from trainer.checkpoint import has_checkpoint
        from trainer.loop import Training

        logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
        training = Training(config, folder, report)
        undo.pop_all()
    if options.resume is not None and report.speaks:
        note_process(folder)
    if options.resume is not None and has_checkpoint(folder):
        training.resume()
    elif options.resume is not None:
        report.say("no checkpoint was saved yet, so the run starts from its beginning")
    return training, folder, config


def _is_first_process() -> bool:
    """Say whether this process speaks for all that train together (torchrun, SLURM, or our own)."""
    if "RANK" in os.environ:
        return os.environ["RANK"] == "0"
    if "LOCAL_RANK" in os.environ or "NODE_RANK" in os.environ:
        return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "NODE_RANK"))
    return os.environ.get("SLURM_PROCID", "0") == "0"


class _Reporter:
    """Shows how it goes: a bar in a terminal, a line now and then elsewhere."""

    def __init__(self, speaks: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.speaks = speaks
        self._printed_s = -math.inf
        self._console = Console(highlight=False, soft_wrap=True)
        self._bar = Progress(
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:5.1f} % {task.description}", markup=False),
            console=self._console,
            auto_refresh=False,
        )
        self._task = self._bar.add_task("", total=1.0)
        self._shows_bar = speaks and self._console.is_terminal

    def __enter__(self) -> Self:
        if self._shows_bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shows_bar:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        if self.speaks:
            self._console.print(line, markup=False)

    def __call__(self, progress: "Progress") -> None:
        """Show `progress`."""
        for name, scores in progress.scores.items():
            self.say(f"{progress.iteration:7d} {name}: {scores}")
        if progress.scores or not progress.losses:
            return
        losses = " ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
        left = "" if math.isnan(progress.left_s) else f"{progress.left_s / 60:.1f} min left"
        told = (
            f"{losses} lr {progress.learning_rate:.1e} {progress.images_per_s:.1f} images/s "
            f"(waiting {100 * progress.waiting:.0f} %) {left}"
        )
        if self._shows_bar:
            self._bar.update(
                self._task,
                completed=min(progress.fraction, 1.0),
                description=f"{progress.iteration} {told}",
                refresh=True,
            )
        elif time.monotonic() - self._printed_s >= LINE_EVERY_S:
            self._printed_s = time.monotonic()
            self.say(f"{progress.iteration:7d} {100 * progress.fraction:5.1f} % {told}")


def _evaluate(options: argparse.Namespace) -> int:
    from thermoseg.models import ONNX_SUFFIX, SUFFIX, load_model
    from trainer.datasets import validation_sets
    from trainer.evaluation import choose_device, evaluate

    model, settings = options.model, tuple(options.set)
    if model.suffix == ONNX_SUFFIX:
        raise TrainingError(
            f"{printable(model)}: ONNX files cannot be evaluated; give the run or its {SUFFIX} file"
        )
    if model.suffix == SUFFIX:
        if options.config is None:
            raise TrainingError(f"{printable(model)}: holds no settings; give --config as well")
        network, header = load_model(model)
        normalisation = header.normalisation
        config = load_config(options.config, settings)
    else:
        network, config, _ = _network_of(model)
        normalisation = config.stream.normalisations[0]
        if options.config is not None:
            config = load_config(options.config, settings)
        elif settings:
            config = changed_config(config, settings)
    # Other data are seen as the network has learnt to see.
    stream = config.stream.model_copy(update={"normalisations": (normalisation,)})
    config = config.model_copy(update={"stream": stream})
    device = choose_device(config.run)
    for name, pictures in validation_sets(config).items():
        print(f"{name}: {evaluate(network, pictures, config.run.batch, device).scores()}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from thermoseg.models import ONNX_SUFFIX, SUFFIX, ModelHeader, save_model, save_onnx
    from trainer.own_network import is_own

    out, as_onnx = options.out, options.out.suffix == ONNX_SUFFIX
    if out.suffix not in (SUFFIX, ONNX_SUFFIX):
        raise TrainingError(f"--out {printable(out)}: must end in {SUFFIX} or {ONNX_SUFFIX}")
    if as_onnx and options.half:
        raise TrainingError(f"--half is for {SUFFIX} files; leave it out")
    network, config, state = _network_of(options.checkpoint)
    own = is_own(config.network.name)
    if own and not as_onnx:
        raise TrainingError(
            f"{config.network.name} is a network of your own, which {SUFFIX} files cannot hold "
            f"because they never name code; export it with --out "
            f"{printable(out.with_suffix('.onnx'))}"
        )
    folder = options.checkpoint if options.checkpoint.is_dir() else options.checkpoint.parent
    about = read_about(folder)
    origin = [f"Network {config.network.name}."] if own else []
    try:
        header = ModelHeader(
            name=options.name,
            network="own" if own else config.network.name,
            width=config.network.width,
            input_height=config.stream.height,
            input_width=config.stream.width,
            normalisation=config.stream.normalisations[0],
            command=about["command"],
            seed=config.seed,
            iterations=int(state["iteration"]),
            phantom_version=about["phantom_version"],
            data=options.data,
            licence=options.licence,
            notes=" ".join(
                filter(None, [options.notes, *origin, f"Revision {about['revision']}."])
            ),
            trained_utc=state.get("saved_utc", ""),  # of the export, it would differ each time
        )
    except ValidationError as error:
        raise TrainingError(
            f"--name {options.name}: must be letters, digits, dots and dashes, such as face-compact"
        ) from error
    if as_onnx:
        digest = save_onnx(out, network, header)
    else:
        digest = save_model(out, network, header, half=options.half)
    print(f"{printable(out)}: {out.stat().st_size / 1e6:.1f} MB, sha256 {digest}")
    return 0


def _tiaug(options: argparse.Namespace) -> int:
    from trainer import analysis

    if options.pictures < 1 or options.seed < 0:
        raise TrainingError("--pictures must be at least 1 and --seed at least 0")
    data = analysis.choose_data(options.data)
    contrasts = analysis.compare(analysis.draw_pairs(data, options.pictures, options.seed))
    analysis.save_analysis(options.out, contrasts)
    analysis.save_examples(options.out, data, options.seed)
    print(
        f"Mean of the face less mean of the background, {_pictures(len(contrasts.before))}, "
        f"stretched to 0-1:"
    )
    for name, values, published in (
        ("original", contrasts.before, analysis.PUBLISHED_BEFORE),
        ("TiAug", contrasts.after, analysis.PUBLISHED_AFTER),
    ):
        low, middle, high = analysis.quartiles(values)
        known = sum(map(math.isfinite, values.tolist()))
        theirs = f"{published[1]:.2f} ({published[0]:.2f} to {published[2]:.2f})"
        print(
            f"  {name:9} median {middle:.2f}, quartiles {low:.2f} to {high:.2f}, "
            f"{_pictures(known)}; published {theirs}"
        )
    print(f"Pictures and tables are in {options.out}")
    return 0


def _pictures(count: int) -> str:
    return f"{count} picture{'s' if count != 1 else ''}"


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if len(set(parts)) < len(parts) or not all(map(str.isdecimal, parts)):
        raise argparse.ArgumentTypeError(
            f"must be different whole numbers with commas between, such as 1,2,3, got “{text}”"
        )
    return tuple(map(int, parts))


def _benchmark(options: argparse.Namespace) -> int:
    if options.out is None and not options.list:
        options.refuse("the following arguments are required: --out")
    from thermoseg.assets import asset
    from trainer import benchmark

    scale = options.scale or ("small" if options.data == benchmark.PHANTOM else "full")
    path = options.config or asset(f"training/table-{scale}.toml")
    table = benchmark.load_table(path)
    data = benchmark.choose_data(table, options.data)
    rows = benchmark.choose_rows(options.table, options.rows, table.networks)
    seeds = options.seeds or table.seeds
    runs = benchmark.plan_runs(table, data, rows, seeds, options.out or Path(), options.set)
    if options.list:
        print("\n".join(run.name for run in runs))
        return 0
    benchmark.refuse_missing_devices(runs)
    ending = benchmark.Benchmark(
        options.table, runs, data.judged, options.out, lambda said: print(said, flush=True)
    ).run()
    if ending.finished:
        print((options.out / f"table-{options.table}.md").read_text(encoding="utf-8"))
    for name, reason in ending.failed.items():
        print(f"failed: {name}: {reason}")
    if ending.unfinished:
        print(f"unfinished: {', '.join(ending.unfinished)}; the same command goes on with them")
    return 1 if ending.failed else 3 if ending.unfinished else 0


def _network_of(path: Path) -> tuple[Any, TrainingConfig, dict[str, Any]]:
    """Load the averaged network of a checkpoint, its settings, and all that is in it."""
    from trainer.checkpoint import load_checkpoint
    from trainer.own_network import build_network

    state = load_checkpoint(path)
    config = check_kept_config(json.loads(state["config"]), str(path))
    network = build_network(config.network, (config.stream.height, config.stream.width))
    try:
        network.load_state_dict(state["averaged"])
    except RuntimeError as error:
        raise TrainingError(
            f"{printable(path)}: its weights do not fit {config.network.name}; bring the network "
            "back as it was when they were trained"
        ) from error
    return network, config, state


def _as_flags(settings: tuple[str, ...]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


if __name__ == "__main__":
    run()
