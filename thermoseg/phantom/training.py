"""Single training pictures from a generator of random numbers."""

import numpy as np
from numpy.typing import NDArray

from thermoseg.phantom.people import Person
from thermoseg.phantom.pictures import compose
from thermoseg.phantom.shape import FloatArray


def draw_picture(
    rng: np.random.Generator, height: int, width: int
) -> tuple[FloatArray, NDArray[np.uint8]]:
    """Invent a picture: somebody new, mostly alone, somewhere.

    Returns
    -------
    (height, width) float32 °C and (height, width) uint8 labels, values of `Region`.
    """
    person = Person.draw(rng)
    others = int(rng.choice([0, 1, 2, 3], p=[0.84, 0.1, 0.04, 0.02]))
    picture = compose(rng, person, [person] * others, height, width)
    return picture.celsius, picture.labels
