"""Tables 1 and 2 of Joshi et al., BMVC 2022, trained anew: each row and seed a run of its own.

Each run is a process, so a row that fails, is killed or runs out of memory ends alone.  What is
finished is skipped and what was begun goes on; the same command may run several times at once, on
one machine or on several that share the folder, and each takes rows that no other has.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import tomli_w
import torch
from pydantic import Field

from thermoseg.errors import ConfigError, ThermoSegError, TrainingError
from thermoseg.interruption import on_interruption
from thermoseg.networks import NETWORKS
from trainer.benchmark_report import Result, write_report
from trainer.checkpoint import has_checkpoint, load_checkpoint
from trainer.config import (
    Section,
    SourceConfig,
    TrainingConfig,
    ValidationConfig,
    apply_setting,
    check_config,
    check_kept_config,
    check_tree,
    read_toml,
)
from trainer.datasets import validation_sets
from trainer.evaluation import choose_device, evaluate
from trainer.own_network import build_network, is_own
from trainer.parallel import choose_accelerator
from trainer.published import LOSS_WEIGHTS, TABLES, Row
from trainer.run_folder import ABOUT, write_text
from trainer.sources import Picture

PHANTOM: Final = "phantom"
"""Value of `--data` for the synthetic head."""
DATA_PLACE: Final = Path("DATA")
"""Path in a table's file that stands for the folder of `--data`."""
WITHOUT_TIAUG: Final = {"occlude": 0.0, "noise": 0.0}
"""Settings of a row without TiAug; the geometry is the same for all (paper, §4.1.2)."""
STOPPED_EARLY: Final = 3
"""Exit status of a run that saved and stopped because it was asked to."""
MOST_EVALUATED: Final = 100_000
"""Pictures of a data set; more than any has."""
NAME: Final = r"^[a-z0-9_]+$"


class EvaluationSet(Section):
    """Pictures that no row learns from."""

    name: Annotated[str, Field(pattern=NAME)]
    sources: Annotated[tuple[SourceConfig, ...], Field(min_length=1)]
    """Sources of the pictures; of a data set, the part that is held out from training."""
    pictures: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Number of pictures of a source without end; a data set is evaluated on all."""
    seed: Annotated[int, Field(ge=0)] = 5_000_011


class DataConfig(Section):
    """Training data and evaluation sets of the rows."""

    sources: Annotated[tuple[SourceConfig, ...], Field(min_length=1)]
    judged: Annotated[tuple[EvaluationSet, ...], Field(min_length=1)]
    """The first is the headline."""


class TableConfig(Section):
    """Settings that all rows of a table have in common."""

    networks: tuple[str, ...] = ()
    """Only rows of these unless others are named; none for all of the paper."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    phantom: DataConfig
    database: DataConfig
    """For a folder; its path is written as DATA."""
    recipe: dict[str, Any]
    """Settings of a run without seed, sources, network.name and objective's weights."""


@dataclass(frozen=True, slots=True)
class TableRun:
    """One row with one seed."""

    row: Row
    seed: int
    folder: Path
    config: TrainingConfig

    @property
    def name(self) -> str:
        """Return what messages call it."""
        return f"{self.row.name} seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Ending:
    """Outcome of a benchmark."""

    finished: tuple[str, ...]
    failed: dict[str, str]
    """Reason by name of the run."""
    unfinished: tuple[str, ...]
    """Stopped, not begun, or in the hands of another process."""


def choose_rows(table: int, wanted: Sequence[str], networks: Sequence[str]) -> list[Row]:
    """Choose rows of a table by name.

    Parameters
    ----------
    table
        1 or 2.
    wanted
        Names or patterns such as `unet/*`; a name that is not in the table, such as
        `unet/dice+tiaug` or `my_networks:Mine/rmi`, is a row without a published figure.  Empty
        for all of `networks`.
    networks
        Those meant when nothing is wanted in particular; empty for all.

    Raises
    ------
    ConfigError
        If a pattern fits nothing, or a name is no row.
    """
    rows = TABLES[table]
    if not wanted:
        return [row for row in rows if not networks or row.network in networks]
    chosen: dict[str, Row] = {}
    for pattern in wanted:
        fitting = [row for row in rows if fnmatchcase(row.name, pattern)]
        if not fitting:
            network, slash, learning = pattern.partition("/")
            if not slash or any(sign in pattern for sign in "*?["):
                names = ", ".join(row.name for row in rows)
                raise ConfigError(f"--rows {pattern}: fits no row of table {table}; it has {names}")
            if network not in NETWORKS and not is_own(network):
                raise ConfigError(
                    f"--rows {pattern}: no network is called “{network}”; known are "
                    f"{', '.join(sorted(NETWORKS))}, or name your own as module:attribute"
                )
            fitting = [Row(network, learning)]
        chosen |= {row.name: row for row in fitting}
    return list(chosen.values())


