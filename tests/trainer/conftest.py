"""A tiny Thermal Face Database in the layout of the real one, made of the phantom."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from thermoseg.phantom.head import Phantom, Sitter

GROUPS = {
    "chin": range(17),
    "leyebrow": range(22, 27),
    "reyebrow": range(17, 22),
    "centernose": range(27, 31),
    "bottomnose": range(31, 36),
    "leye": range(42, 48),
    "reye": range(36, 42),
    "outermouth": range(48, 60),
    "innermouth": range(60, 68),
}


@dataclass(frozen=True)
class FakeDatabase:
    folder: Path
    truth: dict[str, NDArray[np.uint8]]
    """Labels of the phantom, (768, 1024), by the stem of the matrix."""
    stems: tuple[str, ...]


def ljson(landmarks_xy: NDArray[np.floating]) -> dict[str, object]:
    return {
        "version": 2,
        "labels": [{"label": name, "mask": list(mask)} for name, mask in GROUPS.items()],
        "landmarks": {"points": landmarks_xy[:, ::-1].tolist(), "connectivity": [[0, 1]]},
    }


@pytest.fixture(scope="session")
def pristine_database(tmp_path_factory: pytest.TempPathFactory) -> FakeDatabase:
    folder = tmp_path_factory.mktemp("ThermalFaceDB")
    truth = {}
    for subject, times in (("001", (0.0, 1.0)), ("007", (0.0, 2.0)), ("033", (0.5,))):
        phantom = Phantom(Sitter(seed=int(subject)))
        for time_s in times:
            picture = phantom.picture(time_s, 768, 1024)
            stem = f"rec_sub{subject}_{time_s:.0f}_neutral"
            old = ".png_lfb" if subject == "033" else ".jpg_lfb" if time_s == 2.0 else ""
            np.save(folder / f"{stem}.npy", picture.celsius)
            (folder / f"{stem}{old}.ljson").write_text(json.dumps(ljson(picture.landmarks)))
            truth[stem] = picture.labels
    return FakeDatabase(folder, truth, tuple(sorted(truth)))


@pytest.fixture
def fake_database(pristine_database: FakeDatabase, tmp_path: Path) -> FakeDatabase:
    """Five pictures of three subjects, free to be spoilt."""
    folder = tmp_path / "ThermalFaceDB"
    shutil.copytree(pristine_database.folder, folder)
    return FakeDatabase(folder, pristine_database.truth, pristine_database.stems)
