# Needs git, make, and uv or Python 3.10 or later. Options: VENV=path, PYTHON=python3.12.
# ./checkpoints makes the environment. Its programs are named by their path: an exported PATH does
# not reach the recipes of every make.
VENV ?= .venv
python := $(abspath $(VENV))/bin/python
unexport PYTHONPATH

.PHONY: help minimal complete page demo test coverage bench scale torture lint lock clean dev

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

minimal: ## Download the files to start with: the set minimal of params.yaml, or all
	./checkpoints fetch

complete: ## Download all checkpoints
	./checkpoints fetch complete
	./checkpoints dvc repro -q models.dvc

page: ## Make site/index.html, a page that shows every checkpoint
	./checkpoints page --picture docs/page.svg

demo: dev ## Run the whole workflow against publishers on loopback
	$(python) -m tests.demo

test: lint ## Run lint, type checks and tests, installing what is missing
	$(python) -m pytest -n auto --dist worksteal

coverage: dev ## Run the tests with branch coverage, in twice the time
	$(python) -m pytest -n auto --dist worksteal --cov --cov-report=term

bench: ## Compare with other tools (needs nginx, aria2, wget, curl)
	@./checkpoints environment dev bench
	$(python) -m bench

scale: dev ## Measure DVC with up to 2,500 entries
	$(python) -m bench.scale

torture: dev ## Run the longest tests; kill real commands (N=200 times), run two at once, fill the disk
	$(python) -m pytest -q -m torture
	$(python) -m tests.torture $(N)

lint: dev ## Run lint and type checks only
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy

lock: ## Compile requirements*.txt again (needs uv)
	uv pip compile $(LOCKED) pyproject.toml -o requirements.txt
	uv pip compile $(LOCKED) --group pyproject.toml:dev -c requirements.txt -o requirements-dev.txt
	uv pip compile $(LOCKED) --group pyproject.toml:bench -c requirements.txt -o requirements-bench.txt

clean: ## Remove the environment; keep checkpoints and cache
	rm -rf $(VENV) $(VENV).lock $(VENV).log

# Keep extras in the lines: with hashes, pip does not accept a bare name as the pin of name[extra].
LOCKED := --quiet --upgrade --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-strip-extras --no-header

dev:
	@./checkpoints environment dev
