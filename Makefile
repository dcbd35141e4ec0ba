# The two commands that a newcomer needs, `make demo` and `make test`; each sets up what is missing.
# VENV chooses another environment folder, CORES how many cores are used.

VENV ?= .venv
PYTHON ?= python3.11
CORES ?= $(shell nproc 2>/dev/null || echo 2)
BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)

.PHONY: help setup demo test lint format bench lock clean

help:
	@echo "make demo    set up, then turn the demo video into synthetic signers (results/report.html)"
	@echo "make test    set up, then lint and run the tests"
	@echo "make lint    ruff, snakefmt, pyright and snakemake --lint"
	@echo "make format  let ruff and snakefmt rewrite the code"
	@echo "make bench   measure the fit on synthetic clips with known truth"
	@echo "make lock    write constraints.txt from a fresh environment"
	@echo "make clean   remove results, resources and the environment"

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed (Blender's bpy 4.5 runs on no other): install it, or name it with PYTHON=/path/to/python3.11."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup
	snakemake --cores $(CORES)
	@echo "Open results/report.html in a browser."

test: lint
	pytest --numprocesses $(CORES) --dist loadfile

lint: setup
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	pyright
	lint-imports
	snakemake --lint

format: setup
	ruff check --fix .
	ruff format .
	snakefmt Snakefile rules

bench: setup
	test -f resources/body/body.npz || diffsign body build resources/body/body.npz
	python benchmarks/fit.py --json results/fit.json

lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --editable '.[dev]'
	{ echo "# Exact versions that the tests run with. Made by \`make lock\`."; \
	  build/lock/bin/python -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//'; } > constraints.txt

clean:
	rm -rf results resources .snakemake build $(VENV)
