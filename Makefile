# Needs Python >= 3.11 and make; everything else is installed into .venv
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.demo-installed
DOCS_STAMP := $(VENV)/.docs-installed
LOWEST := $(VENV)-lowest
DEMO_DIR ?= demo

.PHONY: demo test test-long test-jax test-lowest docs lint types house clean

demo: $(DEMO_STAMP)
	$(BIN)/gracelstm demo --out $(DEMO_DIR)

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile

# a million random inputs and kills; GRACELSTM_FUZZ=0.1 makes it a tenth as many
test-long: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m long --timeout 0 -rP

# not part of CI: adds JAX to the environment
test-jax: $(STAMP)
	$(BIN)/python -m pip install --quiet jax
	KERAS_BACKEND=jax $(BIN)/python -m pytest -n 2 --dist loadfile -m lstm

# not part of CI: the quick tests with the oldest versions that pyproject.toml allows
test-lowest:
	$(PYTHON) -m venv $(LOWEST)
	$(PYTHON) tests/lowest.py > $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pip install --quiet uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python \
		--constraint $(LOWEST)/lowest.txt --editable ".[test]"
	$(LOWEST)/bin/python -m pytest -n 2 --dist loadfile \
		-m "not (long or slow or lstm or distributed or benchmark)"

# the site, into docs/_build/html; with GRACELSTM_EXECUTE_NOTEBOOKS=1 the notebooks run
docs: $(DOCS_STAMP)
	$(BIN)/python -m sphinx -W --keep-going docs docs/_build/html

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

# code lines, modules and definitions per room
house:
	$(PYTHON) tests/test_house.py

# the package alone; what tests and site need comes with them
$(DEMO_STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --editable .
	touch $(DEMO_STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --editable ".[test]"
	touch $(STAMP)

$(DOCS_STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --editable ".[docs]"
	touch $(DOCS_STAMP)

clean:
	rm -rf $(VENV) $(LOWEST) docs/_build docs/notebooks docs/reference/generated build dist .mypy_cache .ruff_cache .pytest_cache
