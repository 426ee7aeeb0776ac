# make demo   set everything up and run the whole main job on real data
# make test   set everything up and run the whole suite
# make check  lint, types and the direction of imports
# make wheel  builds the wheel and runs the demo from it, outside the checkout
# make bench  the numbers, as ratios measured side by side; bench-peers: beside fastai
# make fuzz   damages image files by the thousand and counts what happens; MINUTES=10
# make runtime  fetches ONNX Runtime Web, which foveal export --to page puts into the page
# make kill   kills a training at every file-system event and at random moments, and counts
.DELETE_ON_ERROR:
.PHONY: demo test check wheel format bench fuzz kill runtime clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet \
	--constraint constraints.txt

demo: $(VENV)/.demo
	$(BIN)/foveal demo $(if $(FULL),--full)

test: $(VENV)/.develop
	@$(BIN)/python scripts/fetch_page_runtime.py || echo "The tests of the page are skipped." >&2
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

check: $(VENV)/.develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: $(VENV)/.develop
	@$(BIN)/python scripts/fetch_page_runtime.py || echo "The wheel will hold no runtime." >&2
	./scripts/check-wheel $(VENV)

format: $(VENV)/.develop
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.develop
	$(BIN)/python -m benchmarks $(ARGS)

fuzz: $(VENV)/.develop
	$(BIN)/python -m benchmarks.fuzz --minutes $(or $(MINUTES),10) --write

runtime: $(VENV)/.demo
	$(BIN)/python scripts/fetch_page_runtime.py

kill: $(VENV)/.develop
	$(BIN)/python -m benchmarks kill

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Foveal (PyTorch is large: a few minutes the first time) ..."
	$(INSTALL) --editable '.[demo]'
	@touch $@

$(VENV)/.develop: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Foveal and what its tests need ..."
	$(INSTALL) --editable '.[demo,test,check]'
	@touch $@ $(VENV)/.demo

$(BIN)/python:
	@./scripts/make-venv "$(PYTHON)" $(VENV)

clean:
	rm -rf $(VENV) foveal-demo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# The peers in an environment of their own: fastai on the folds of a Foveal run (a quarter of an
# hour on two cores), then explaining and inspecting beside theirs.
.PHONY: bench-peers
PEERS := benchmarks/peers/.venv
bench-peers: $(VENV)/.demo | $(PEERS)/.ready
	$(BIN)/foveal demo
	$(PEERS)/bin/python benchmarks/peers/fastai_elpv.py foveal-demo/elpv-500 foveal-demo/run
	$(PEERS)/bin/python -m benchmarks explain inspect

$(PEERS)/.ready: benchmarks/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --constraint constraints.txt -r $< -e '.[demo]'
	@touch $@
