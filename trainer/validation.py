"""The validations of a run: the same pictures each time, shared out among its processes."""

from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import nn

from thermoseg.errors import FormatError
from thermoseg.preprocess import normalise
from trainer.config import TrainingConfig
from trainer.datasets import upright
from trainer.evaluation import count_pixels, predict
from trainer.labelled_folder import LABELS_SUFFIX
from trainer.metrics import Scores
from trainer.parallel import add_up
from trainer.run_folder import save_unlabelled_sheet, save_validation_sheet
from trainer.sources import Picture
from trainer.thermal_pictures import PICTURE_ENDINGS, read_picture

MOST_UNLABELLED: Final = 24
"""Pictures without labels whose predictions are painted."""


class Validation:
    """Evaluates networks on fixed pictures and paints what they predict."""

    def __init__(
        self,
        sets: Mapping[str, list[Picture]],
        unlabelled: list[Picture],
        batch: int,
        fabric: Fabric,
    ) -> None:
        """Keep the pictures.

        Parameters
        ----------
        sets
            Pictures with true labels, by the name of their set.
        unlabelled
            Pictures whose predictions are painted and nothing else.
        batch
            Pictures that pass the network together.
        fabric
            Fabric of the run: device, precision and processes.
        """
        self.sets = dict(sets)
        self.unlabelled = unlabelled
        self._batch = batch
        self._fabric = fabric

    def evaluate(
        self, network: nn.Module, pictures: list[Picture], between: Callable[[], None]
    ) -> tuple[Scores, list[Picture], list[NDArray[np.uint8]]]:
        """Compare predictions with the truth; every process does its part of the pictures.

        Parameters
        ----------
        network
            In evaluation mode, on the device of the run.
        pictures
            The same in all processes.
        between
            Is called after each picture.

        Returns
        -------
        Scores on all pictures, and the pictures of this process with their predicted labels.
        """
        own = pictures[self._fabric.global_rank :: self._fabric.world_size]
        predicted = self._predict(network, own, between)
        confusion = count_pixels(own, predicted)
        confusion.counts = add_up(self._fabric, confusion.counts)
        return confusion.scores(), own, predicted

    def run(
        self, network: nn.Module, folder: Path, iteration: int, between: Callable[[], None]
    ) -> dict[str, Scores]:
        """Evaluate every set and paint the sheets of the run in `folder`.

        Parameters
        ----------
        network, between
            As in `evaluate`.
        folder
            Folder of the run.
        iteration
            Names the sheets.

        Returns
        -------
        Scores by set.

        Raises
        ------
        TrainingError
            If a sheet cannot be written.
        """
        scores = dict[str, Scores]()
        sheet = dict[str, tuple[list[Picture], list[NDArray[np.uint8]]]]()
        for name, pictures in self.sets.items():
            scores[name], own, predicted = self.evaluate(network, pictures, between)
            sheet[name] = own, predicted
        if self._fabric.is_global_zero:
            save_validation_sheet(folder, iteration, sheet)
            if self.unlabelled:
                predicted = self._predict(network, self.unlabelled, between)
                save_unlabelled_sheet(folder, iteration, self.unlabelled, predicted)
        return scores

    def _predict(
        self, network: nn.Module, pictures: list[Picture], between: Callable[[], None]
    ) -> list[NDArray[np.uint8]]:
        device, autocast = self._fabric.device, self._fabric.autocast
        predicted = list[NDArray[np.uint8]]()
        for labels in predict(network, pictures, self._batch, device, autocast):
            predicted.append(labels)
            between()
        return predicted


def unlabelled_pictures(config: TrainingConfig) -> list[Picture]:
    """Read the pictures of `validation.look_at`, evenly spaced ones of too many.

    Returns
    -------
    Pictures normalised at the network's size, and labels that are all background.

    Raises
    ------
    FormatError
        If a picture cannot be read, or a folder holds none.
    """
    stream = config.stream
    fit = upright(stream)
    paths = [path for place in config.validation.look_at for path in _pictures_at(place)]
    step = max(1, ceil(len(paths) / MOST_UNLABELLED))
    pictures: list[Picture] = []
    for path in paths[::step]:
        celsius = np.nan_to_num(read_picture(path))
        none = np.zeros(celsius.shape, np.uint8)
        fitted, labels = fit(celsius, none, np.random.default_rng(0))
        pictures.append((normalise(fitted, stream.normalisations[0]), labels))
    return pictures


def _pictures_at(place: Path) -> list[Path]:
    """List the pictures of a folder and its subfolders, or the one that `place` is."""
    if not place.is_dir():
        return [place]
    found = sorted(
        path
        for path in place.rglob("*")
        if path.suffix.lower() in PICTURE_ENDINGS and not path.stem.endswith(LABELS_SUFFIX)
    )
    if not found:
        raise FormatError(f"{place}: holds no pictures; give another folder")
    return found
