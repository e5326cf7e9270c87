# `make` lists what a person can do. Everything installs into .venv; nothing outside this directory is changed but system
# packages, by `make test`, where it may (as root).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH ?= gateway
# Test processes: more than two cores, because tests wait for servers most of the time.
JOBS ?= 4
INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed

.DEFAULT_GOAL := help
.PHONY: help run test nightly check format bench demo model clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Without a remote the store is named here, explicitly: s3d itself never falls back to it. A settings file may name a remote.
run: $(INSTALLED) ## Set up and start an S3 server on the embedded store, or in front of the remote named by S3_ENDPOINT
	@if [ -z "$$S3_ENDPOINT$$S3D_CONFIG" ]; then \
		export S3_ENDPOINT=local: S3D_CREATE_BUCKETS="$${S3D_CREATE_BUCKETS:-demo}"; \
	fi; exec $(BIN)/s3d run

test: $(DEVELOPED) ## Set up everything, system packages too, and run all tests
	@tools/install_system_packages.sh
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile $(PYTEST_ARGS)

nightly: $(DEVELOPED) ## What takes hours: every crash point, hundreds of kills and power cuts, long random sequences
	@tools/install_system_packages.sh
	S3D_TEST_EXAMPLES=350 S3D_TEST_CRASH_ROUNDS=200 S3D_TEST_QUEUE_CRASH_ROUNDS=300 \
	S3D_TEST_CACHE_CRASH_ROUNDS=100 $(BIN)/python -m pytest -q \
		-n $(JOBS) --dist load tests/state_machine tests/e2e/test_crash.py tests/e2e/test_queue_crash.py \
		tests/e2e/test_queue_crash_points.py tests/e2e/test_queue_power.py tests/e2e/test_cache_crash.py \
		tests/e2e/test_cache_crash_points.py tests/e2e/test_cache_power.py $(PYTEST_ARGS)

check: $(DEVELOPED) ## Format, lint, types, layers, generated table
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/generate_model.py --check

format: $(DEVELOPED) ## Rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEVELOPED) ## Compare with others, in one run: BENCH=gateway (default), standalone, write_queue, read_cache, eviction or filters
	$(BIN)/python bench/$(BENCH).py $(BENCH_ARGS)

demo: $(INSTALLED) ## Start one s3d as the cloud and another in front of it, and take a tour
	@$(BIN)/python tools/demo.py

model: $(DEVELOPED) ## Regenerate the operation table from the SDK's model
	$(BIN)/python tools/generate_model.py

clean: ## Remove what the targets made
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	rm -rf tests/e2e/clients/javascript/node_modules bench/results
	find src tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(DEVELOPED): $(INSTALLED) pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,check]'
	@# Its wheel asks for Python 3.14 and runs on 3.11: tests only, so it is no dependency that pip could refuse.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps \
		--ignore-requires-python opa-golib-python-bindings
	@touch $@
