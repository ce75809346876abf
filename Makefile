# make audit   installs Cuewise in .venv, audits the example notes, writes cuewise-report.html
# make test    installs the test extras too, then runs lint, types and every test
# make bench   runs the benchmarks
#
# Any Python from 3.11 on will do: make audit PYTHON=/path/to/python3.12

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# An installation is renewed when what it was made from is newer. The development one follows the sources by itself.
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
SOURCES := $(shell find analyzer models api -type f -not -path '*/examples/*' -not -path '*/__pycache__/*')
ENVIRONMENT := $(if $(wildcard $(INSTALLED_DEV)),$(INSTALLED_DEV),$(INSTALLED))

REPORT := cuewise-report.html

.PHONY: audit test bench
.DELETE_ON_ERROR:

audit: $(ENVIRONMENT)
	@$(BIN)/cuewise audit analyzer/examples
	@echo
	@$(BIN)/cuewise audit analyzer/examples --output $(REPORT)
	@echo "The report, for a browser: $(CURDIR)/$(REPORT)"

test: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

bench: $(INSTALLED_DEV)
	@echo "The benchmarks live in tests/benchmarks; they measure this machine and compare with other tools."
	$(BIN)/python tests/benchmarks/run.py
	$(BIN)/python tests/benchmarks/service.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Cuewise needs Python 3.11 or later. Name one: make audit PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# The interpreter is there before its packages are, so it is no reason to renew them.
$(INSTALLED): pyproject.toml $(SOURCES) | $(BIN)/python
	@echo "Installing Cuewise in $(VENV); the first time takes a minute or two ..."
	@$(PIP) install .
	@touch $@

$(INSTALLED_DEV): pyproject.toml | $(BIN)/python
	@echo "Installing Cuewise and what its tests need in $(VENV); the first time takes a minute or two ..."
	@$(PIP) install --editable '.[dev]'
	@touch $@
