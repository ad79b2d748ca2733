# Needs python3 (3.10 or later, with venv), git and make. Options: VENV=path, PYTHON=python3.12.
PYTHON ?= python3
VENV ?= .venv
# Every command runs inside the environment, activated or not.
export PATH := $(abspath $(VENV))/bin:$(PATH)
unexport PYTHONPATH

.PHONY: help minimal complete demo test coverage bench scale torture lint lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

minimal: $(VENV)/installed ## Download the two checkpoints that SAM-PT loads by default (2.7 GB)
	python -m scripts.fetch minimal
	dvc repro -q fetch_minimal

complete: $(VENV)/installed ## Download all 25 checkpoints (10.0 GB)
	python -m scripts.fetch complete
	dvc repro -q models.dvc

demo: $(VENV)/installed-dev ## Run the whole workflow against publishers on loopback
	python -m tests.sampt.demo

test: lint ## Run lint, type checks and tests, installing what is missing
	python -m pytest -n auto --dist worksteal

coverage: $(VENV)/installed-dev ## Run the tests with branch coverage, in twice the time
	python -m pytest -n auto --dist worksteal --cov --cov-report=term

bench: $(VENV)/installed-bench ## Compare with other tools (needs nginx, aria2, wget, curl)
	python -m bench

scale: $(VENV)/installed-dev ## Measure DVC with up to 2,500 entries
	python -m bench.scale

torture: $(VENV)/installed-dev ## Run the longest tests; kill real commands (N=200 times), run two at once, fill the disk
	python -m pytest -q -m torture
	python -m tests.torture $(N)

lint: $(VENV)/installed-dev ## Run lint and type checks only
	ruff check .
	ruff format --check .
	mypy

lock: ## Compile requirements*.txt again (needs uv)
	uv pip compile $(LOCKED) pyproject.toml -o requirements.txt
	uv pip compile $(LOCKED) --group pyproject.toml:dev -c requirements.txt -o requirements-dev.txt
	uv pip compile $(LOCKED) --group pyproject.toml:bench -c requirements.txt -o requirements-bench.txt

clean: ## Remove the environment; keep checkpoints and cache
	rm -rf $(VENV)

# -qq: pip warns about a dependency of DVC that has no wheel.
INSTALL := python -m pip install -qq --disable-pip-version-check --require-hashes
# Keep extras in the lines: with hashes, pip does not accept a bare name as the pin of name[extra].
LOCKED := --quiet --upgrade --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-strip-extras --no-header

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "error: $(PYTHON) is older than 3.10; choose a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "error: cannot create a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV); this takes a minute"
	@$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed-dev requirements-bench.txt
	@$(INSTALL) -r requirements-bench.txt
	@touch $@
