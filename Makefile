# make demo   set up and run the main job: equations -> kernel -> spikes -> picture
# make bench  measure beside peers (those that are installed) and limits; write results, picture and tables
# make test   set up and run linters, types and tests
# make gpu    on a machine with a CUDA device (CUDA=cuda12 or cuda13): tests, sanitizers, benchmark and counters
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
TESTED_WITH ?= $(BIN)/python
.DELETE_ON_ERROR:
CUDA ?= cuda12
.PHONY: demo test lint style types docs bench gpu clean

$(VENV)/.installed: pyproject.toml
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test,lint]"
	@touch $@

$(VENV)/.docs: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[docs]"
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/python examples/seed_example.py --out out

style: $(VENV)/.installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --quiet --check .

types: $(VENV)/.types

$(VENV)/.types: $(VENV)/.installed $(shell find izhigen -name '*.py')
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/basedpyright --level error --pythonpath $(BIN)/python > $(VENV)/basedpyright.txt || { cat $(VENV)/basedpyright.txt; exit 1; }
	@touch $@

lint: style types

test: style  # types are checked meanwhile: they take one core
	@$(MAKE) --no-print-directory types > $(VENV)/types.txt 2>&1 & types=$$!; \
	$(TESTED_WITH) -m pytest -n 2 -q; tests=$$?; \
	wait $$types || { cat $(VENV)/types.txt; exit 1; }; exit $$tests
	@echo "tests passed; try next: make demo, or $(BIN)/izhigen show IzhikevichLTC"

docs: $(VENV)/.docs
	@$(BIN)/python -m sphinx -q -W -b html docs docs/_build/html
	@echo "docs written: docs/_build/html/index.html"

bench: $(VENV)/.installed
	@$(BIN)/python benchmarks/peers.py --save
	@$(BIN)/python benchmarks/limits.py --save
	@$(BIN)/python benchmarks/zoo.py --save
	@$(BIN)/python benchmarks/steps.py --save
	@$(BIN)/python benchmarks/poisson.py --save
	@$(BIN)/python benchmarks/sweeps.py --save
	@$(BIN)/python benchmarks/fits.py --save
	@$(BIN)/python benchmarks/imports.py --save
	@$(BIN)/python benchmarks/networks.py --save
	@$(BIN)/python benchmarks/cluster.py --save
	@$(BIN)/python benchmarks/events.py --save
	@$(BIN)/python benchmarks/training.py --save
	@$(BIN)/python benchmarks/precision.py --save
	@$(BIN)/python benchmarks/plot.py
	@$(BIN)/python benchmarks/report.py

$(VENV)/.gpu: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$(CUDA)]"
	@touch $@

gpu: $(VENV)/.gpu
	@PYTHON=$(CURDIR)/$(BIN)/python benchmarks/gpu.sh

clean:
	rm -rf $(VENV) $(VENV)-tools out docs/_build
