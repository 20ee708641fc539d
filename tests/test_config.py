"""Settings and TOML: what is wrong is named, with where."""

from pathlib import Path

import pytest

from thermoseg.config import Settings, load_settings, read_toml, settings_path
from thermoseg.errors import ConfigError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THERMOSEG_SETTINGS", str(tmp_path / "absent.toml"))

    assert load_settings().model == "face-compact"
    assert load_settings().camera == "simulated:"


def test_a_file_changes_what_it_names_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write(tmp_path / "s.toml", 'model = "mine.safetensors"\n')
    monkeypatch.setenv("THERMOSEG_SETTINGS", str(path))

    assert settings_path() == path
    assert load_settings().model == "mine.safetensors"
    assert load_settings().backend == "auto"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("speed = 'x'", ["unknown key “speed”"]),
        ("backend = 'quantum'", ["“backend”", "'quantum'"]),
        ("model = 3", ["“model”", "got 3"]),
        ("model = ", ["not TOML"]),
        ("speed = 1\ncolour = 2", ["(and 1 more)"]),
    ],
)
def test_a_wrong_file_is_refused_with_key_and_place(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = write(tmp_path / "s.toml", text)

    with pytest.raises(ConfigError) as refused:
        read_toml(path, Settings)

    assert str(path) in str(refused.value)
    for word in words:
        assert word in str(refused.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(b"\xff\xfe\x00model")

    with pytest.raises(ConfigError, match="not TOML"):
        read_toml(path, Settings)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path / "absent.toml", Settings)
