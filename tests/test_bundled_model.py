"""The model that comes with the program: what its file says, and what it finds."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from thermoseg.cameras import make_camera
from thermoseg.frames import Frame
from thermoseg.inference.choose import choose_segmenter
from thermoseg.inference.segmenter import Segmenter
from thermoseg.labels import FACE_REGIONS, Region
from thermoseg.models import describe_model, find_model
from thermoseg.phantom.head import Phantom, Sitter
from thermoseg.phantom.people import Climate, Person
from thermoseg.phantom.pictures import add_person
from thermoseg.phantom.render import Pose
from thermoseg.radiometry import LinearRadiometry
from thermoseg.rois import RoiMeter

NAME = "face-compact"
LARGEST_BYTES = 10 * 2**20


@pytest.fixture(scope="module")
def live() -> Segmenter:
    return choose_segmenter(NAME, threads=1)


def read_frames(address: str, count: int) -> list[Frame]:
    camera = make_camera(address)
    camera.open()
    try:
        return [camera.read(timeout_s=1) for _ in range(count)]
    finally:
        camera.close()


def overlap(found: NDArray[np.uint8], truth: NDArray[np.uint8], region: Region) -> float:
    a, b = found == region, truth == region
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_its_file_is_small_and_says_how_it_was_made() -> None:
    model = describe_model(find_model(NAME))
    header = model.header

    assert model.path.stat().st_size <= LARGEST_BYTES
    assert header.name == NAME
    assert "thermoseg-train train" in header.command
    assert header.iterations > 0
    assert header.phantom_version
    assert "phantom" in header.data.lower()
    assert header.licence


@pytest.mark.parametrize(
    ("pose", "least"),
    [
        (Pose(face_height=0.5, y=0.02), 0.6),
        (Pose(yaw_deg=30, face_height=0.5), 0.5),
        (Pose(pitch_deg=20, roll_deg=-15, face_height=0.4), 0.5),
    ],
    ids=["frontal", "turned", "tilted"],
)
def test_it_finds_the_regions_of_the_phantom(live: Segmenter, pose: Pose, least: float) -> None:
    means = []
    for seed in (3, 8, 21):
        address = (
            f"simulated:?width=640&height=512&realtime=false&frames=3&seed={seed}&motion=0"
            f"&yaw_deg={pose.yaw_deg}&pitch_deg={pose.pitch_deg}&roll_deg={pose.roll_deg}"
            f"&face_height={pose.face_height}"
        )
        frame = read_frames(address, 1)[0]
        placed = Pose(pose.yaw_deg, pose.pitch_deg, pose.roll_deg, 0.0, 0.02, pose.face_height)
        truth = Phantom(Sitter(seed, placed)).picture(0.0, 512, 640).labels
        found = live.segment(frame).labels
        means.append(np.mean([overlap(found, truth, region) for region in FACE_REGIONS]))

    assert np.mean(means) >= least


def test_its_masks_show_the_breath_of_the_phantom(live: Segmenter) -> None:
    rate_hz, breaths_per_minute = 10, 15
    frames = read_frames(
        f"simulated:?width=640&height=512&rate_hz={rate_hz}&realtime=false&frames=81"
        f"&breaths_per_minute={breaths_per_minute}&breath_depth_k=1.5&motion=0.3",
        80,
    )
    meter = RoiMeter()
    trace = []
    for frame in frames:
        samples = meter.measure(frame, live.segment(frame))
        trace.append(next(s.mean_c for s in samples if s.region == "nostrils"))

    time_s = np.arange(len(frames)) / rate_hz
    breath = np.sin(2 * np.pi * breaths_per_minute / 60 * time_s)
    assert np.isfinite(trace).all()
    assert np.corrcoef(trace, breath)[0, 1] >= 0.9


def test_a_larger_head_that_passes_in_front_does_not_take_the_trace_over(live: Segmenter) -> None:
    """Two people of the phantom, as the network shows them: touching, covered, apart again."""
    climate, size = Climate(), (384, 512)
    sitter, passer_by = (Person.draw(np.random.default_rng(seed)) for seed in (7, 9))
    seated = Pose(x=-0.25, face_height=0.4)
    meter, covered = RoiMeter(), 0
    for number in range(32):
        time_s = number / 8
        celsius, labels = np.full(size, 22, np.float32), np.zeros(size, np.uint8)
        walking = Pose(x=0.7 - 0.45 * time_s, y=0.02, face_height=0.5)
        for seed, person, pose in ((1, sitter, seated), (2, passer_by, walking)):
            add_person(np.random.default_rng(seed), celsius, labels, person, pose, climate)
        celsius += np.float32(0.04) * np.random.default_rng(number).standard_normal(
            size, np.float32
        )
        frame = Frame(np.zeros(size, np.uint16), celsius, number, 2e6 + time_s, 0.0)
        samples = meter.measure(frame, live.segment(frame))
        faces = meter.faces
        covered += faces.covered
        assert not faces.change
        assert not (faces.covered and any(sample.valid for sample in samples))
        if faces.box is not None:
            assert faces.box.centre[0] == pytest.approx(160, abs=20), time_s

    assert covered
    assert faces.box is not None


def test_an_empty_room_holds_no_face(live: Segmenter) -> None:
    rng = np.random.default_rng(4)
    room = (22 + 0.05 * rng.standard_normal((240, 320))).astype(np.float32)
    room += np.linspace(0, 1, 320, dtype=np.float32)
    scale = LinearRadiometry(0.01)
    counts = np.round((room - scale.offset_c) / scale.scale_k).astype(np.uint16)
    frame = Frame.from_counts(counts, scale, 0, 1e6, 0.0)

    assert np.count_nonzero(live.segment(frame).labels) == 0


def test_its_masks_sit_on_a_real_face(test_data: Path) -> None:
    folder = test_data / "faces" / "tfw"
    face = json.loads((folder / "example_annotations.json").read_text())["tiles"][0]
    points = sorted(face["points_xy"], key=lambda point: point[1])
    camera = make_camera(f"file:{folder / 'example_indoor_clean.png'}?realtime=false")
    camera.open()
    frame = camera.read(timeout_s=5)
    camera.close()
    labels = choose_segmenter(NAME, mode="best", threads=1).segment(frame).labels

    expected = [Region.EYES, Region.EYES, Region.NOSE, Region.MOUTH, Region.MOUTH]
    for (x, y), region in zip(points, expected, strict=True):
        away = cv2.distanceTransform(
            (labels != region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
        )
        assert away[round(y), round(x)] <= 8, f"{region.label} is not at {x:g}, {y:g}"
