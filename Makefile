# `make run` and `make test` need CPython >= 3.11 and make, nothing else: each target sets up what it needs.
PYTHON ?= python3
ARGS ?=
MINUTES ?= 20

# Settings of the caller's pip that would send the install elsewhere or refuse the project itself.
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_HASHES PIP_REQUIRE_VIRTUALENV PIP_NO_DEPS
unexport PIP_EDITABLE PIP_REQUIREMENT PIP_DRY_RUN PIP_PYTHON PYTHONHOME PYTHONPATH
# Without compiled files each process that a test starts compiles the router again.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
PYTEST := $(BIN)/pytest --numprocesses=auto --dist=worksteal
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --no-config --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --extra postgres --upgrade

.DEFAULT_GOAL := help
.PHONY: help run test test-slow chaos soak check bench fmt docs lock

help:  ## show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

run: .venv/runtime  ## serve rules.yaml in sandbox mode and feed it the sample payloads (ARGS=--exit: then stop)
	@$(BIN)/router serve --sandbox --feed-samples $(ARGS)

test: .venv/development  ## all tests but the slow ones; those of router/core must cover it
	@$(PYTEST) tests/core --cov=router.core --cov-branch --cov-report=term-missing:skip-covered \
		--cov-fail-under=100 $(ARGS)
	@$(PYTEST) -m 'not slow' --ignore=tests/core $(ARGS)

test-slow: .venv/development  ## the tests that kill routers, put load on them, or wait
	@$(PYTEST) -m slow $(ARGS)

chaos: .venv/development  ## break the router under load for half an hour, on both databases
	@ROUTER_TEST_CHAOS=long $(BIN)/pytest tests/chaos -s $(ARGS)

soak: .venv/development  ## keep the router under half load for MINUTES (20): nothing it takes may grow
	@ROUTER_TEST_SOAK=$(MINUTES) $(BIN)/pytest tests/chaos/test_soak.py -s $(ARGS)

check: .venv/development  ## lint, format, types, imports, length of files, names, references
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@find router plugins tests benchmarks -name '*.py' -exec wc -l {} + | awk '$$2 != "total" && $$1 > 400 \
		{ print $$2 ": " $$1 " lines, at most 400: split it"; bad = 1 } END { exit bad }'
	@$(BIN)/python -m tests.checks
	@$(BIN)/python -m tests.docs.parts --check

bench: .venv/runtime  ## what the router costs, beside Express, Litestar and stock Apprise (ARGS=--quick: a short form)
	@$(BIN)/python -m benchmarks $(ARGS)

fmt: .venv/development  ## format, and mend what the linter can mend
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

docs: .venv/development  ## write the parts of the pages that come from the code, and build the site
	@$(BIN)/python -m tests.docs.parts
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'The site is in build/site/index.html'

lock:  ## take the newest allowed releases into the lock files
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && $(PYTHON) -m venv "$$tmp" && \
	$(MAKE) --no-print-directory BIN="$$tmp/bin" compile

.PHONY: compile
compile:
	@$(PIP) uv
	@$(COMPILE) --group build --output-file requirements.lock
	@$(COMPILE) --group dev --constraint requirements.lock --output-file requirements-dev.lock

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "$(PYTHON) is not Python 3.11 or newer: name one, as in  make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo 'Making .venv'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo 'Python could not make a virtual environment (Debian and Ubuntu: apt install python3-venv)' >&2; exit 1; }

.venv/runtime: requirements.lock pyproject.toml | .venv/bin/pip
	@echo 'Installing the router and what it needs into .venv (once, about a minute)'
	@$(PIP) --no-deps --require-hashes --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/development: requirements-dev.lock .venv/runtime
	@echo 'Installing the tools for tests and checks into .venv (once)'
	@$(PIP) --no-deps --require-hashes --requirement requirements-dev.lock
	@touch $@
