# Needs python3 (3.10 or later, with venv), git and make. VENV=path and PYTHON=python3.12 may be given.
PYTHON ?= python3
VENV ?= .venv
# Every command runs inside the environment, whether it is activated or not.
export PATH := $(abspath $(VENV))/bin:$(PATH)
unexport PYTHONPATH

.PHONY: help minimal complete demo test bench scale torture lint lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

minimal: $(VENV)/installed ## Fetch the two checkpoints SAM-PT runs by default (2.7 GB)
	python -m scripts.fetch minimal
	dvc repro -q fetch_minimal

complete: $(VENV)/installed ## Fetch all 25 checkpoints (9.3 GB)
	python -m scripts.fetch complete
	dvc repro -q models.dvc

demo: $(VENV)/installed-dev ## Show the whole job on this machine, without the internet
	python -m tests.sampt.demo

test: lint ## Run lint, types and tests, creating what is missing
	python -m pytest -n auto --cov --cov-report=term

bench: $(VENV)/installed-bench ## Measure everything beside its rivals (needs nginx, aria2, wget, curl)
	python -m bench

scale: $(VENV)/installed-dev ## Measure DVC with up to 2,500 entries
	python -m bench.scale

torture: $(VENV)/installed-dev ## Kill, double and starve real commands, N=200 times
	python -m tests.torture $(N)

lint: $(VENV)/installed-dev ## Run lint and types alone
	ruff check .
	ruff format --check .
	mypy

lock: ## Compile requirements*.txt anew (needs uv)
	uv pip compile $(LOCKED) pyproject.toml -o requirements.txt
	uv pip compile $(LOCKED) --group pyproject.toml:dev -c requirements.txt -o requirements-dev.txt
	uv pip compile $(LOCKED) --group pyproject.toml:bench -c requirements.txt -o requirements-bench.txt

clean: ## Remove the environment; checkpoints and cache stay
	rm -rf $(VENV)

# -qq: pip warns of a dependency of DVC that is published as source alone.
INSTALL := python -m pip install -qq --disable-pip-version-check --require-hashes
# Extras stay in the lines: with hashes, pip takes a bare name for no pin of name[extra].
LOCKED := --quiet --upgrade --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-strip-extras --no-header

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "error: $(PYTHON) is older than 3.10; name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "error: no virtual environment could be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV); this takes a minute"
	@$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed-dev requirements-bench.txt
	@$(INSTALL) -r requirements-bench.txt
	@touch $@
