"""The Thermal Face Database (Kopaczka et al., I2MTC 2018): from its raw folder to pictures.

Reading 2,935 matrices of 1024×768 and their landmark files takes minutes, so it is done once: the
prepared pictures lie in a cache whose index says of which files, in which state, they were made.
"""

import hashlib
import json
import logging
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import cv2
import numpy as np
import platformdirs
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from thermoseg.errors import ConfigError, FormatError
from thermoseg.whole_file import replacing, write_whole
from trainer.config import ThermalFaceDbConfig
from trainer.landmarks import missing_groups, paint_landmarks, read_landmarks
from trainer.sources import Member, Picture, PictureSet, listed
from trainer.thermal_pictures import read_picture

log = logging.getLogger(__name__)

Scalar = TypeVar("Scalar", bound=np.generic)

RAW_SIZE: Final = (768, 1024)
"""Height and width of a matrix, pixels."""
MIDDLE: Final = slice(32, 992)
"""Columns that are kept: the middle 960."""
SHRINK: Final = 3
"""Pixels of a matrix, both ways, that become one."""
SIZE: Final = (256, 320)
"""Height and width of a prepared picture."""
PLAUSIBLE_C: Final = (-50.0, 200.0)
"""Outside of this the median of a matrix is no temperature in °C."""

PREPARATION: Final = 1
"""Raised when the same files no longer give the same pictures."""
NAME: Final = re.compile(r"[^_]+_sub(?P<subject>[0-9]{3})_.+")
"""Pattern of the file name of a matrix, without its ending."""
OLD_ENDINGS: Final = (".jpg_lfb", ".png_lfb")
"""Endings that the stem of a matrix or landmark file may have kept from its picture."""


@dataclass(frozen=True, slots=True)
class _Raw:
    """One picture as its owners hand it out."""

    matrix: Path
    landmarks: Path
    subject: str


