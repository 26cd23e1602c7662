# `make` alone lists the targets. PYTHON chooses the interpreter, ARGS are handed on.
PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
BIN    := $(VENV)/bin
SOURCES := pyproject.toml hatch_build.py $(wildcard web/islands/package-lock.json web/islands/build.mjs web/islands/src/*)
BASE   := $(VENV)/.base
DEV    := $(VENV)/.dev
JOBS   ?= 2

.DEFAULT_GOAL := help
.PHONY: help up setup services test unit conformance integration e2e bench lint types fix docs run new-task

help:
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(BASE): $(SOURCES) | $(BIN)/python
	@echo "Installing Headrace into $(VENV) (about a minute)"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(DEV): $(SOURCES) | $(BIN)/python
	@echo "Installing Headrace and its development tools into $(VENV) (about two minutes)"
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $(BASE) $@

services: $(DEV)
	tests/services/setup.sh

up: $(BASE)  ## install, start everything on this machine with a demo, print its address
	exec $(BIN)/headrace up $(ARGS)

setup: $(BASE)  ## only install into .venv

test: services  ## install and start what the tests need, run every level
	$(BIN)/pytest -n $(JOBS) --dist loadscope $(ARGS)

unit: $(DEV)  ## fast tests: no network, Docker, Redis or waiting
	$(BIN)/pytest tests/unit tests/meta $(ARGS)

conformance: $(DEV)  ## Kestra's own cases, read from ../shared
	$(BIN)/python -m tests.conformance $(ARGS)

integration: services  ## one real neighbour at a time
	$(BIN)/pytest tests/contracts tests/integration $(ARGS)

e2e: services  ## the product from outside, in a browser
	$(BIN)/pytest tests/e2e tests/chaos $(ARGS)

bench: services  ## measure the fixed workloads beside their floors: ARGS="--only B1,B3 --json FILE"
	$(BIN)/python -m tests.bench $(ARGS)

lint: $(DEV)  ## ruff, layers, spelling, unused dependencies
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/deptry runner gitsync web

types: $(DEV)  ## mypy, strict; tsc for the dashboard's scripts where they are installed
	$(BIN)/mypy
	$(BIN)/mypy script tests/services
	MYPYPATH=action $(BIN)/mypy action/*.py
	@if [ -x web/islands/node_modules/.bin/tsc ]; then cd web/islands && node_modules/.bin/tsc --noEmit; fi

fix: $(DEV)  ## format, and mend what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(DEV)  ## write the generated reference anew
	$(BIN)/python -m script.reference $(ARGS)

run: $(BASE)  ## run one flow without a server: ARGS="FLOW.yaml --input k=v"
	@$(BIN)/headrace run $(ARGS)

new-task: $(BASE)  ## write a task type's dull part and its test: ARGS="FAMILY Name [TYPE]"
	$(BIN)/python -m script.new_task $(ARGS)
