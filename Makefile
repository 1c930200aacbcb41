# GPT Ladder. Plain `make` lists what there is to type. Each target is one call of the `ladder` command.

WORK   ?= work
M      ?=
JSON   ?=
CORPUS ?= embedded
OUT    ?=
DEVICE ?= auto
MINUTES ?= 30
PYTHON ?= python3
# Where pip takes torch from, for instance PyTorch's own index of CPU or CUDA builds; empty: pip's default.
TORCH_INDEX ?=

VENV   := .venv
LADDER := $(VENV)/bin/ladder
STAMP  := $(VENV)/.installed
PICK   := $(if $(M),--milestone $(M))

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all fuzz lint check grade watch data climb grade-class check-course bench bench-class bench-nanogpt

help: ## List the targets
	@grep -hE '^[a-zA-Z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-zA-Z%-]+):.*## /\1|/; s/%/N/' | awk -F'|' '{printf "  make %-16s %s\n", $$1, $$2}'
	@echo
	@echo "  Variables: WORK=$(WORK) (workspace)  M=2 (milestone)  JSON=report.json  CORPUS=$(CORPUS)  OUT=folder  DEVICE=$(DEVICE)"

setup: $(STAMP) ## Build .venv with everything that is needed
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "GPT Ladder needs Python 3.11 or later; choose one with make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0 $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]' --config-settings editable_mode=compat
	@touch $@

demo: setup ## The whole course in a few minutes: scaffold, reference, grade, train
	@$(LADDER) demo --work $(WORK)/demo

test: setup ## Pass the project's own tests
	@$(VENV)/bin/python -m pytest -n 2 --dist worksteal tests

test-all: test ## Pass all tests: those that take minutes as well (all attacks)
	@$(VENV)/bin/python -m pytest -n 2 --dist worksteal -m long tests

fuzz: setup ## Make up hostile input for MINUTES: wire, reports, hand-ins
	@$(VENV)/bin/python -m tests.fuzz $(MINUTES)

lint: setup ## Style and types
	@$(VENV)/bin/ruff format --check . && $(VENV)/bin/ruff check . && $(VENV)/bin/mypy

milestone-%: setup ## Start rung N in the workspace
	@$(LADDER) milestone $* --work $(WORK)

reset-%: setup ## Put rung N's stubs back; your version is kept in a dated folder
	@$(LADDER) reset $* --work $(WORK)

check: setup ## Run the public tests on your code, in your own process
	@$(LADDER) check $(WORK) $(PICK)

grade: setup ## Grade the workspace with the hidden graders
	@$(LADDER) grade $(WORK) $(PICK) $(if $(JSON),--json $(JSON))

watch: setup ## Grade again whenever you save
	@$(LADDER) watch $(WORK) $(PICK)

data: setup ## List the corpora and what is known about them
	@$(LADDER) data list

climb: setup ## Train the six assemblies of the ladder and compare their losses
	@$(LADDER) climb --corpus $(CORPUS) --work $(WORK) $(if $(OUT),--out $(OUT))

grade-class: setup ## Grade a class: make grade-class WORK=handed-in OUT=results M=2
	@$(LADDER) grade-class $(WORK) --out $(OUT) $(PICK)

bench: setup ## Grading beside nbgrader and plain pytest
	@$(VENV)/bin/python benchmarks/grading.py

bench-class: setup ## A class of 300, killed in the middle and resumed
	@$(VENV)/bin/python benchmarks/class_of_300.py

bench-nanogpt: setup ## nanoGPT's CPU configuration with three seeds (needs GPT_LADDER_SHAKESPEARE or the network)
	@$(VENV)/bin/python benchmarks/nanogpt_seeds.py

check-course: setup ## Grade the grader, and write docs/grader-report.md (resumes where it was broken off)
	@$(LADDER) check-course $(PICK)
