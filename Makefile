# make forecast   install, then run the main job
# make test       install, then every check
# make types      install, then check the types, see [tool.mypy] of pyproject.toml
# make coverage   install, then run all tests and tell which share of the lines they reach
# make docs       install, then build the documentation, without a network
# PYTHON chooses the interpreter, for example: make test PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: install forecast test lint types coverage docs clean

install: .venv/installed

forecast: .venv/installed
	$(BIN)/floecast run examples/full_chain.yaml --out runs/full_chain
	@echo "The report is at $(CURDIR)/runs/full_chain/report.html"

test: lint
	$(BIN)/pytest -n 2 --dist loadfile

lint: types
	$(BIN)/ruff check
	$(BIN)/lint-imports --no-logo

types: .venv/installed-dev
	$(BIN)/mypy

coverage: .venv/installed-dev
	$(BIN)/pytest -n 2 --dist loadfile --cov --cov-report=term --cov-report=html:.coverage_html
	@echo "The lines that no test reaches are marked in $(CURDIR)/.coverage_html/index.html"

docs: .venv/installed-docs
	$(BIN)/python -m sphinx -q -W -b html docs docs/_build
	@echo "The documentation is at $(CURDIR)/docs/_build/index.html"

clean:
	rm -rf .venv docs/_build dist .coverage .coverage.* .coverage_html .pytest_cache .hypothesis .ruff_cache .mypy_cache .import_linter_cache
	find src tests -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit( \
	"floecast needs Python 3.11, 3.12 or 3.13, but $(PYTHON) is %d.%d: name another one, for example make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable .
	@touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable '.[dev,docs]'
	@touch $@ .venv/installed .venv/installed-docs

.venv/installed-docs: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable '.[docs]'
	@touch $@ .venv/installed
