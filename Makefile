# Everything happens in .venv; the first target that needs it makes it. Python 3.11 or later is all that must be there.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
PACKAGES := -e 'packages/faceops[heic]' -e 'packages/portraitdata[faiss,metrics,report]' -e 'packages/hime[demo,onnx]' -e 'packages/headsup[demo,serve]'
STAMP := $(VENV)/.installed
TOO_OLD := Python 3.11 or later is needed; name one by make setup PYTHON=python3.12, say.
ASSETS := $(wildcard ../shared/assets)
export PORTRAIT_ASSETS ?= $(if $(ASSETS),$(abspath $(ASSETS)),)
export OMP_NUM_THREADS ?= 2
SUITE ?= quick
# Compiled again for every process, the imports would take twice as long.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all lint format benchmark clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install everything into .venv

$(STAMP): pyproject.toml constraints.txt $(wildcard packages/*/pyproject.toml)
	@test -x $(RUN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(TOO_OLD)")'
	test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the four packages and what they need, as constraints.txt names it, into $(VENV):"
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(RUN)/uv pip install --python $(RUN)/python -c constraints.txt $(PACKAGES) --group dev
	touch $@

demo: setup ## Upscale and restore a real portrait with the shipped weights, then train for a few steps
	$(RUN)/hime demo --output outputs/demo/hime
	$(RUN)/headsup demo --output outputs/demo/headsup
	$(RUN)/hime fit --config lightning_configs/hime/smoke.yaml
	@echo "This was made:"
	@echo "  outputs/demo/hime/sheet_*.png   a portrait, enlarged without and with other photographs"
	@echo "  outputs/demo/headsup/sheet.png  a portrait, restored without and with a reference"
	@echo "  runs/smoke                      curves and checkpoints of the training: $(RUN)/tensorboard --logdir runs"

test: setup ## Run the tests that fit into eight minutes on two cores
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest -n $(OMP_NUM_THREADS) --dist loadfile -m "not slow and not gpu"

test-all: setup ## Run every test
	$(RUN)/python -m pytest

lint: setup ## Check format, style, types, import contracts and spelling
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/codespell

format: setup ## Format the code
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

benchmark: setup ## Measure and write a report; SUITE=full measures all, RESUME=yes goes on, SETS=... tests on your own sets
	$(RUN)/python -m benchmarks --suite $(SUITE) $(if $(filter yes,$(RESUME)),--resume) $(if $(WEIGHTS),--weights $(WEIGHTS)) \
		$(if $(SETS),--sets $(SETS)) $(if $(RESULTS),--results $(RESULTS)) $(if $(LIMIT),--limit $(LIMIT))

clean: ## Remove the environment and what `make demo` made; trainings and measurements stay
	rm -rf $(VENV) outputs/demo runs/smoke
