# The two commands: `make demo` runs the main job, `make test` runs everything. Each makes its environment first.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
  "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
BIN := .venv/bin
WORK ?= work/demo
ARGS ?=

.PHONY: help setup demo test test-long oracle check fix bench docs lock picture serve clean

help:  ## Show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup:  ## Make the environment .venv (every target does, when it is missing or stale)
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is needed; on Debian and Ubuntu: apt-get install -y python3 python3-venv" >&2; exit 1; fi
	@"$(PYTHON)" scripts/setup_env.py

demo: setup  ## Run the main job: a year of flights through streaming SQL, checked against DuckDB
	@$(BIN)/fluxcore demo --work $(WORK) $(ARGS)

test: setup  ## Run all tests
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

test-long: setup  ## Run all tests with many more random cases
	@FLUXCORE_TEST_PROFILE=long $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

proofs: setup  ## Run the tests of what the bus's log promises at length: every byte, every bit, a thousand kills (an hour and more)
	@FLUXCORE_TEST_PROFILE=long $(BIN)/python -m pytest -n 2 --dist worksteal tests/unit/bus $(ARGS)

oracle: setup  ## Compare every golden query and built-in function with a real Flink (needs a JDK 17 or newer)
	@FLUXCORE_ORACLE=all CI=true $(BIN)/python -m pytest -n 2 --dist worksteal tests/services/test_golden_on_flink.py tests/services/test_nexmark_on_flink.py tests/services/test_functions_on_flink.py $(ARGS)

check: setup  ## Format, lint, types, import ladder, docs
	@$(BIN)/python scripts/check.py

fix: setup  ## Format the sources and mend what the linter can
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

bench: setup  ## Measure Nexmark beside DuckDB and print a table
	@$(BIN)/fluxcore bench nexmark --queries q0,q1,q2,q5 --events 10000000 --source csv --versus duckdb $(ARGS)

docs: setup  ## Build the documentation site into site/
	@$(BIN)/python scripts/build_docs.py

lock: setup  ## Choose new versions of all dependencies
	@$(BIN)/python scripts/lock.py

picture: setup  ## Draw the picture of the README from a real run
	@$(BIN)/python scripts/picture.py

serve:  ## (not there yet) Start the server
	@echo "the server does not exist yet; 'make demo' shows what does" >&2; exit 1

clean:  ## Remove what was built, but not the environment
	@rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
