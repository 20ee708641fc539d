"""How datasets of a file of ours are made: growing, in chunks, each with a checksum."""

from typing import Any

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray


def create_pictures(
    file: h5py.File, name: str, dtype: np.dtype[Any], height: int, width: int
) -> h5py.Dataset:
    """Create an empty dataset of packed pictures, (0, height, width), one per chunk."""
    return file.create_dataset(
        name,
        (0, height, width),
        dtype,
        maxshape=(None, height, width),
        chunks=(1, height, width),
        fletcher32=True,
        **hdf5plugin.Blosc2(cname="zstd", clevel=1, filters=hdf5plugin.Blosc2.BITSHUFFLE),
    )


def create_table(
    file: h5py.File, name: str, chunk_rows: int, unwritten: NDArray[Any]
) -> h5py.Dataset:
    """Create an empty table, (0,), of the type of `unwritten`, its rows until they are written."""
    return file.create_dataset(
        name,
        (0,),
        unwritten.dtype,
        maxshape=(None,),
        chunks=(chunk_rows,),
        fletcher32=True,
        fillvalue=unwritten,
    )
