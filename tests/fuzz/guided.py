"""One target under atheris: `python -m tests.fuzz.guided TARGET CORPUS [libFuzzer options]`."""

import logging
import sys

import atheris

with atheris.instrument_imports(include=["drivers", "thermoseg"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    logging.disable(logging.ERROR)
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.feed)
    atheris.Fuzz()
