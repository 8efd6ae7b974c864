# PainLake's commands for people. Python 3.11 or newer, git and make are all that must be there.

# Another Python than the first found: make setup PYTHON=python3.12
PYTHON ?=
# Another folder for the demo: make demo STUDY=elsewhere
STUDY ?=
# Where Prefect's server keeps its database, and where it listens: make server DATA=/srv/prefect PORT=4300
DATA ?= prefect-server
PORT ?= 4200
# What the benchmarks are told: make bench BENCH="--quick", make bench BENCH="--only speed --folder ../bench"
BENCH ?=
# Fewer or other damaged files: make fuzz N=200 SEED=7
N := 1000
SEED := 1

BIN := .venv/bin
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --extra demo

.DEFAULT_GOAL := help
.PHONY: help setup demo server test test-slow test-crash test-cluster test-pyfeat fuzz lint bench bench-pyfeat lock clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make .venv with the pinned packages; quick where nothing has changed
	@PYTHON='$(PYTHON)' .ci/setup

demo: setup ## Film synthetic people, ingest them into ./study, and ask a question
	@.ci/demo '$(STUDY)'

server: setup ## Run a Prefect server that keeps what it knows in ./prefect-server, with its pages, until stopped
	$(BIN)/painlake server '$(DATA)' --port '$(PORT)'

test: lint ## Lint, types and all tests
	$(BIN)/python -m pytest -q -n logical --maxprocesses 8 --dist loadfile

test-slow: setup ## The tests that take minutes: whole erasures, later nights, S3, runs killed at every step, canaries
	$(BIN)/python -m pytest -q -n logical --maxprocesses 8 --dist loadfile -m 'slow and not crash'

test-crash: setup ## Nights killed at every fault point and at 40 random times, one by one: about an hour
	$(BIN)/python -m pytest -q -n logical --maxprocesses 8 --dist loadfile -m crash

test-pyfeat: setup ## The engine pyfeat, in .venv-pyfeat with torch: 3 minutes and 8 GB the first time
	@.ci/pyfeat
	.venv-pyfeat/bin/python -m pytest -q tests/pyfeat tests/pipelines/test_face_pyfeat.py tests/pipelines/test_face_engine.py

test-cluster: setup ## Media stages on real Dask and Ray clusters, in .venv-cluster with Ray: 8 minutes and 2 GB the first time
	@.ci/cluster
	.venv-cluster/bin/python -m pytest -q -m 'slow or not slow' $(filter-out %_ray.py,$(wildcard tests/flows/test_cluster*.py))
# Alone: a process of Ray's keeps to the first token that it reads.
	.venv-cluster/bin/python -m pytest -q -m 'slow or not slow' tests/flows/test_cluster_ray.py

fuzz: setup ## Deliver N=1000 damaged files (SEED=1), night by night, and say which broke a rule
	$(BIN)/python -m tests.fuzz --number '$(N)' --seed '$(SEED)'

lint: setup ## Ruff's rules and format, mypy's strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup ## Run the benchmarks of benchmarks/
ifeq ($(wildcard benchmarks/*.py),)
	@echo 'benchmarks/ holds no benchmark yet'
else ifneq ($(wildcard benchmarks/__main__.py),)
	$(BIN)/python -m benchmarks $(BENCH)
else
	@set -e; for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python "$$file"; done
endif

bench-pyfeat: setup ## The engine pyfeat beside py-feat alone, in the environment of test-pyfeat
	@.ci/pyfeat
	.venv-pyfeat/bin/python -m benchmarks.pyfeat

lock: setup ## Pin the packages anew after a change of pyproject.toml; pins that still fit stay
	$(LOCK) --extra dask --group dev --output-file requirements-dev.txt
	$(LOCK) --constraints requirements-dev.txt --output-file requirements.txt

clean: ## Remove .venv, .venv-cluster, .venv-pyfeat, caches and the studies that `make demo` made
	@.ci/clean
