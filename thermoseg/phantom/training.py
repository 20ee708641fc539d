"""Single training pictures from a generator of random numbers."""

import numpy as np
from numpy.typing import NDArray

from thermoseg.phantom.people import Person
from thermoseg.phantom.pictures import compose
from thermoseg.phantom.shape import FloatArray


def draw_picture(
    rng: np.random.Generator, height: int, width: int, person: Person | None = None
) -> tuple[FloatArray, NDArray[np.uint8]]:
    """Invent a picture: somebody, mostly alone, somewhere.

    Parameters
    ----------
    person
        Who is nearest; somebody new if None, which costs most of the time.

    Returns
    -------
    (height, width) float32 °C and (height, width) uint8 labels, values of `Region`.
    """
    person = person or Person.draw(rng)
    others = int(rng.choice([0, 1, 2, 3], p=[0.84, 0.1, 0.04, 0.02]))
    picture = compose(rng, person, [person] * others, height, width)
    return picture.celsius, picture.labels
