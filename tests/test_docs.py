"""What the documents promise is there, and the code in them runs."""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from thermoseg.cameras import usb_ids_of
from thermoseg.cli import build_parser
from thermoseg.discovery import UsbCameras
from thermoseg.errors import CameraError, CameraTimeoutError, DriverMissingError
from thermoseg.udev import rules_text

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", document.read_text(encoding="utf-8"))

    assert {first or second for first, second in named} <= targets


def test_every_command_of_the_readme_exists() -> None:
    commands = re.findall(r"`thermoseg ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8"))

    assert set(commands) >= {"segment", "record", "info", "recover", "cameras", "models"}
    for command in commands:
        with pytest.raises(SystemExit) as ended:
            build_parser().parse_args([command, "--help"])
        assert ended.value.code == 0


def test_the_settings_of_the_readme_are_valid(tmp_path: Path) -> None:
    from thermoseg.config import Settings, read_toml

    path = tmp_path / "settings.toml"
    path.write_text(code_block("README.md", "toml"), encoding="utf-8")

    assert read_toml(path, Settings) == Settings()


def test_the_loop_of_ones_own_trains_its_network() -> None:
    import torch

    network = torch.nn.Conv2d(1, 6, 3, padding=1)
    before = network.weight.detach().clone()
    rng = np.random.default_rng(0)
    batch = rng.normal(30, 2, (2, 64, 80)), rng.integers(0, 6, (2, 64, 80))
    names: dict[str, Any] = {
        "network": network,
        "optimiser": torch.optim.SGD(network.parameters(), 0.1),
        "batches": [batch],
    }

    exec(code_block("docs/networks.md", "python"), names)

    assert torch.isfinite(names["loss"])
    assert names["images"].shape == (2, 1, 256, 320)
    assert not torch.equal(network.weight, before)


def test_the_example_driver_is_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = example_driver()
    answers = iter([SimpleNamespace(counts=np.full((120, 160), 30715, np.uint16), number=7), None])
    device = SimpleNamespace(next_frame=lambda _timeout_s: next(answers), close=lambda: None)
    sdk: Any = ModuleType("example_sdk")
    sdk.Error = ConnectionError
    sdk.connect = lambda _serial, _rate_hz: device
    sdk.serials = lambda: ["1234"]
    monkeypatch.setitem(sys.modules, "example_sdk", sdk)
    camera = driver("1234", driver.Options(rate_hz=9))

    with pytest.raises(CameraError, match="not open"):
        camera.read(0.1)
    info = camera.open()
    frame = camera.read(0.1)

    assert (info.width, info.height, info.serial) == (160, 120, "1234")
    assert frame.index == 7
    assert frame.celsius[0, 0] == pytest.approx(34.0, abs=0.001)
    with pytest.raises(CameraTimeoutError):
        camera.read(0.1)
    assert [listing.address for listing in driver.discover()] == ["example:1234"]
    camera.close()
    camera.close()


def test_the_example_driver_gets_its_udev_rule() -> None:
    (usb_id,) = usb_ids_of(example_driver())

    assert "# Example 9000" in rules_text(UsbCameras((usb_id,))).splitlines()


def test_the_example_driver_names_the_library_that_it_lacks() -> None:
    with pytest.raises(DriverMissingError, match="example-sdk"):
        example_driver().discover()


def example_driver() -> Any:
    names: dict[str, Any] = {}
    exec(code_block("CONTRIBUTING.md", "python"), names)
    return names["ExampleCamera"]


def code_block(document: str, language: str) -> str:
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found is not None, f"{document} has no {language} block"
    return found[1]
