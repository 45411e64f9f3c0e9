# Eleven targets, a line each. PYTHON is the interpreter that makes the environment.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help install lint types imports test test-all docs notebooks labextension bench
help:          ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## / - /'
install:       ## make .venv with everything the tests need
	$(PYTHON) -m venv .venv && $(BIN)/pip install -q -c constraints.txt -e '.[test]'
lint:          ## ruff: rules and layout
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
types:         ## mypy, strict
	$(BIN)/mypy
imports:       ## which room may import which
	$(BIN)/lint-imports
test:          ## fast tests: no Ray, no browser, no base model
	$(BIN)/pytest -m 'not ray and not browser and not model and not crash'
test-all:      ## everything
	$(BIN)/pytest -n 2
docs:          ## run the tutorials
	$(BIN)/pytest tests/journeys/test_tutorial.py
notebooks:     ## run all tutorials headless, some minutes
	TWINKLE_ALL_NOTEBOOKS=1 $(BIN)/pytest -m 'not browser' tests/journeys/test_tutorial.py tests/journeys/test_notebooks.py
labextension:  ## build the panels into the package (needs node)
	cd labextension && PATH="$$PWD/../$(BIN):$$PATH" && jlpm install --immutable && jlpm build:prod
bench:         ## measure what docs/benchmarks.md claims
	$(BIN)/python benchmarks/first_point.py
	$(BIN)/python benchmarks/many_adapters.py
	$(BIN)/python benchmarks/one_adapter.py
	$(BIN)/python benchmarks/scheduler.py
	$(BIN)/python benchmarks/slots.py
	$(BIN)/python benchmarks/step_profile.py
