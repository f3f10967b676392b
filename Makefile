# Two commands matter: `make reports` and `make test`. Each does all the set-up it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export UV_PYTHON_DOWNLOADS := never

ifdef UV
# uv leaves bytecode to the first import, which then costs three times as long.
install_lock = uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r $(1)
install_self = uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
install_lock = $(BIN)/python -m pip install --quiet --require-hashes -r $(1)
install_self = $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
endif

.PHONY: help install reports test lab audit bench peers pandas3 findings codebook picture lock clean browser

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | column -t -s "$$(printf '\t')"

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "journeylib needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(if $(UV),uv venv --quiet --python $(PYTHON) .venv,$(PYTHON) -m venv .venv)

.venv/run.done: requirements/run.txt pyproject.toml | .venv/bin/python
	@echo "Installing journeylib into .venv (a few minutes the first time) ..."
	@$(call install_lock,requirements/run.txt)
	@$(install_self)
	@touch $@

.venv/dev.done: requirements/dev.txt .venv/run.done
	@echo "Installing JupyterLab and the test tools into .venv ..."
	@$(call install_lock,requirements/dev.txt)
	@touch $@

install: .venv/run.done ## make the environment in .venv

reports: install ## build every report into reports/site/index.html
	@$(BIN)/journey build

lab: .venv/dev.done ## open the notebooks in JupyterLab
	@$(BIN)/jupyter lab --ip 127.0.0.1 --notebook-dir . $(LAB_ARGS)

browser: .venv/dev.done
	@$(BIN)/python tests/site/find_browser.py

test: browser ## run the tests
	@$(BIN)/python -m pytest

audit: browser pandas3 ## run the long proofs too
	@$(BIN)/python -m pytest -m audit

bench: .venv/dev.done ## measure speed; prints figures, judges nothing
	@$(BIN)/python -m pytest -m bench -s

# Only pandas is another one: lifelines does not yet ask for it, so no resolver would bring the two together.
pandas3: browser .venv-pandas3/pandas3.done ## run the tests on pandas 3 too
	@PYTHONPATH=.venv-pandas3 $(BIN)/python -m pytest --ignore tests/test_environment.py

.venv-pandas3/pandas3.done: requirements/pandas3.txt
	@rm -rf .venv-pandas3
	@$(if $(UV),uv,$(BIN)/python -m) pip install --quiet --no-deps --require-hashes --target .venv-pandas3 -r requirements/pandas3.txt
	@touch $@

peers: .venv-peers/peers.done ## install what bench measures us against into .venv-peers

.venv-peers/peers.done: BIN := .venv-peers/bin
.venv-peers/peers.done: requirements/peers.txt
	@echo "Installing lifetimes and pymc-marketing into .venv-peers (a few minutes) ..."
	$(if $(UV),@uv venv --quiet --clear --python $(PYTHON) .venv-peers,@$(PYTHON) -m venv --clear .venv-peers)
	@$(call install_lock,requirements/peers.txt)
	@touch $@

findings: .venv/dev.done ## run the notebooks and keep the outputs of their findings cells, for a commit
	@cd notebooks && export OMP_NUM_THREADS=1 && for n in *.ipynb; do ../$(BIN)/jupyter nbconvert --log-level WARN --to notebook --execute --inplace \
	  --ExecutePreprocessor.record_timing=False $$n; done
	@$(BIN)/nbstripout --keep-count --keep-id --extra-keys 'metadata.language_info.version' notebooks/*.ipynb

codebook: install ## write the dictionary of the tables in data/README.md again
	@$(BIN)/python -c 'from pathlib import Path; from journeylib.contract import write_dictionary; \
	  write_dictionary(Path("data/README.md"))'

picture: reports browser ## take the README's picture of a report again
	@$(BIN)/python tests/site/take_picture.py

lock: ## resolve the dependencies again (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --group build pyproject.toml -o requirements/run.txt
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --group build --extra lab --extra postgres --extra test -c requirements/run.txt pyproject.toml -o requirements/dev.txt
	uv pip compile -q --universal --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
	  --group build --extra lab --extra postgres --extra test -c requirements/run.txt pyproject.toml -o requirements/constraints.txt
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --group pyproject.toml:peers -o requirements/peers.txt
	uv pip compile -q --universal --no-deps --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --group pyproject.toml:pandas3 -o requirements/pandas3.txt

clean: ## remove everything that was generated
	rm -rf .venv .venv-peers .venv-pandas3 .work reports/site reports/.runs reports/.work
