"""Checkpoints that a kill, a full disk or a power cut cannot cost.

A new one is written beside the old, flushed to the disk, and only then takes its name; the one
before is kept.  They hold tensors, numbers and texts only and are loaded as such: no code in them
is ever run.
"""

import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

from thermoseg.errors import TrainingError
from thermoseg.whole_file import remove_partials, replacing
from trainer.run_folder import LAST, PREVIOUS


def save_checkpoint(folder: Path, state: dict[str, Any], name: str | None = None) -> None:
    """Make `state` the folder's last checkpoint, and the last the previous.

    Parameters
    ----------
    folder
        Folder of the run; exists.
    state
        Tensors, numbers, texts, and dictionaries and lists of them.
    name
        Name of another file to replace, such as "best.ckpt", which has no previous one.

    Raises
    ------
    TrainingError
        If it cannot be written; the checkpoints that were there are intact.
    """
    last = folder / (name or LAST)
    previous = folder / PREVIOUS if name is None else None
    try:
        remove_partials(last)
        with replacing(last, previous=previous) as fresh, fresh.open("wb") as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:
        # PyTorch wraps what the disk says into a complaint of its own about positions in a file.
        cause = error if isinstance(error, OSError) else error.__context__
        said = cause.strerror if isinstance(cause, OSError) else str(error).splitlines()[0]
        raise TrainingError(
            f"{last}: the checkpoint cannot be saved ({said}); free disk space or rights, then "
            f"resume from the one before"
        ) from error


def refuse_not_finite(iteration: int, state: dict[str, Any], remedy: str) -> None:
    """Make sure that all weights of a state are finite numbers.

    Parameters
    ----------
    iteration
        For the message.
    state
        With the states of "network", "averaged" and "objective".
    remedy
        Ends the message.

    Raises
    ------
    TrainingError
        If any is not.
    """
    tensors = {
        f"{key} of the {part}": value
        for part in ("network", "averaged", "objective")
        for key, value in state[part].items()
        if value.is_floating_point()
    }
    # One reading for all of them: each would wait for a GPU.
    finite = torch.stack([value.isfinite().all() for value in tensors.values()]).tolist()
    for name, fine in zip(tensors, finite, strict=True):
        if not fine:
            raise TrainingError(
                f"iteration {iteration}: {name} is not finite and not saved; {remedy}"
            )


def has_checkpoint(folder: Path) -> bool:
    """Say whether a run has saved anything that it could go on from."""
    return any((folder / name).exists() for name in (LAST, PREVIOUS))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint file, or the newest readable one of a run's folder.

    Raises
    ------
    TrainingError
        If there is none or none can be read.
    """
    is_run = path.is_dir()
    candidates = [path / LAST, path / PREVIOUS] if is_run else [path]
    reasons = []
    for candidate in candidates:
        try:
            with zipfile.ZipFile(candidate) as archive:
                # PyTorch would load flipped bits as if nothing were; the archive has checksums.
                flipped = archive.testzip()
            if flipped is not None:
                raise ValueError(f"{flipped} has changed since it was written")
            state = torch.load(candidate, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            reasons.append(f"{candidate.name} is missing")
        except (
            OSError,
            RuntimeError,
            ValueError,
            EOFError,
            IndexError,
            pickle.UnpicklingError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            said = str(error) or type(error).__name__
            reasons.append(f"{candidate.name} is damaged ({said.splitlines()[0]})")
        else:
            if isinstance(state, dict) and "network" in state:
                return state
            reasons.append(f"{candidate.name} is no checkpoint of this program")
    remedy = "start the run anew" if is_run else "give a run's folder or one of its checkpoints"
    raise TrainingError(f"{path}: no checkpoint can be loaded: {'; '.join(reasons)}; {remedy}")
