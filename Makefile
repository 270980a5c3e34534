# make demo: a whole Harvest account, made up, into DuckDB.   make test: everything checked.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-long lint clean

demo: .venv/.demo
	$(BIN)/python -m sandbox.demo

test: .venv/.test lint
	$(BIN)/python -m pytest -n auto

# the randomized tests at length: thousands of sequences, for hours
test-long: .venv/.test
	LONG=1 $(BIN)/python -m pytest -n auto tests/test_random.py tests/test_death.py

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv .demo

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.demo: requirements.txt requirements-sandbox.txt | .venv/bin/python
	$(BIN)/pip install -q -r requirements.txt -r requirements-sandbox.txt
	touch $@

.venv/.test: requirements.txt requirements-sandbox.txt requirements-dev.txt | .venv/bin/python
	$(BIN)/pip install -q -r requirements-dev.txt
	touch $@ .venv/.demo
