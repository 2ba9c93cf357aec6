# Two commands for a newcomer: `make demo` and `make test`. Both set up everything they need in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
WORKERS ?= 2

# One thread per process: two OpenMP threads on busy cores are slower than one.
export OMP_NUM_THREADS ?= 1
# The tests start some hundred processes: with this set, each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow check lint types layers format clean

demo: .venv/.hf
	$(BIN)/recaption demo

test: .venv/.dev
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not slow"

test-slow: .venv/.dev
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m slow

check: lint types layers test

lint: .venv/.dev
	$(BIN)/ruff check src tests benchmarks training
	$(BIN)/ruff format --check src tests benchmarks training

types: .venv/.dev
	$(BIN)/mypy

layers: .venv/.dev
	$(BIN)/lint-imports

format: .venv/.dev
	$(BIN)/ruff check --fix src tests benchmarks training
	$(BIN)/ruff format src tests benchmarks training

clean:
	rm -rf .venv demo-out build dist

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "recaption needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv

# The embedded models need torch: about a gigabyte once installed, half a minute of download.
.venv/.hf: .venv/bin/python pyproject.toml constraints.txt
	@echo "setting up .venv with torch and transformers; this takes a minute or two"
	$(PIP) install --quiet --constraint constraints.txt --editable '.[hf]'
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ .venv/.hf
