"""What TiAug, the losses and a whole step of training cost, beside plain ways to do the same."""

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.plain_training import augment_stepwise, rmi_by_definition
from benchmarks.reference import RMI_MS, TIAUG_MS
from thermoseg.errors import ThermoSegError
from thermoseg.labels import NUM_CLASSES
from thermoseg.phantom.head import Phantom, Sitter
from trainer.config import ObjectiveConfig, TrainingConfig, load_config
from trainer.datasets import BatchStream, open_sources, training_side
from trainer.losses import RegionMutualInformation, rmi_loss
from trainer.objective import Objective
from trainer.optimiser import MovingAverage, build_optimiser
from trainer.own_network import build_network
from trainer.samcl import SamClLoss
from trainer.sources import Picture, Side
from trainer.tiaug import TiAug, TiAugConfig

RECIPE: Final = Path(__file__).parents[1] / "assets" / "training" / "quick-start.toml"
SIZE: Final = (256, 320)
"""Height and width of the pictures that are augmented and judged, pixels."""
BATCH: Final = 16
"""Of the losses, as in the paper."""
FACES: Final = 8
"""Different people in these pictures."""
TIAUG_BUDGET_MS: Final = 1.0
"""For a picture on a core that does nothing else."""
TIAUG_ROUNDS: Final = 20
LOSS_ROUNDS: Final = 4
STEP_ROUNDS: Final = 5
STEPS: Final = 6
"""In a round: of 48 pictures, eight are new and show somebody new, so rounds are alike."""

EVERYTHING: Final = TiAugConfig(
    horizontal_flip=1.0,
    vertical_flip=1.0,
    occlude=1.0,
    configurations=(0.0, 1.0, 0.0),
    noise=1.0,
    blur=1.0,
)
"""TiAug with all that it can do in every picture, two objects among it."""


