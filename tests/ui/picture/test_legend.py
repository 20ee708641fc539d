"""The legend tells values, and a reason once where it is the same for all regions."""

import math

import pytest
from PyQt6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from thermoseg.labels import FACE_REGIONS, Region
from thermoseg.rois import RoiSample
from ui.picture.legend import RegionLegend
from ui.shell.theme import DARK


@pytest.fixture
def legend(qtbot: QtBot) -> RegionLegend:
    legend = RegionLegend()
    qtbot.addWidget(legend)
    legend.set_theme(DARK, 1.0)
    legend.resize(460, 100)
    legend.show()
    return legend


def sample(region: Region, mean_c: float, reason: str = "") -> RoiSample:
    return RoiSample(
        region=region.label,
        time_s=0.0,
        pixels=10,
        mean_c=mean_c,
        min_c=mean_c,
        max_c=mean_c,
        sd_k=0.1,
        valid=not reason,
        reason=reason,
    )


def words(legend: RegionLegend) -> list[str]:
    return [label.text() for label in legend.findChildren(QLabel)]


def test_a_reason_that_all_share_is_told_once_and_whole(legend: RegionLegend) -> None:
    legend.show_samples({r.label: sample(r, math.nan, "no temperatures") for r in FACE_REGIONS})

    assert [text for text in words(legend) if "temperatures" in text] == [
        "Regions: no temperatures"
    ]
    assert words(legend).count("—") == len(FACE_REGIONS)


def test_a_reason_of_its_own_stands_beside_its_region(legend: RegionLegend) -> None:
    samples = {r.label: sample(r, 34.0 + r.value) for r in FACE_REGIONS}
    legend.show_samples(samples | {"nose": sample(Region.NOSE, math.nan, "lost")})

    assert "— lost" in words(legend)
    assert "35.00" in words(legend)
    assert "Regions, mean °C" in words(legend)


def test_nothing_known_is_no_reason(legend: RegionLegend) -> None:
    legend.clear()

    assert "Regions, mean °C" in words(legend)
    assert words(legend).count("—") == len(FACE_REGIONS)
