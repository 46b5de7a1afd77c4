# Everything runs in the project's own .venv; nothing else is assumed than Python (3.11 or later) and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: train test check lint types extras wheel docs bench coverage clean

train: $(VENV)/run  ## train on the embedded digits; leaves its results in run/
	$(BIN)/handbrew train

test: $(VENV)/test  ## the tests
	$(BIN)/python -m pytest

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev
	$(BIN)/mypy -p handbrew.layers -p handbrew.nets -p handbrew.solvers -p handbrew.data -p handbrew.cli

extras: $(VENV)/dev  ## tests that need an extra: pictures, progress bars, the safetensors library
	$(BIN)/python -m pytest tests/extras

coverage: $(VENV)/dev  ## the tests, the extras' included, with at least 95 % of the package's lines run
	$(BIN)/coverage run -m pytest tests tests/extras
	$(BIN)/coverage report

docs: $(VENV)/docs  ## docs/_build/html/index.html
	$(BIN)/sphinx-build --fail-on-warning --keep-going -b html docs docs/_build/html

bench: $(VENV)/bench  ## the table of docs/benchmarks.md
	$(BIN)/python benchmarks/run.py

# Each stamp installs one set of extras; a change of pyproject.toml installs anew.
$(VENV)/base: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	mkdir -p .dev && ln -sfn .. .dev/handbrew
	touch $@

$(VENV)/run: $(VENV)/base
	$(BIN)/python -m pip install --quiet --editable '.[cli,plot]'
	touch $@

$(VENV)/test: $(VENV)/base
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

$(VENV)/dev: $(VENV)/base
	$(BIN)/python -m pip install --quiet --editable '.[cli,plot,test,dev]'
	touch $@

$(VENV)/docs: $(VENV)/base
	$(BIN)/python -m pip install --quiet --editable '.[cli,plot,docs]'
	touch $@

$(VENV)/bench: $(VENV)/base benchmarks/requirements.txt
	$(BIN)/python -m pip install --quiet --editable . -r benchmarks/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) .dev build dist docs/_build .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