class _Index(BaseModel):
    """Index of the cache; written last, so that it vouches for the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checksum: str
    """Digest of names, sizes and times of the raw files; also begins the names of both arrays."""
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    checksums: tuple[int, ...]
    """CRC-32 of each picture with its labels."""


class ThermalFaceDb:
    """The database, prepared; training draws from the subjects that are not validated on."""

    def __init__(self, config: ThermalFaceDbConfig) -> None:
        """Open the cache, or check the raw folder and prepare it.

        Raises
        ------
        ConfigError
            If the folder is missing or anything in it does not fit (every file is named), if a
            validation subject is not in it, or if the cache cannot be written.
        """
        raw, faults = _list_raw(config.path)
        checksum = _checksum(raw)
        self._cache = _cache_folder(config)
        index = None if faults else _open_cache(self._cache, checksum)
        if index is None:
            index = _prepare(config.path, raw, faults, checksum, self._cache)
        self._checksum = checksum
        held_out = set(config.validation_subjects)
        absent = sorted(held_out - set(index.subjects))
        if absent:
            raise ConfigError(
                f"{config.path}: has no picture of the validation subjects {', '.join(absent)}; "
                f"complete the folder or correct validation_subjects"
            )
        self.members: tuple[Member, ...] = tuple(
            Member(str(config.path / name), "thermal_face_db", subject, b"", subject in held_out)
            for name, subject in zip(index.names, index.subjects, strict=True)
        )
        numbers = range(len(self.members))
        self.training = PictureSet(
            self.read, [number for number in numbers if not self.members[number].unseen]
        )
        self.unseen = PictureSet(
            self.read, [number for number in numbers if self.members[number].unseen]
        )
        if not len(self.training):
            raise ConfigError(
                f"{config.path}: all subjects are in validation_subjects; take some out to train on"
            )

    def sample(self, rng: np.random.Generator, sitter: tuple[int, ...]) -> Picture:
        """Read one picture of a training subject at random; see `Source`."""
        return self.training.sample(rng, sitter)

    def read(self, number: int) -> Picture:
        """Read prepared picture `number`: 256×320 °C and labels.

        Raises
        ------
        ConfigError
            If the cache has gone.
        """
        try:
            return _read_prepared(_array_paths(self._cache, self._checksum), number)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{self._cache}: the prepared pictures have gone ({error}); start again to have "
                f"them made anew"
            ) from error


def _list_raw(folder: Path) -> tuple[list[_Raw], list[str]]:
    """Pair matrices with landmarks by name alone; what has no partner or subject is a fault.

    Raises
    ------
    ConfigError
        If there are no matrices.
    """
    try:
        files = {path.name: path for path in folder.iterdir() if not path.name.startswith(".")}
    except OSError as error:
        raise ConfigError(
            f"{folder}: is no folder that can be read ({error.strerror}); correct its path"
        ) from error
    matrices = sorted(name for name in files if name.lower().endswith(".npy"))
    if not matrices:
        raise ConfigError(f"{folder}: holds no .npy file; give the raw folder of the database")
    orphans = {name for name in files if name.lower().endswith(".ljson")}
    raw, faults = list[_Raw](), list[str]()
    for name in matrices:
        stem = name[: -len(".npy")]
        named = NAME.fullmatch(stem)
        found = next((other for other in _partners(stem) if other in files), None)
        if found is None:
            faults.append(f"{files[name]}: has no landmark file; add {stem}.ljson")
        else:
            orphans.discard(found)
        if named is None:
            faults.append(f"{files[name]}: is not named <x>_subNNN_<x>.npy; rename or remove it")
        if named is not None and found is not None:
            raw.append(_Raw(files[name], files[found], named["subject"]))
    faults += [f"{files[name]}: has no matrix; add it or remove the landmarks" for name in orphans]
    return raw, faults


def _partners(stem: str) -> Iterator[str]:
    """Name the landmark files that may belong to a matrix, the likeliest first."""
    yield f"{stem}.ljson"
    for old in OLD_ENDINGS:
        yield f"{stem.removesuffix(old)}.ljson"
        yield f"{stem}{old}.ljson"


def _checksum(raw: list[_Raw]) -> str:
    """Digest names, sizes and times of all files."""
    digest = hashlib.sha256(f"preparation {PREPARATION}".encode())
    for one in raw:
        for path in (one.matrix, one.landmarks):
            try:
                state = path.stat()
            except OSError as error:
                raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
            digest.update(f"\n{path.name}\t{state.st_size}\t{state.st_mtime_ns}".encode())
    return digest.hexdigest()


def _cache_folder(config: ThermalFaceDbConfig) -> Path:
    place = hashlib.sha256(str(config.path.resolve()).encode()).hexdigest()[:16]
    root = config.cache or platformdirs.user_cache_path("thermoseg", appauthor=False)
    return root / f"thermal_face_db-{place}"


def _array_paths(cache: Path, checksum: str) -> tuple[Path, Path]:
    """Name the files that hold all pictures and all labels, one behind the other."""
    return cache / f"{checksum[:16]}-celsius.f32", cache / f"{checksum[:16]}-labels.u8"


def _read_prepared(paths: tuple[Path, Path], number: int) -> Picture:
    # Opened anew each time, so that the source travels to worker processes as it is.
    count = SIZE[0] * SIZE[1]
    celsius = np.fromfile(paths[0], "<f4", count, offset=4 * count * number)
    labels = np.fromfile(paths[1], np.uint8, count, offset=count * number)
    return celsius.reshape(SIZE).astype(np.float32, copy=False), labels.reshape(SIZE)


def _open_cache(cache: Path, checksum: str) -> _Index | None:
    """Check the cache; None if there is none or it is stale or damaged."""
    try:
        index = _Index.model_validate_json((cache / "index.json").read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("%s is damaged and is made anew (%s)", cache / "index.json", error)
        return None
    if index.checksum != checksum:
        log.info("the files of the database have changed; they are prepared anew")
        return None
    paths = _array_paths(cache, checksum)
    try:
        whole = len(index.names) == len(index.subjects) == len(index.checksums) and all(
            _crc(*_read_prepared(paths, number)) == expected
            for number, expected in enumerate(index.checksums)
        )
    except (OSError, ValueError) as error:
        log.warning("the cache %s is damaged and is made anew (%s)", cache, error)
        return None
    if not whole:
        log.warning("the cache %s is damaged and is made anew", cache)
        return None
    return index


def _crc(celsius: NDArray[np.float32], labels: NDArray[np.uint8]) -> int:
    return zlib.crc32(labels.tobytes(), zlib.crc32(celsius.tobytes()))


def _prepare(
    folder: Path, raw: list[_Raw], faults: list[str], checksum: str, cache: Path
) -> _Index:
    """Check and prepare every picture and put the lot into the cache.

    Parameters
    ----------
    faults
        Found before.

    Raises
    ------
    ConfigError
        If any file does not fit, all of them named, or the cache cannot be written.
    """
    # Pictures go to the disk one after the other, as 473 of them in float32 need no place in memory
    # twice; faults are collected, so that one run names them all.  The index is written last: a
    # cache without it, or with another checksum, is none.
    log.info("preparing %d pictures in %s, once", len(raw), cache)
    finals = _array_paths(cache, checksum)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (
            replacing(finals[0]) as celsius_path,
            replacing(finals[1]) as labels_path,
            celsius_path.open("wb") as celsius_file,
            labels_path.open("wb") as labels_file,
        ):
            checksums = list[int]()
            for one in raw:
                celsius = _complaining(faults, _shrink_matrix, one.matrix)
                labels = _complaining(faults, _label, one.landmarks)
                if celsius is None or labels is None:
                    continue
                celsius_file.write(celsius.astype("<f4").tobytes())
                labels_file.write(labels.tobytes())
                checksums.append(_crc(celsius, labels))
            if faults:
                sentence = f"{folder}: {len(faults)} files do not fit; repair or remove them"
                raise ConfigError(listed(sentence, sorted(faults)))
        index = _Index(
            checksum=checksum,
            names=tuple(one.matrix.name for one in raw),
            subjects=tuple(one.subject for one in raw),
            checksums=tuple(checksums),
        )
        write_whole(cache / "index.json", json.dumps(index.model_dump()).encode())
        _remove_stale(cache, finals)
    except OSError as error:
        raise ConfigError(
            f"{cache}: the prepared pictures cannot be written ({error.strerror}); free "
            f"{len(raw) * SIZE[0] * SIZE[1] * 5 / 1e9:.1f} GB there or set its cache to "
            f"a folder that can be written"
        ) from error
    return index


def _remove_stale(cache: Path, present: tuple[Path, ...]) -> None:
    """Delete the arrays of an earlier state of the database."""
    for path in cache.glob("[!.]*-*.[fu]*"):
        if path not in present:
            try:
                path.unlink()
            except OSError as error:
                log.info("%s stays until the next change (%s)", path, error)


def _complaining(
    faults: list[str], read: Callable[[Path], NDArray[Scalar]], path: Path
) -> NDArray[Scalar] | None:
    """Read one file; one that does not fit is noted, and gives None."""
    try:
        return read(path)
    except FormatError as error:
        faults.append(str(error))
        return None


def _shrink_matrix(path: Path) -> NDArray[np.float32]:
    """Crop a matrix and take the mean of each 3×3 block.

    Raises
    ------
    FormatError
        If it does not fit.
    """
    celsius = read_picture(path)
    if celsius.shape != RAW_SIZE:
        height, width = celsius.shape
        raise FormatError(f"{path}: is {width}×{height}, not 1024×768; replace it")
    if not np.isfinite(celsius).all():
        raise FormatError(f"{path}: holds temperatures that are not finite; replace it")
    median_c = float(np.median(celsius))
    if not PLAUSIBLE_C[0] <= median_c <= PLAUSIBLE_C[1]:
        raise FormatError(f"{path}: its median {median_c:.0f} is no °C; convert it")
    small = cv2.resize(celsius[:, MIDDLE], SIZE[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _label(path: Path) -> NDArray[np.uint8]:
    """Paint the labels of a matrix, crop them and take the middle one of each 3×3 block.

    Raises
    ------
    FormatError
        If the landmarks do not fit.
    """
    landmarks = read_landmarks(path)
    missing = missing_groups(landmarks)
    if missing:
        raise FormatError(f"{path}: has no group {', '.join(missing)}; complete it")
    labels = paint_landmarks(path, landmarks, RAW_SIZE)
    first = SHRINK // 2
    small = np.ascontiguousarray(labels[:, MIDDLE][first::SHRINK, first::SHRINK])
    if not small.any():
        raise FormatError(f"{path}: its face is outside the middle 960×768; remove the picture")
    return small
