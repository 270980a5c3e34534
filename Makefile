# make demo: a whole Harvest account, made up, into DuckDB.   make test: everything checked.
PYTHON ?= python3
BIN := .venv/bin
# what goes into dlt's verified-sources, whose lines have 88 characters
SOURCE := harvest harvest_pipeline.py

# hundreds of processes import dlt: each would compile it anew, which takes longer than the import
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all test-long test-examples test-bigquery test-engines test-export test-app test-mysql test-dlt test-warehouses \
	notebook benchmark benchmark-large models app lint clean

demo: .venv/.demo
	$(BIN)/python -m sandbox.demo

test: .venv/.test lint
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not long"

# the long ones as well: on PostgreSQL, too, by chance, and with large accounts
test-all: .venv/.test lint
	$(BIN)/python -m pytest -n auto --dist worksteal

# the randomized tests at length: LONG batches of 165 sequences, and of runs that are killed
LONG ?= 3
test-long: export LONG := $(LONG)
test-long: .venv/.test
	$(BIN)/python -m pytest -n auto --dist worksteal -rP --show-capture=stdout -k batch

# the examples run in the real Airflow and Dagster, which are large: in environments of their own
test-examples: .venv-airflow/.ready .venv-dagster/.ready
	.venv-airflow/bin/python examples/check.py airflow
	.venv-dagster/bin/python examples/check.py dagster

# dlt's client of BigQuery against an emulator of it, whose plugin for pytest wants Docker
test-bigquery: .venv-bigquery/.ready
	.venv-bigquery/bin/python -m pytest -p no:bqemulator tests/bigquery

# DuckLake, and Delta tables read by Sail (Spark's API), Daft, Polars and DuckDB
test-engines: .venv-engines/.ready
	.venv-engines/bin/python -m pytest tests/engines

# dbt's adapters of warehouses, which compile the models and connect to nothing
test-warehouses: .venv-warehouses/.ready
	.venv-warehouses/bin/python -m pytest -m "" tests/models/test_warehouses.py

# black, flake8 and mypy as verified-sources has them, on what is exported there
test-export: .venv-export/.ready
	.venv-export/bin/python -m pytest -m "" tests/docs/test_export.py

# MySQL's protocol: Debian's package mariadb-server must be installed
test-mysql: .venv/.test
	$(BIN)/pip install -q --no-compile --group mysql
	$(BIN)/python -m pytest tests/destinations/test_mysql.py

# the app in a real browser: Debian's package chromium must be installed
test-app: .venv/.test
	@command -v chromium || command -v google-chrome || command -v chromium-browser || \
		{ echo "There is no browser: install Debian's package chromium."; exit 1; }
	$(BIN)/pip install -q --no-compile --group browser
	$(BIN)/python -m pytest tests/models/test_app.py

# any version of dlt: make test-dlt VERSION=1.30.0; pre is its newest pre-release
VERSION ?= pre
test-dlt: .venv-dlt-$(VERSION)/.ready
	.venv-dlt-$(VERSION)/bin/python -m pytest -n auto --dist worksteal -m "not long"

.venv-dlt-%/.ready: pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv-dlt-$*
	.venv-dlt-$*/bin/pip install -q -U "pip>=25.1"
	.venv-dlt-$*/bin/pip install -q --no-compile -r requirements.txt --group dev
	.venv-dlt-$*/bin/pip install -q --no-compile $(if $(filter pre,$*),--pre -U dlt,dlt==$*)
	touch $@

.venv-airflow/.ready .venv-dagster/.ready: .venv-%/.ready: examples/requirements-%.txt pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/pip install -q -U "pip>=25.1"
	.venv-$*/bin/pip install -q --no-compile -r $< --group test
	touch $@

.venv-engines/.ready .venv-bigquery/.ready .venv-export/.ready .venv-warehouses/.ready: .venv-%/.ready: pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/pip install -q -U "pip>=25.1"
	.venv-$*/bin/pip install -q --no-compile -r requirements.txt --group $*
	touch $@

# runs the notebook anew and keeps its pictures
notebook: .venv/.test
	$(BIN)/python -m nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False notebooks/explore_harvest.ipynb

# what the README says about speed; the larger one takes a million time entries too
benchmark: .venv/.test
	$(BIN)/python -m benchmarks.every_hour
	$(BIN)/python -m benchmarks.run

benchmark-large: .venv/.test .venv-bigquery/.ready
	$(BIN)/python -m benchmarks.run --large

lint: .venv/.test
	$(BIN)/ruff check --exclude harvest --exclude harvest_pipeline.py .
	$(BIN)/ruff check --line-length 88 $(SOURCE)
	$(BIN)/ruff format --check --line-length 88 $(SOURCE)
	$(BIN)/ruff format --check --exclude harvest --exclude harvest_pipeline.py .
	$(BIN)/mypy

clean:
	rm -rf .venv .venv-* .demo

.venv/bin/python:
	$(PYTHON) -m venv .venv
	# dependency groups, as pyproject.toml has them, are new in 25.1
	$(BIN)/python -m pip install -q -U "pip>=25.1"

.venv/.demo: pyproject.toml requirements.txt | .venv/bin/python
	$(BIN)/pip install -q --no-compile -r requirements.txt --group sandbox
	touch $@

.venv/.test: pyproject.toml requirements.txt | .venv/bin/python
	$(BIN)/pip install -q --no-compile -r requirements.txt --group dev
	touch $@ .venv/.demo .venv/.models

# from tables to answers: the dbt models on a made-up account in DuckDB
models: .venv/.models
	PYTHONPATH=. $(BIN)/python models/demo.py

# the same answers in the browser
app: models
	DLT_DATA_DIR="$(CURDIR)/.demo/dlt" DESTINATION__DUCKDB__CREDENTIALS="$(CURDIR)/.demo/harvest.duckdb" \
		HARVEST_VERIFIED="$(CURDIR)/.demo/verify.json" RUNTIME__DLTHUB_TELEMETRY=false \
		$(BIN)/marimo run notebooks/harvest_app.py

.venv/.models: pyproject.toml requirements.txt | .venv/bin/python
	$(BIN)/pip install -q --no-compile -r requirements.txt --group sandbox --group models --group app
	touch $@ .venv/.demo