def load_table(path: Path) -> TableConfig:
    """Read what all rows have in common from a TOML file.

    Raises
    ------
    ConfigError
        If the file cannot be read or does not fit.
    """
    return check_tree(TableConfig, read_toml(path), str(path))


def choose_data(table: TableConfig, data: str) -> DataConfig:
    """Return the phantom's data, or the database's with the folder `data` in its place.

    Raises
    ------
    ConfigError
        If `data` is neither "phantom" nor a folder.
    """
    if data == PHANTOM:
        return table.phantom
    if not Path(data).is_dir():
        raise ConfigError(f"--data {data}: is no folder; give one, or “{PHANTOM}”")
    folder = str(Path(data).resolve())
    text = json.dumps(table.database.model_dump(mode="json"))
    filled = json.loads(text.replace(json.dumps(str(DATA_PLACE)), json.dumps(folder)))
    return check_tree(DataConfig, filled, f"--data {data}")


def plan_runs(
    table: TableConfig,
    data: DataConfig,
    rows: Sequence[Row],
    seeds: Sequence[int],
    out: Path,
    settings: Sequence[str] = (),
) -> list[TableRun]:
    """Settle every run before the first begins: all rows of a seed, then of the next.

    Parameters
    ----------
    settings
        Changes to the recipe of every row, as "run.batch=4".

    Raises
    ------
    ConfigError
        If a recipe has a fault, or a run of the same name was begun with another.
    """
    runs = []
    for seed in seeds:
        for row in rows:
            # No file system minds a dot.
            folder = out / row.network.replace(":", ".") / row.learning / f"seed-{seed}"
            config = _recipe(table, data, row, seed, settings)
            recipe = folder / "recipe.toml"
            kept = _is_begun(folder) and recipe.exists()
            if kept and check_kept_config(read_toml(recipe), str(recipe)) != config:
                raise ConfigError(
                    f"{recipe}: was begun with other settings; choose another --out, or remove "
                    f"{folder} to begin it anew"
                )
            runs.append(TableRun(row, seed, folder, config))
    return runs


def refuse_missing_devices(runs: Sequence[TableRun]) -> None:
    """Make sure that this machine can do what is left to do, before any row fails of it.

    Raises
    ------
    ConfigError
        If a device is missing, or cannot do the precision.
    """
    for run in runs:
        if (run.folder / "scores.json").exists():
            continue
        try:
            choose_accelerator(run.config.run)
        except ConfigError as error:
            raise ConfigError(
                f"recipe of {run.row.name}: {error}; --set changes it, as in --set "
                f"run.precision=32-true"
            ) from error


def _is_begun(folder: Path) -> bool:
    """Say whether there is anything of a run; one that was refused leaves its recipe at most."""
    return (folder / ABOUT).exists() or has_checkpoint(folder)


def _recipe(
    table: TableConfig, data: DataConfig, row: Row, seed: int, settings: Sequence[str]
) -> TrainingConfig:
    tree = deepcopy(table.recipe)
    tree["seed"] = seed
    tree["sources"] = [source.model_dump(mode="json") for source in data.sources]
    tree["network"] = {**tree.get("network", {}), "name": row.network}
    none = dict.fromkeys(["cross_entropy", *LOSS_WEIGHTS], 0.0)
    tree["objective"] = {**tree.get("objective", {}), **none, **row.weights}
    tree["tiaug"] = {**tree.get("tiaug", {}), **({} if row.has_tiaug else WITHOUT_TIAUG)}
    for setting in settings:
        apply_setting(tree, setting)
    return check_config(tree, f"recipe of {row.name}")


