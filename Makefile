# ThermoSeg: `make` alone lists what can be made.  Everything happens in .venv; nothing is
# installed outside this folder except by `make system-packages` and `make gige`.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Without an NVIDIA GPU on Linux, a PyTorch chosen freely would bring gigabytes of CUDA with it.
# Set TORCH= (empty) to let pip choose, or name another build.
HAS_GPU := $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1 && echo yes)
ifeq ($(shell uname -s)$(HAS_GPU),Linux)
TORCH ?= torch==2.13.0
endif

# What a real window needs on Debian and Ubuntu; drawing without a screen needs none of it.
SYSTEM_PACKAGES := xvfb libxcb-cursor0 libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0 \
	libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1

# What GigE cameras need there: Aravis, and what pip builds PyGObject with.
GIGE_PACKAGES := gir1.2-aravis-0.8 libgirepository1.0-dev libcairo2-dev pkg-config gcc python3-dev

CAMERA ?= simulated:
BENCH_SECONDS ?= 60
SOAK_MINUTES ?= 30
FUZZ_SECONDS ?= 60
TORTURE ?=
# Files of tests that run at once: one for each core up to two, as many use more than a core.
TEST_PROCESSES ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null | awk '{ print ($$1 > 1) ? 2 : 0 }' || echo 0)

# What `make gpu` needs beside torch, numpy, h5py, lightning, safetensors and OpenCV, as wheels in
# a folder, for machines with a GPU and without the network.
GPU_PYTHON ?= $(shell command -v python3.12 || command -v python3 || echo python3)
GPU_PACKAGES := absl-py hdf5plugin pillow platformdirs protobuf psutil tensorboard tifffile
PYDANTIC_PACKAGES := annotated-types pydantic pydantic-core typing-extensions typing-inspection
GPU_FOLDER := $(abspath out/gpu-packages)
GPU_ARGS ?=
WHEELS ?= $(wildcard wheels)
WHEELS_FOR := --only-binary=:all: --python-version 3.12 --platform manylinux_2_28_x86_64 \
	--platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help install run demo test test-slow soak fuzz torture lint format bench gpu gpu-wheels face-accurate screenshots system-packages gige clean

help: ## list these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' \
		| awk -F'|' '{ printf "%-24s %s\n", $$1, $$2 }'

install: $(INSTALLED) ## make .venv and install everything in it

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "ThermoSeg needs Python 3.11 or newer, and “$(PYTHON)” is not: install it (Debian," \
			"Ubuntu: sudo apt install python3.11 python3.11-venv) or name one: make PYTHON=…"; \
		exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); \
		echo "Python's venv module is missing: sudo apt install python3-venv, then make again"; \
		exit 1; }
	@echo "Installing into $(VENV); the first time this takes some minutes."
	$(if $(TORCH),$(BIN)/python -m pip install --quiet '$(TORCH)')
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

run: $(INSTALLED) ## start the app on the simulated camera (CAMERA=… for another)
	@if [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ] && [ "$$(uname -s)" != Darwin ]; then \
		echo "There is no display here, so the same session runs without a window."; \
		$(BIN)/thermoseg demo --camera '$(CAMERA)'; \
	elif [ -z "$$WAYLAND_DISPLAY" ] && missing=$$(ldd $(VENV)/lib/python3*/site-packages/PyQt6/Qt6/plugins/platforms/libqxcb.so \
			2>/dev/null | grep 'not found'); then \
		echo "A window needs libraries that this machine lacks:"; echo "$$missing"; \
		echo "Install them with “make system-packages”.  Until then, without a window:"; \
		$(BIN)/thermoseg demo --camera '$(CAMERA)'; \
	else \
		$(BIN)/thermoseg-ui '$(CAMERA)'; \
	fi

demo: $(INSTALLED) ## the session of `make run` without a window, always
	@$(BIN)/thermoseg demo --camera '$(CAMERA)'

test: $(INSTALLED) ## run the tests
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

