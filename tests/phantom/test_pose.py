"""Turning the head, and whether landmarks lie where the picture shows them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from thermoseg.phantom.body import Clothing, Part
from thermoseg.phantom.people import Climate, Person, Wardrobe
from thermoseg.phantom.render import FACE_CENTRE, Pose, Stage, project
from thermoseg.phantom.shape import TEXTURE_HEIGHT, TEXTURE_WIDTH, Expression, Identity
from thermoseg.phantom.skin import Traits

HEIGHT, WIDTH = 512, 640


@pytest.fixture(scope="module")
def person() -> Person:
    rng = np.random.default_rng(5)
    clothing = Clothing(cloth_c=27.0)
    return Person(rng, Identity(), Traits(), Climate(), clothing, Wardrobe(), Expression())


def seen_from(person: Person, pose: Pose) -> NDArray[np.float64]:
    """(68, 2) landmarks from the middle between the eyes, in eye distances of the frontal view."""
    points = person.landmarks(pose, HEIGHT, WIDTH).astype(np.float64)
    middle: NDArray[np.float64] = points[36:48].mean(axis=0)
    front = person.landmarks(Pose(), HEIGHT, WIDTH)
    unit = float(np.linalg.norm(front[42:48].mean(axis=0) - front[36:42].mean(axis=0)))
    return (points - middle) / unit


@pytest.mark.parametrize("yaw", [15, 40, 60])
def test_positive_yaw_turns_the_nose_to_the_right(person: Person, yaw: float) -> None:
    front = seen_from(person, Pose())[30, 0]
    right, left = (seen_from(person, Pose(yaw_deg=side * yaw))[30, 0] for side in (1, -1))

    assert front == pytest.approx(0, abs=0.01)
    assert right > 0.15
    assert left == pytest.approx(-right, abs=0.02)


def test_a_turn_to_the_right_hides_the_left_cheek_of_the_subject(person: Person) -> None:
    front, turned = seen_from(person, Pose()), seen_from(person, Pose(yaw_deg=40))

    def cheek_widths(points: NDArray[np.float64]) -> tuple[float, float]:
        return points[30, 0] - points[2, 0], points[14, 0] - points[30, 0]

    assert cheek_widths(front)[0] == pytest.approx(cheek_widths(front)[1], rel=0.02)
    picture_left, picture_right = cheek_widths(turned)
    assert picture_left > 2 * picture_right


@pytest.mark.parametrize("pitch", [10, 30])
def test_positive_pitch_lifts_the_nose(person: Person, pitch: float) -> None:
    front, up, down = (
        seen_from(person, Pose(pitch_deg=angle))[30, 1] for angle in (0, pitch, -pitch)
    )

    assert up < front - 0.05
    assert down > front + 0.02


@pytest.mark.parametrize("roll", [-75, -20, 30, 90, 170])
def test_roll_turns_the_line_of_the_eyes_and_the_top_of_the_head(
    person: Person, roll: float
) -> None:
    points = seen_from(person, Pose(roll_deg=roll))
    right, left = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    across = left - right
    # x to the right and y down: from +x towards +y is clockwise.
    angle = np.rad2deg(np.arctan2(across[1], across[0]))
    brow_to_chin = points[8] - (right + left) / 2

    assert angle == pytest.approx(roll, abs=0.5)
    assert -brow_to_chin[0] * np.sin(np.deg2rad(roll)) >= 0, "positive: the top goes right"
    assert np.linalg.norm(across) == pytest.approx(1, abs=0.01)


def test_position_and_size_are_fractions_of_the_picture(person: Person) -> None:
    centre = project(FACE_CENTRE[None], Pose(), HEIGHT, WIDTH)[0]
    moved = project(FACE_CENTRE[None], Pose(x=0.2, y=-0.1), HEIGHT, WIDTH)[0]
    near, far = (
        person.landmarks(Pose(face_height=height), HEIGHT, WIDTH)[:, 1] for height in (0.6, 0.2)
    )

    assert centre == pytest.approx([WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5], abs=1e-3)
    assert moved - centre == pytest.approx([0.2 * HEIGHT, -0.1 * HEIGHT], abs=1e-3)
    assert np.ptp(near) == pytest.approx(0.6 * HEIGHT, rel=0.15)
    assert np.ptp(far) == pytest.approx(0.2 * HEIGHT, rel=0.15)


@pytest.mark.parametrize("shift", [0.0, 0.31, 0.62, 0.93])
def test_the_middle_of_what_is_drawn_is_where_projection_says(shift: float) -> None:
    """A square plate facing the camera: the rasteriser's and our pixels have one origin."""
    corners = np.array([[-0.5, 0.2, 0], [0.5, 0.2, 0], [-0.5, 1.2, 0], [0.5, 1.2, 0]], np.float32)
    uv = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    plate = Part(
        corners.reshape(2, 2, 3), uv.reshape(2, 2, 2), np.full((8, 8), 30.0, np.float32), True
    )
    pose = Pose(x=0.1 + shift / 120, y=-0.05 + shift / 120, face_height=0.4)
    _, _, seen = Stage([plate]).draw(pose, 120, 160, body_share=0.0)
    rows, columns = np.nonzero(seen)
    outline = project(corners, pose, 120, 160)
    (x0, y0), (x1, y1) = outline.min(axis=0), outline.max(axis=0)

    assert seen[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()
    # A pixel is drawn if its centre lies inside.
    assert (columns.min(), columns.max()) == (np.ceil(x0), np.floor(x1))
    assert (rows.min(), rows.max()) == (np.ceil(y0), np.floor(y1))


FACING = [Pose(), Pose(20, 0, 0), Pose(-20, 10, 15), Pose(0, -10, 0, 0.1, -0.05), Pose(0, 0, 60)]


@pytest.mark.parametrize("pose", FACING, ids=str)
def test_a_spot_painted_at_a_landmark_appears_there(person: Person, pose: Pose) -> None:
    points = person.landmarks(pose, HEIGHT, WIDTH).astype(np.float64)
    skin = person.stage.atlas[:TEXTURE_HEIGHT, :TEXTURE_WIDTH]
    kept = skin.copy()
    rows, columns = np.mgrid[:TEXTURE_HEIGHT, :TEXTURE_WIDTH]
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    misses = []
    for landmark in (32, 34, 33, 36, 39, 42, 45, 48, 54, 27, 19, 24):
        spot = person.surface.to_texel(person.surface.points[landmark : landmark + 1])[0]
        distance_squared = (columns - spot[0]) ** 2 + (rows - spot[1]) ** 2
        skin[:] = 10 * np.exp(-distance_squared / (2 * 2.0**2))
        celsius, _, seen = person.stage.draw(pose, HEIGHT, WIDTH, body_share=0.4)
        near = np.hypot(x - points[landmark, 0], y - points[landmark, 1]) < 25
        weight = np.where(seen & near & (celsius > 0.2), celsius, 0)
        assert weight.max() > 5, f"landmark {landmark} is not seen"
        centre = [(weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()]
        misses.append(centre - points[landmark])
    skin[:] = kept
    distances = np.linalg.norm(misses, axis=1)

    assert distances.max() < 2.0
    assert np.median(distances) < 1.0


def test_the_jaw_line_of_a_turned_head_lies_on_its_outline(person: Person) -> None:
    pose = Pose(yaw_deg=35)
    points = person.landmarks(pose, HEIGHT, WIDTH)
    _, _, seen = person.stage.draw(pose, HEIGHT, WIDTH, body_share=0.4)

    for landmark in (12, 13, 14):  # beside mouth and nose, on the side turned away
        row = int(np.rint(points[landmark, 1]))
        outline = np.flatnonzero(seen[row]).max()
        assert points[landmark, 0] == pytest.approx(outline, abs=6)
