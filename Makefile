# Everything runs in the project's own .venv. Nothing else is assumed than make and Python 3.11 or later:
# `make clean`, then `make PYTHON=python3.13 test`, takes another than python3.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

# What CI runs after `make test`, in this order.
CHECKS := lint types docs examples coverage wheel newest oldest

# Tests whose work is done in other processes, which coverage does not see; no NumPy changes what they find.
UNSEEN := $(addprefix --ignore=tests/,test_kill.py test_damage.py)

# Tests to which it matters how the package was installed.
INSTALLED := $(wildcard $(addprefix tests/test_,cli*.py docs.py doctests.py house.py import_cost.py saving.py zoo.py))

.DEFAULT_GOAL := help
.NOTPARALLEL:  # one pip at a time
.PHONY: help train test check checks $(CHECKS) bench kill fuzz hooks clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

train: $(VENV)/run  ## train on the embedded digits; leaves its results in run/
	$(BIN)/handbrew train

test: $(VENV)/test  ## the tests
	$(BIN)/python -m pytest

check: $(CHECKS)  ## lint to oldest, but for extras, whose tests coverage runs; CI runs them after the tests

checks:
	@echo $(CHECKS)

lint: $(VENV)/dev  ## style, with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev  ## types, with mypy --strict
	$(BIN)/mypy -p handbrew.layers -p handbrew.nets -p handbrew.solvers -p handbrew.data -p handbrew.cli

docs: $(VENV)/docs  ## docs/_build/html/index.html
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html docs docs/_build/html
	$(BIN)/python docs/check_site.py docs/_build/html

examples: $(VENV)/run  ## every example, to its end; their pictures go to build/examples/
	mkdir -p build/examples
	cd build/examples && for example in ../../examples/*.py; do \
		echo "== $$example"; MPLBACKEND=agg ../../$(BIN)/python $$example || exit; done

extras: $(VENV)/dev  ## tests that need an extra: Caffe, ONNX, pictures, progress bars, TensorBoard, MPI, Numba
	$(BIN)/python -m pytest tests/extras

coverage: $(VENV)/dev  ## the tests once more and those of extras: do they run at least 95 % of the package's lines?
	$(BIN)/coverage erase
	$(BIN)/coverage run --parallel-mode -m pytest --quiet tests/extras & extras=$$!; \
	$(BIN)/coverage run --parallel-mode -m pytest --quiet $(UNSEEN); tests=$$?; \
	wait $$extras && exit $$tests
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered

wheel: dist/built  ## the wheel, in dist/, and a look at what is in it

newest: dist/built  ## tests of what is installed against the wheel, beside the newest NumPy, as make test has it
	bash .ci/test_wheel .venv-newest numpy $(INSTALLED)

oldest: dist/built  ## the tests against the wheel, beside the oldest NumPy
	bash .ci/test_wheel .venv-oldest 'numpy==2.0.*' $(UNSEEN)

bench: $(VENV)/bench  ## the tables of docs/benchmarks.md; with MNIST=folder, epochs of MNIST too
	$(BIN)/python benchmarks/run.py $(if $(MNIST),--mnist $(MNIST))

kill: $(VENV)/test  ## kill trainings from outside, 200 times each of two solvers, and compare how they end
	$(BIN)/python tests/kill.py --kills 200

fuzz: $(VENV)/dev  ## read 10,000 damaged files of each kind: is each refused, or read rightly?
	$(BIN)/python tests/damage.py 10000
	$(BIN)/python tests/damage_models.py 10000

hooks: $(VENV)/dev  ## ruff and mypy before each commit
	$(BIN)/pre-commit install

clean:  ## forget everything but the sources and run/
	rm -rf $(VENV) .venv-* .dev build dist *.egg-info docs/_build .coverage .*_cache .hypothesis
	find . -name __pycache__ -exec rm -rf {} +

# Each stamp in .venv installs the package as it stands here with one set of extras; a change of
# pyproject.toml installs anew.
$(VENV)/run: extras = cli,fast,plot
$(VENV)/test: extras = test
$(VENV)/dev: extras = caffe,cli,draw,fast,hdf5,jit,lmdb,mpi,onnx,plot,tensorboard,test,dev
$(VENV)/docs: extras = caffe,cli,fast,onnx,plot,docs
$(VENV)/run $(VENV)/test $(VENV)/dev $(VENV)/docs: $(VENV)/python
	$(PIP) install --editable '.[$(extras)]'
	touch $@

$(VENV)/bench: $(VENV)/python benchmarks/requirements.txt
	$(PIP) install --editable . -r benchmarks/requirements.txt
	touch $@

# pip comes last, so that where it is missing the last try was cut short. The link gives type checkers,
# which cannot follow an editable install, the names that Python finds.
$(VENV)/python: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	mkdir -p .dev && ln -sfn .. .dev/handbrew
	touch $@

dist/built: pyproject.toml README.md LICENSE $(wildcard $(addsuffix /*.*,layers nets nets/caffe nets/export nets/onnx solvers data cli)) | $(VENV)/dev
	bash .ci/build_wheel
	touch $@