test-slow: $(INSTALLED) ## run the longer checks too
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m 'not soak' --timeout 3600

soak: $(INSTALLED) ## stream, and use the window, for SOAK_MINUTES each; nothing may grow or be lost
	SOAK_MINUTES=$(SOAK_MINUTES) $(BIN)/python -m pytest -m soak -s tests/test_soak.py tests/ui/test_hour.py

fuzz: $(INSTALLED) ## feed each parser of foreign bytes with nonsense for FUZZ_SECONDS
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

torture: $(INSTALLED) ## do to recordings what life does (TORTURE=--quick): slow disks, kills, cuts, flips
	$(BIN)/python -m tests.torture $(TORTURE)

lint: $(INSTALLED) ## check style, types, imports, spelling and file sizes (.pre-commit-config.yaml)
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/pre-commit run --all-files --show-diff-on-failure

format: $(INSTALLED) ## put the code into house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## measure live rates, latency and networks; prints tables
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m benchmarks --seconds $(BENCH_SECONDS)

gpu: ## report what only a GPU can show; GPU_ARGS='--faces FOLDER', or '--device cpu --quick'
	@# A folder on the path and no .venv: that of a .venv would not see the packages around it.
	@rm -rf $(GPU_FOLDER)
	$(if $(WHEELS),$(GPU_PYTHON) -m pip install --quiet --no-index --find-links '$(WHEELS)' --no-deps \
		--target $(GPU_FOLDER) $(GPU_PACKAGES) $(PYDANTIC_PACKAGES))
	PYTHONPATH="$(GPU_FOLDER):$$PYTHONPATH" $(GPU_PYTHON) -m benchmarks.gpu $(GPU_ARGS)

gpu-wheels: ## fetch into wheels/ what `make gpu` needs on a machine without the network
	$(GPU_PYTHON) -m pip download --quiet --dest wheels $(WHEELS_FOR) --no-deps $(GPU_PACKAGES)
	@# With what it depends on, because it wants one version of its core.
	$(GPU_PYTHON) -m pip download --quiet --dest wheels $(WHEELS_FOR) pydantic

face-accurate: $(INSTALLED) ## build the model for GPUs: hours on a GPU, goes on where it was stopped
	@if [ -f runs/face-accurate/run.json ]; then \
		$(BIN)/thermoseg-train train --resume runs/face-accurate; \
	else \
		$(BIN)/thermoseg-train train assets/training/face-accurate.toml --out runs/face-accurate; \
	fi
	$(BIN)/thermoseg-train export runs/face-accurate --name face-accurate --half \
		--out assets/models/face-accurate.safetensors \
		--data "synthetic thermal heads (thermoseg.phantom) only; no picture of a real person"

screenshots: $(INSTALLED) ## draw every page and empty state into out/screenshots, those of docs/ anew
	$(BIN)/python -m tests.screenshots out/screenshots --docs docs

system-packages: ## install what a real window needs on Debian and Ubuntu (asks for root)
	$(if $(filter 0,$(shell id -u)),,sudo) apt-get update
	$(if $(filter 0,$(shell id -u)),,sudo) apt-get install --yes $(SYSTEM_PACKAGES)

gige: $(INSTALLED) ## install what GigE cameras need on Debian and Ubuntu (asks for root)
	@command -v apt-get >/dev/null || { \
		echo "This takes Debian or Ubuntu; docs/cameras.md says what GigE cameras need elsewhere."; \
		exit 1; }
	$(if $(filter 0,$(shell id -u)),,sudo) apt-get update
	$(if $(filter 0,$(shell id -u)),,sudo) apt-get install --yes --no-install-recommends $(GIGE_PACKAGES)
	$(BIN)/python -m pip install --quiet --editable '.[gige]'
	@$(BIN)/python -c 'from drivers.gige import load_aravis; load_aravis()'
	@echo "GigE cameras can be used now: “thermoseg cameras” lists them."

clean: ## remove .venv and everything built
	rm -rf $(VENV) build dist ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
