"""Whatever bytes come from outside: only errors of our own, soon, in bounded memory."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutate import mutate
from tests.fuzz.targets import MAX_BYTES, TARGETS

resource = pytest.importorskip("resource", reason="Windows bounds no memory this way")
ROOT = Path(__file__).parents[1]
NAMES = ["fff", "session"]
"""The parsers of the other cameras are fuzzed beside their own tests."""


@pytest.fixture(scope="module")
def seeds() -> dict[str, list[bytes]]:
    return {name: TARGETS[name].seeds() for name in NAMES}


@pytest.fixture
def bounded() -> Iterator[None]:
    """Let the process take no more memory than the fuzzer states."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (now + MAX_BYTES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize("name", NAMES)
def test_sound_bytes_are_read_without_complaint(
    name: str, seeds: dict[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class NeverError(Exception):
        pass

    monkeypatch.setattr("tests.fuzz.targets.ThermoSegError", NeverError)
    for sound in seeds[name]:
        if name == "fff" and sound[:2] == b"\xff\xd8":
            continue  # the picture is no block by itself
        TARGETS[name].feed(sound)


def test_the_seeds_of_a_flir_one_reach_behind_its_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr("tests.fuzz.targets.thermal_counts", lambda *parts: taken.append(parts[1:]))
    for sound in TARGETS["flir-one"].seeds():
        TARGETS["flir-one"].feed(sound)

    assert taken == [(80, 60), (160, 120), (80, 60)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("bounded")
@given(number=st.integers(0, 2**32 - 1))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_broken_bytes_give_errors_of_our_own_only(
    name: str, seeds: dict[str, list[bytes]], number: int
) -> None:
    rng = np.random.default_rng(number)
    sound = seeds[name][number % len(seeds[name])]

    TARGETS[name].feed(mutate(sound, rng))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("bounded")
@given(data=st.binary(max_size=512))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_give_errors_of_our_own_only(name: str, data: bytes) -> None:
    magic = {"fff": b"FFF\0", "session": b"\x89HDF\r\n\x1a\n"}[name]

    TARGETS[name].feed(data)
    TARGETS[name].feed(magic + data)


def test_what_gives_way_is_found_and_kept(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['fuzz', 'fff', '--plain', '--seconds', '60']\n"
        "import tests.fuzz.targets as t, tests.fuzz.__main__ as m\n"
        "def feed(data):\n"
        "    if len(data) % 7 == 3: raise IndexError('a defect')\n"
        "m.TARGETS['fff'] = t.Target(feed, lambda: [bytes(70)])\n"
        "m.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"TMPDIR": str(tmp_path), "PATH": ""},
    )

    assert done.returncode == 1
    assert "IndexError: a defect" in done.stderr
    (kept,) = tmp_path.glob("fuzz-fff-*.bin")
    assert len(kept.read_bytes()) % 7 == 3
    assert str(kept) in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="pip install atheris")
@pytest.mark.parametrize("name", list(TARGETS))
def test_a_fuzzer_that_follows_the_code_finds_nothing(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, "--seconds", "20"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )

    assert done.returncode == 0, done.stdout + done.stderr
