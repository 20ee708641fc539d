"""Single training pictures from a generator of random numbers, in three kinds of scene.

"any" is what the bundled models learn from.  The other two stand for the two sides of the paper's
question (Joshi et al., BMVC 2022): a data set recorded in a laboratory, and the world outside.
"""

from dataclasses import replace
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from thermoseg.phantom.body import Glasses
from thermoseg.phantom.people import Climate, Person, Wardrobe
from thermoseg.phantom.pictures import Picture, add_person, compose
from thermoseg.phantom.render import Pose
from thermoseg.phantom.shape import FloatArray
from thermoseg.phantom.skin import Traits, smooth_noise
from thermoseg.phantom.surroundings import draw_background, draw_hand

Scene = Literal["any", "laboratory", "wild"]

LABORATORY_NETD_K: Final = 0.03
"""Noise of a cooled or good uncooled camera."""


def draw_person(rng: np.random.Generator, scene: Scene = "any") -> Person:
    """Invent somebody who may be met in a scene; costs most of a picture's time.

    Parameters
    ----------
    scene
        In the "laboratory" people sit at 20-24 °C with bare faces; in the "wild" it is as often
        hotter than skin as colder, and most wear glasses, caps or hoods.
    """
    if scene == "laboratory":
        room = float(rng.uniform(20, 24))
        climate = Climate(33.8 + float(rng.normal(0, 0.4)), room)
        bare = replace(Traits.draw(rng), cap_k=None, face_mask_k=None, fringe=0.0, strands=0)
        return Person.draw(rng, climate, bare, Wardrobe())
    if scene == "wild":
        room = float(rng.choice([rng.uniform(-5, 16), rng.uniform(16, 30), rng.uniform(36, 46)]))
        skin = float(np.clip(33.8 + 0.12 * (room - 23) + rng.normal(0, 0.8), 27, 37))
        pair = Glasses.draw(rng, skin, room) if rng.random() < 0.6 else None
        worn = Wardrobe(pair, brim=True, hood=bool(rng.random() < 0.1))
        return Person.draw(rng, Climate(skin, room), None, worn)
    return Person.draw(rng)


def draw_picture(
    rng: np.random.Generator,
    height: int,
    width: int,
    person: Person | None = None,
    scene: Scene = "any",
) -> tuple[FloatArray, NDArray[np.uint8]]:
    """Invent a picture: somebody, mostly alone, somewhere.

    Parameters
    ----------
    person
        Who is nearest, from `draw_person` with the same scene; somebody new if None.
    scene
        "laboratory" is one frontal head before a plain wall and a good camera; "wild" has any
        head pose and surroundings, hands and things before the face, and a poor camera.

    Returns
    -------
    (height, width) float32 °C and (height, width) uint8 labels, values of `Region`.
    """
    person = person or draw_person(rng, scene)
    if scene == "laboratory":
        picture = _in_laboratory(rng, person, height, width)
    elif scene == "wild":
        picture = _in_the_wild(rng, person, height, width)
    else:
        others = int(rng.choice([0, 1, 2, 3], p=[0.84, 0.1, 0.04, 0.02]))
        picture = compose(rng, person, [person] * others, height, width)
    return picture.celsius, picture.labels


def _in_laboratory(rng: np.random.Generator, person: Person, height: int, width: int) -> Picture:
    room_c = person.climate.room_c
    celsius = np.asarray(room_c + 0.1 * smooth_noise(rng, height, width, 3, 4), np.float32)
    labels = np.zeros((height, width), np.uint8)
    pose = Pose(
        yaw_deg=float(np.clip(rng.normal(0, 15), -45, 45)),
        pitch_deg=float(np.clip(rng.normal(5, 8), -20, 25)),
        roll_deg=float(rng.normal(0, 4)),
        x=float(rng.normal(0, 0.06)),
        y=float(rng.normal(0, 0.04)),
        face_height=float(rng.uniform(0.5, 0.75)),
    )
    landmarks = add_person(rng, celsius, labels, person, pose, person.climate)
    celsius += np.float32(LABORATORY_NETD_K) * rng.standard_normal((height, width), np.float32)
    return Picture(celsius, labels, () if landmarks is None else (landmarks,))


def _in_the_wild(rng: np.random.Generator, person: Person, height: int, width: int) -> Picture:
    climate = person.climate
    celsius = draw_background(rng, height, width, climate.room_c, climate.skin_c)
    labels = np.zeros((height, width), np.uint8)
    size = float(rng.uniform(0.3, 0.85))
    reach = 0.5 - 0.45 * size
    pose = Pose(
        yaw_deg=float(rng.uniform(-50, 50)),
        pitch_deg=float(np.clip(rng.normal(7, 12), -25, 35)),
        roll_deg=float(rng.normal(0, 12)),
        x=float(rng.uniform(-reach, reach) * width / height),
        y=float(rng.uniform(-reach, reach)),
        face_height=size,
    )
    face = add_person(rng, celsius, labels, person, pose, climate)
    if face is not None and rng.random() < 0.35:
        eyes = float(np.linalg.norm(face[36:42].mean(0) - face[42:48].mean(0)))
        target = face[int(rng.integers(0, 68))]
        if rng.random() < 0.5:
            draw_hand(rng, celsius, target, max(eyes, 4.0), climate.skin_c)
        else:
            _hold_something(rng, celsius, target, max(eyes, 4.0), climate)
    seen = _seen_by_a_poor_camera(rng, celsius)
    return Picture(seen, labels, () if face is None else (face,))


def _hold_something(
    rng: np.random.Generator, celsius: FloatArray, at: FloatArray, size_px: float, climate: Climate
) -> None:
    """Paint a cup, a telephone or a microphone over the face, in place."""
    warmth = float(rng.choice([climate.room_c, climate.skin_c + rng.uniform(-4, 12)]))
    sides = rng.uniform(0.5, 1.6, 2) * size_px
    centre = at + rng.normal(0, 0.4, 2) * size_px
    angle = float(rng.uniform(0, 180))
    if rng.random() < 0.5:
        box = cv2.boxPoints((tuple(centre.tolist()), tuple(sides.tolist()), angle))
        cv2.fillConvexPoly(celsius, box.astype(np.int32), warmth)
    else:
        cv2.ellipse(celsius, (tuple(centre.tolist()), tuple(sides.tolist()), angle), warmth, -1)


def _seen_by_a_poor_camera(rng: np.random.Generator, celsius: FloatArray) -> FloatArray:
    """Blur, stripe, shade and roughen a picture (height, width) °C as cheap cameras do."""
    # In the order of an uncooled camera: optics blur what comes in, the housing adds a shade that
    # grows with the square of the distance from the axis, each column has an amplifier and so an
    # offset of its own, and the sensor adds white noise of 50-200 mK.
    height, width = celsius.shape
    blurred = cv2.GaussianBlur(celsius, (0, 0), float(rng.uniform(0.6, 1.6)))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    shade = np.float32(rng.normal(0, 0.5)) * (x * x + y * y)
    stripes = np.float32(rng.uniform(0, 0.12)) * rng.standard_normal((1, width), np.float32)
    noise = np.float32(rng.uniform(0.05, 0.2)) * rng.standard_normal((height, width), np.float32)
    return np.asarray(blurred + shade + stripes + noise, np.float32)