class Benchmark:
    """Trains, evaluates and reports runs in turn, until they are done or it is stopped."""

    def __init__(
        self,
        number: int,
        runs: Sequence[TableRun],
        sets: Sequence[EvaluationSet],
        out: Path,
        report: Callable[[str], None],
    ) -> None:
        """Remember what to do; touches nothing yet.

        Parameters
        ----------
        number
            Number of the table.
        runs
            Of `plan_runs`.
        sets
            What each row is evaluated on at its end; the first is the headline.
        out
            Where the table is written.
        report
            Is told a sentence when something happens.
        """
        self._number = number
        self._runs = list(runs)
        self._sets = tuple(sets)
        self._out = out
        self._report = report
        self._stopping = False
        self._child: subprocess.Popen[bytes] | None = None
        self._pictures: dict[str, list[Picture]] = {}

    def run(self) -> Ending:
        """Do what is left to do; a signal stops it so that it can go on later."""
        failed: dict[str, str] = {}
        minutes: list[float] = []
        with on_interruption(lambda _number: self._ask_to_stop()):
            for index, run in enumerate(self._runs):
                if self._stopping:
                    break
                place = f"[{index + 1}/{len(self._runs)}] {run.name}"
                began_s = time.monotonic()
                try:
                    known = self._scores(run)
                    if known is None:
                        known = self._make(run, place)
                        minutes.append((time.monotonic() - began_s) / 60)
                except ThermoSegError as error:
                    failed[run.name] = str(error)
                    self._report(f"{place}: failed: {error}")
                    continue
                if known is not None:
                    self._report(f"{place}: {known[-1]}{self._left(minutes, index)}")
                    self._write(failed)
        done = self._write(failed)
        left = [run.name for run in self._runs if run.name not in done]
        return Ending(tuple(done), failed, tuple(name for name in left if name not in failed))

    def _write(self, failed: Collection[str]) -> list[str]:
        """Write the table of all that is finished, by whomever; return their names."""
        results: list[Result] = []
        done = []
        for run in self._runs:
            known = None if run.name in failed else self._scores(run)
            if known is not None:
                results += known
                done.append(run.name)
        rows = list(dict.fromkeys(run.row for run in self._runs))
        names = [one.name for one in self._sets]
        write_report(self._out, self._number, rows, results, names)
        return done

    def _left(self, minutes: list[float], index: int) -> str:
        todo = sum(not (run.folder / "scores.json").exists() for run in self._runs[index + 1 :])
        if not minutes or not todo:
            return ""
        return f"; about {statistics.fmean(minutes) * todo:.0f} min left"

    def _make(self, run: TableRun, place: str) -> list[Result] | None:
        """Train and evaluate; None if it was stopped before the end or somebody else is at it.

        Raises
        ------
        TrainingError
            If the run failed.
        """
        try:
            run.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(
                f"{run.folder}: cannot be made ({error.strerror}); choose another --out"
            ) from error
        with _hold(run.folder) as held:
            if held is None:
                self._report(f"{place}: another process is at it; left to that")
                return None
            known = self._scores(run)
            if known is not None:
                return known
            if not _is_begun(run.folder):
                _write_recipe(run)
            if not self._train(run, place, held):
                self._report(f"{place}: stopped; the same command goes on with it")
                return None
            return self._evaluate(run)

    def _train(self, run: TableRun, place: str, held: int) -> bool:
        """Train to the end; return False if it was asked to stop before."""
        begun = (run.folder / ABOUT).exists()
        command = [sys.executable, "-m", "trainer.cli", "train"]
        if begun:
            command += ["--resume", str(run.folder)]
        else:
            command += [str(run.folder / "recipe.toml"), "--out", str(run.folder)]
        log = run.folder / "train.log"
        self._report(f"{place}: {'goes on' if begun else 'begins'}, see {log}")
        status = self._wait_for(command, log, held)
        if self._stopping or status == STOPPED_EARLY:
            return False
        if status:
            raise TrainingError(_reason(status, log))
        return True

    def _wait_for(self, command: list[str], log: Path, held: int) -> int:
        with (
            log.open("ab") as output,
            subprocess.Popen(  # noqa: S603 - this interpreter, our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # The lock stays with the child if this process is killed.
                pass_fds=(held,) if held >= 0 else (),
            ) as child,
        ):
            self._child = child
            if self._stopping:
                child.terminate()
            try:
                return child.wait()
            except BaseException:
                child.terminate()
                raise
            finally:
                self._child = None

    def _ask_to_stop(self) -> None:
        self._stopping = True
        if self._child is not None:
            self._child.terminate()

    def _scores(self, run: TableRun) -> list[Result] | None:
        """Read the scores of a finished run; None if it is not finished."""
        try:
            known = json.loads((run.folder / "scores.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise TrainingError(
                f"{run.folder}/scores.json: is damaged ({error}); remove it to have it made anew"
            ) from error
        if known["judged"] != self._sets_tree():
            return self._evaluate(run)
        return [
            Result(
                run.row,
                run.seed,
                one["set"],
                one["weights"],
                np.asarray(one["counts"], np.int64),
                known["iterations"],
                known["minutes"],
            )
            for one in known["scores"]
        ]

    def _sets_tree(self) -> list[dict[str, Any]]:
        return [one.model_dump(mode="json") for one in self._sets]

    def _evaluate(self, run: TableRun) -> list[Result]:
        """Compare the final and the averaged weights with the truth of every set, and note it."""
        state = load_checkpoint(run.folder)
        weights = {"final": state["network"]}
        if run.config.optimiser.ema > 0:
            weights["averaged"] = state["averaged"]
        iterations, minutes = int(state["iteration"]), float(state["progress"]["trained_s"]) / 60
        results = []
        # The headline comes last of all: averaged weights, first set.
        for one_set in reversed(self._sets):
            pictures = self._pictures_of(one_set, run.config)
            for name, values in weights.items():
                counts = score(run.config, values, pictures)
                results.append(
                    Result(run.row, run.seed, one_set.name, name, counts, iterations, minutes)
                )
        noted = {
            "judged": self._sets_tree(),
            "iterations": iterations,
            "minutes": minutes,
            "scores": [
                {"set": one.set_name, "weights": one.weights, "counts": one.counts.tolist()}
                for one in results
            ],
        }
        write_text(run.folder / "scores.json", json.dumps(noted))
        return results

    def _pictures_of(self, one_set: EvaluationSet, config: TrainingConfig) -> list[Picture]:
        key = f"{one_set.name} {config.stream.model_dump_json()}"
        if key not in self._pictures:
            self._pictures[key] = evaluation_pictures(one_set, config)
        return self._pictures[key]


def evaluation_pictures(one_set: EvaluationSet, config: TrainingConfig) -> list[Picture]:
    """Make the pictures of a set, plain, at the size and in the normalisation of `config`."""
    like = config.model_copy(
        update={
            "sources": one_set.sources,
            "tiaug": None,
            "contrast": None,
            "validation": ValidationConfig(
                pictures=2 * one_set.pictures, most=MOST_EVALUATED, seed=one_set.seed
            ),
        }
    )
    return validation_sets(like)["plain"]


def score(
    config: TrainingConfig, weights: dict[str, torch.Tensor], pictures: Sequence[Picture]
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Count pixels (truth, prediction) of a network with given weights over all pictures."""
    network = build_network(config.network, (config.stream.height, config.stream.width))
    network.load_state_dict(weights)
    threads = torch.get_num_threads()
    torch.set_num_threads(config.run.threads or threads)
    try:
        return evaluate(network, pictures, config.run.batch, choose_device(config.run)).counts
    finally:
        torch.set_num_threads(threads)


def _write_recipe(run: TableRun) -> None:
    tree = run.config.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    write_text(run.folder / "recipe.toml", tomli_w.dumps(tree))


@contextmanager
def _hold(folder: Path) -> Iterator[int | None]:
    """Lock a run against other processes; gives the lock's file number, None if it is taken.

    The lock is that of the open file, which the child inherits: it is held until both are gone.
    Systems without such locks give -1.
    """
    if sys.platform == "win32":
        yield -1
        return
    import fcntl

    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield handle
    finally:
        os.close(handle)


def _reason(status: int, log: Path) -> str:
    """Say why a run failed, from its exit status and the last line it wrote."""
    lines = [
        line.strip()
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
    last = lines[-1].removeprefix("thermoseg-train: ") if lines else "it wrote nothing"
    if status < 0:
        killer = signal.Signals(-status).name
        return f"killed by {killer} after “{last}”; run the same command again (log: {log})"
    return f"{last} (log: {log})"
