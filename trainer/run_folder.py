"""The folder of a run: the names of its files, and how those that are no checkpoint are written.

docs/training-runs.md says what is in each.  Imports no torch, so the command line starts at once.
"""

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from thermoseg.errors import TrainingError
from thermoseg.terminal import printable
from thermoseg.whole_file import replacing, write_whole
from trainer.config import TrainingConfig
from trainer.contact_sheet import overlay_labels, save_sheet
from trainer.run_process import PROCESS, this_process
from trainer.sources import Picture

ABOUT: Final = "run.json"
"""Settings of a run and where it comes from."""
METRICS: Final = "metrics.jsonl"
EVENTS: Final = "tensorboard"
"""Folder of TensorBoard's event files."""
LAST: Final = "last.ckpt"
PREVIOUS: Final = "previous.ckpt"
BEST: Final = "best.ckpt"
"""The checkpoint of the validation with the highest mean IoU so far."""
SHEETS: Final = "sheets"
"""Folder of the painted validations."""
NOT_FINITE: Final = "not_finite.npz"
"""The batch at which a loss or gradient was not finite."""

SHEET_COLUMNS: Final = 8
"""Pictures in a row of a validation's sheet; of each set as many are shown."""
UNLABELLED_COLUMNS: Final = 6


def write_text(path: Path, text: str) -> None:
    """Write a text file so that it is whole or not there.

    Raises
    ------
    TrainingError
        If it cannot be written.
    """
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise TrainingError(f"{path}: cannot be written ({error.strerror}); free space") from error


def begin_run(folder: Path, config: TrainingConfig, arguments: Sequence[str]) -> None:
    """Make the folder and save all settings and what an exported model must say of the run.

    Parameters
    ----------
    folder
        Folder of the run; made if missing.
    config
        Settings of the run.
    arguments
        Arguments of the command `thermoseg-train` that starts the run.

    Raises
    ------
    TrainingError
        If there is a run already, or the folder cannot be written.
    """
    if (folder / ABOUT).exists():
        raise TrainingError(
            f"{printable(folder)}: holds a run already; choose another --out or --resume"
        )
    about = {
        "command": shlex.join(["thermoseg-train", *arguments]),
        "revision": _revision(),
        "phantom_version": _phantom_version(config),
        PROCESS: this_process().model_dump(),
        "config": config.model_dump(mode="json"),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Whole or not there at all, so that whatever is there can be resumed.
        write_whole(folder / ABOUT, json.dumps(about, indent=1).encode())
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise TrainingError(
            f"{printable(folder)}: cannot be written ({said}); choose another --out"
        ) from error


def note_process(folder: Path) -> None:
    """Save that this process trains the run from now on, as when it is resumed.

    Raises
    ------
    TrainingError
        If the folder holds no run, or cannot be written.
    """
    about = read_about(folder) | {PROCESS: this_process().model_dump()}
    write_text(folder / ABOUT, json.dumps(about, indent=1))


def present_paths(folder: Path) -> set[Path]:
    """Return which of `folder`, what it lies in and what a run begins with exist already."""
    return {path for path in (*_first_files(folder), folder, *folder.parents) if path.exists()}


def forget_run(folder: Path, kept: set[Path]) -> None:
    """Remove the files of a run that never began, and the empty folders that it made.

    Parameters
    ----------
    folder
        Folder of the run.
    kept
        What `present_paths` returned before the run made anything; it stays.
    """
    for path in (*_first_files(folder), folder, *folder.parents):
        if path in kept:
            continue
        with suppress(OSError):  # not there, or holds what somebody else has put there
            path.rmdir() if path.is_dir() else path.unlink()


def read_about(folder: Path) -> dict[str, Any]:
    """Read what `begin_run` has saved.

    Raises
    ------
    TrainingError
        If the folder holds no run, or its description is damaged.
    """
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(
            f"{printable(folder)}: holds no run ({ABOUT} cannot be read); give the folder of a run"
        ) from error
    if not isinstance(about, dict) or not isinstance(about.get("config"), dict):
        raise TrainingError(f"{printable(folder)}: its {ABOUT} is damaged; start the run anew")
    return about


def make_sheets_folder(folder: Path) -> None:
    """Make the folder of a run and the one of its sheets.

    Raises
    ------
    TrainingError
        If they cannot be made.
    """
    try:
        (folder / SHEETS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder"
        ) from error


def save_validation_sheet(
    folder: Path,
    iteration: int,
    sets: Mapping[str, tuple[Sequence[Picture], Sequence[NDArray[np.uint8]]]],
) -> None:
    """Paint pairs of truth and prediction, eight pictures of each set.

    Parameters
    ----------
    folder
        Folder of the run.
    iteration
        Iteration of the validation.
    sets
        By name, pictures with their true labels, and the predicted labels (h, w) of each.

    Raises
    ------
    TrainingError
        If the file cannot be written.
    """
    tiles = list[NDArray[np.uint8]]()
    for pictures, predicted in sets.values():
        # Neighbours in a data set are alike.
        step = max(1, ceil(len(pictures) / SHEET_COLUMNS))
        for (picture, truth), labels in list(zip(pictures, predicted, strict=True))[::step]:
            tiles += [overlay_labels(picture, truth), overlay_labels(picture, labels)]
        # Each set begins a row.
        tiles += [np.zeros_like(tiles[0]) for _ in range(-len(tiles) % SHEET_COLUMNS)]
    save_sheet(folder / SHEETS / f"{iteration:07d}.png", tiles, SHEET_COLUMNS, together=2)


def save_unlabelled_sheet(
    folder: Path,
    iteration: int,
    pictures: Sequence[Picture],
    predicted: Sequence[NDArray[np.uint8]],
) -> None:
    """Paint the predictions for pictures without labels; arguments as in `save_validation_sheet`.

    Raises
    ------
    TrainingError
        If the file cannot be written.
    """
    tiles = [
        overlay_labels(picture, labels)
        for (picture, _), labels in zip(pictures, predicted, strict=True)
    ]
    path = folder / SHEETS / f"{iteration:07d}_unlabelled.png"
    save_sheet(path, tiles, UNLABELLED_COLUMNS)


def save_batch(folder: Path, arrays: Mapping[str, NDArray[Any]], *, writes: bool) -> str:
    """Save a batch that gave no finite loss or gradient; return where it is, for a message.

    Parameters
    ----------
    folder
        Folder of the run.
    arrays
        By name.
    writes
        False for all but the first of several processes.
    """
    path = folder / NOT_FINITE
    try:
        if writes:
            with replacing(path, suffix=".npz") as temporary:
                np.savez_compressed(temporary, allow_pickle=False, **arrays)
    except OSError as error:
        return f"its batch cannot be saved ({error.strerror})"
    return f"its batch is in {path}"


def _first_files(folder: Path) -> tuple[Path, ...]:
    return folder / ABOUT, folder / SHEETS


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
