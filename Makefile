# HER2 Review: `make run` starts the workstation, `make test` checks everything.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
# What needs neither a browser, a running page, a training, TensorFlow nor PostgreSQL.
QUICK := tests/common tests/preprocessing tests/stain tests/evaluation tests/charts tests/people tests/test_scores.py tests/test_settings.py

.PHONY: help run test quick lint bench explanations evaluation screenshots audit clean

help:
	@echo "make run          install on first use, then start the workstation on http://localhost:$(PORT)"
	@echo "make run GPU=1    the same, with TensorFlow for NVIDIA GPUs, for training"
	@echo "make test         lint, types and all tests, the browser journey included"
	@echo "make quick        lint, types and the quick tests"
	@echo "make lint         ruff, types and import contracts only"
	@echo "make bench        speed, into benchmarks/results.json (ten minutes)"
	@echo "make explanations  do the bundles' heat maps tell the truth? (benchmarks/explanations.json)"
	@echo "make evaluation   the shipped bundles on fresh patches, reports and docs/figures.md"
	@echo "make screenshots  every page, light and dark, into build/screenshots"
	@echo "make audit        known vulnerabilities, licences and a list of all parts, into build/audit"

# GPU=1: with the build of TensorFlow that trains on NVIDIA GPUs
run: $(VENV)/$(if $(GPU),.gpu,.runtime)
	@echo "HER2 Review opens on http://localhost:$(PORT) - stop it with Ctrl+C."
	@$(BIN)/python serve.py --port $(PORT)

# A worker for each core; a file's tests stay together, since they share what is slow to make, and
# files are handed out in the order of tests/conftest.py.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder
test: lint
	$(BIN)/python -m pytest $(PARALLEL)

quick: lint
	$(BIN)/python -m pytest $(PARALLEL) -k "not postgresql" $(QUICK)

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.development
	$(BIN)/python -m benchmarks

explanations: $(VENV)/.runtime
	$(BIN)/python -m benchmarks.explanations

evaluation: $(VENV)/.runtime
	training/evaluation.sh

screenshots: $(VENV)/.development
	$(BIN)/python -m tests.browser.screenshots

# A report, not a check: the advisory service may be out of reach, and what it finds is for a person.
audit: $(VENV)/.runtime
	deploy/audit.sh $(BIN)/python

# The stamp files make a second run start at once; they are remade when a requirements file changes.
$(VENV)/.runtime: requirements.txt | $(BIN)/python
	@echo "Installing what the workstation needs (several minutes the first time)..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.gpu: requirements-gpu.txt $(VENV)/.runtime
	$(BIN)/python -m pip uninstall --quiet --yes tensorflow-cpu tensorflow
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-gpu.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "HER2 Review needs Python 3.11 or newer, and '$(PYTHON)' is not."; \
	  echo "Install it (Debian: apt install python3.11 python3.11-venv) or name one: make run PYTHON=/path/to/python3.11"; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); \
	  echo "The virtual environment could not be made; on Debian: apt install python3.11-venv"; \
	  exit 1; }

clean:
	rm -rf build .pytest_cache .mypy_cache .ruff_cache