def medians_ms(
    bodies: Mapping[str, Callable[[int], object]], rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Time bodies in turn, so that whatever else the machine does slows all of them alike.

    Parameters
    ----------
    bodies
        Called with the number of the round; once before, to warm up.
    """
    times: dict[str, list[float]] = {name: [] for name in bodies}
    for turn in range(-1, rounds):
        for name, body in bodies.items():
            began = clock()
            body(max(turn, 0))
            if turn >= 0:
                times[name].append(1000 * (clock() - began))
    return {name: statistics.median(taken) for name, taken in times.items()}


def faces() -> list[Picture]:
    pictures = [Phantom(Sitter(seed=seed)).picture(0.0, *SIZE) for seed in range(FACES)]
    return [(picture.celsius, picture.labels) for picture in pictures]


def measure_tiaug(pictures: list[Picture], rounds: int = TIAUG_ROUNDS) -> tuple[float, float]:
    """Time TiAug and its steps one by one, with the same draws: milliseconds for a picture."""
    tiaug = TiAug(EVERYTHING, SIZE)
    drawn = [tiaug.draw(np.random.default_rng(seed)) for seed in range(rounds * len(pictures))]

    def ours(turn: int) -> None:
        for number, picture in enumerate(pictures, turn * len(pictures)):
            tiaug(*picture, np.random.default_rng(number))

    def plain(turn: int) -> None:
        for number, picture in enumerate(pictures, turn * len(pictures)):
            augment_stepwise(*picture, drawn[number])

    # Processor time: both sides run on one core, and other programs disturb it least.
    found = medians_ms({"ours": ours, "plain": plain}, rounds, time.process_time)
    return found["ours"] / len(pictures), found["plain"] / len(pictures)


def measure_losses(
    pictures: list[Picture], rounds: int = LOSS_ROUNDS, batch: int = BATCH
) -> tuple[float, float, float]:
    """Time RMI, RMI by its definition, and RMI with SAM-CL, forward and backward: ms each."""
    torch.manual_seed(0)
    labels = torch.from_numpy(np.stack([pictures[i % len(pictures)][1] for i in range(batch)]))
    logits = torch.randn((batch, NUM_CLASSES, *labels.shape[1:]), requires_grad=True)
    sam_cl = SamClLoss(NUM_CLASSES)

    def rmi(_: int) -> None:
        rmi_loss(logits, labels).backward()  # type: ignore[no-untyped-call]  # torch's

    def by_definition(_: int) -> None:
        rmi_by_definition(logits, labels).backward()  # type: ignore[no-untyped-call]  # torch's

    def with_sam_cl(_: int) -> None:
        regions = RegionMutualInformation(logits, labels)
        (rmi_loss(logits, labels, regions) + 0.5 * sam_cl(logits, labels, regions)).backward()

    bodies = {"rmi": rmi, "definition": by_definition, "sam_cl": with_sam_cl}
    found = medians_ms(bodies, rounds, time.perf_counter)
    return found["rmi"], found["definition"], found["sam_cl"]


class Stopwatch:
    """Processor time by what it was spent on; inner parts do not count for outer ones."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        before, began = sum(self.seconds.values()), time.process_time()
        yield
        inner = sum(self.seconds.values()) - before
        self.seconds[name] += time.process_time() - began - inner


class TimedSide:
    """Where pictures come from, with a stopwatch."""

    def __init__(self, side: Side, watch: Stopwatch) -> None:
        self._side, self._watch = side, watch

    def sample(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
        with self._watch.part("rendering"):
            return self._side.sample(rng, sitter)


class Learner:
    """The steps of a recipe one after the other, without the loop's files and messages."""

    def __init__(self, config: TrainingConfig) -> None:
        self.watch = Stopwatch()
        self.batch = config.run.batch
        self._clip = config.optimiser.clip
        side = training_side(open_sources(config.sources, config.stream))
        self._stream = BatchStream(config, TimedSide(side, self.watch))
        torch.manual_seed(config.seed)
        network = build_network(config.network, (config.stream.height, config.stream.width))
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub
        self._objective = Objective(config.objective, NUM_CLASSES, network)
        self._average = MovingAverage(network, config.optimiser.ema)
        self._weights = [*self._network.parameters(), *self._objective.parameters()]
        self._optimiser = build_optimiser(config.optimiser, [self._network, self._objective])
        self._number = 0

    def step(self) -> None:
        """Draw a batch and learn from it."""
        with self.watch.part("TiAug"):
            images, labels = self._stream[self._number]
        self._number += 1
        with self.watch.part("network"):
            logits = self._network(images.contiguous(memory_format=torch.channels_last))
        # Cut here, so that the losses' own way back is told from the network's.
        answer = logits.detach().requires_grad_()
        with self.watch.part("losses"):
            self._objective(answer, labels)[0].backward()
        with self.watch.part("network"):
            logits.backward(answer.grad)
        with self.watch.part("optimiser"):
            torch.nn.utils.clip_grad_norm_(self._weights, self._clip)
            self._optimiser.step()
            self._optimiser.zero_grad(set_to_none=True)
            self._average.update(self._network, self._number)


def measure_steps(
    config: TrainingConfig, rounds: int = STEP_ROUNDS, steps: int = STEPS
) -> dict[str, tuple[float, dict[str, float]]]:
    """Time whole steps of a recipe, and of it with cross-entropy alone and without TiAug.

    Returns
    -------
    For "ours" and "plain": milliseconds for a picture, and how many of them each part takes.
    """
    plain = config.model_copy(update={"tiaug": None, "objective": ObjectiveConfig()})
    learners = {"ours": Learner(config), "plain": Learner(plain)}

    def learn(learner: Learner) -> Callable[[int], None]:
        def body(_: int) -> None:
            for _ in range(steps):
                learner.step()

        return body

    bodies = {name: learn(learner) for name, learner in learners.items()}
    found = medians_ms(bodies, rounds, time.process_time)
    result = {}
    for name, learner in learners.items():
        each_ms = found[name] / (steps * learner.batch)
        seconds = learner.watch.seconds
        scale = each_ms / sum(seconds.values())
        result[name] = each_ms, {part: spent * scale for part, spent in seconds.items()}
    return result


def tabulate_parts(
    tiaug: tuple[float, float], losses: tuple[float, float, float], threads: int
) -> Table:
    """Set TiAug and the losses beside their references and the authors' code."""
    height, width = SIZE
    table = Table(
        title=f"Training: TiAug on one core, losses with {threads} threads", title_justify="left"
    )
    for column in ("", "here", "ratio", "published"):
        table.add_column(column, justify="left" if not column else "right")
    ours, plain = tiaug
    rmi, definition, both = losses
    table.add_row(f"TiAug, everything on, {width}×{height}", f"{ours:.2f} ms", _times(plain, ours))
    table.add_row("  reference: step by step", f"{plain:.2f} ms", "1.00 ×", f"{TIAUG_MS} ms")
    table.add_section()
    name = f"RMI, {BATCH}×{NUM_CLASSES}×{height}×{width}, both ways"
    table.add_row(name, f"{rmi:.0f} ms", _times(definition, rmi))
    table.add_row("RMI and SAM-CL", f"{both:.0f} ms", _times(definition, both))
    table.add_row(
        "  reference: RMI as defined", f"{definition:.0f} ms", "1.00 ×", f"{RMI_MS:.0f} ms"
    )
    return table


def tabulate_steps(
    config: TrainingConfig, measured: dict[str, tuple[float, dict[str, float]]]
) -> Table:
    """Show where the time of a step goes."""
    (ours, own_parts), (plain, plain_parts) = measured["ours"], measured["plain"]
    stream, network = config.stream, config.network
    table = Table(
        title=f"Training: {RECIPE.stem}, {network.name} {network.width}, "
        f"{config.run.batch} of {stream.width}×{stream.height} a step, one core",
        title_justify="left",
    )
    for column in ("a picture", "TiAug, RMI, SAM-CL …", "reference: plain", "ratio"):
        table.add_column(column, justify="left" if column == "a picture" else "right")
    for part in own_parts:
        here, there = own_parts[part], plain_parts[part]
        cells = (f"{time_ms:.2f} ms" for time_ms in (here, there))
        table.add_row(part, *cells, _times(there, here))
    table.add_section()
    table.add_row("the whole step", f"{ours:.1f} ms", f"{plain:.1f} ms", _times(plain, ours))
    table.add_row("images/s", f"{1000 / ours:.0f}", f"{1000 / plain:.0f}", _times(plain, ours))
    return table


def _times(reference: float, measured: float) -> str:
    return f"{reference / measured:.2f} ×"


def main() -> int:
    cv2.setNumThreads(1)
    console = Console()
    try:
        config = load_config(RECIPE)
    except ThermoSegError as error:
        sys.stderr.write(f"bench_training: {error}\n")
        return 1
    pictures = faces()
    tiaug = measure_tiaug(pictures)
    losses = measure_losses(pictures)
    console.print(tabulate_parts(tiaug, losses, torch.get_num_threads()))
    console.print(
        f"“published”: the authors' code on another machine with 2 cores.\n"
        f"SAM-CL on top of RMI costs {losses[2] / losses[0] - 1:.1f} times as much as RMI."
    )
    torch.set_num_threads(1)
    measured = measure_steps(config)
    console.print(tabulate_steps(config, measured))
    whole, parts = measured["ours"]
    data = parts["rendering"] + parts["TiAug"]
    console.print(
        f"“plain”: cross-entropy alone and no TiAug.  Making pictures takes {data / whole:.0%} of "
        f"a step;\na worker on another core does it meanwhile, and could for "
        f"{whole / data - 1:.0f} such runs."
    )
    console.print(f"Budget of TiAug: {TIAUG_BUDGET_MS:.0f} ms, now {tiaug[0]:.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
