# make demo    see it work: a whole site on this machine, the real daemon on it (ARGS="--jobs 100 --seed 7")
# make test    run the tests (TESTS="tests/unit/fleet" for some of them)
# make check   ruff (lint and format), mypy --strict, and biome and tsc for the scripts of the page (Node.js with npm)
# make bench   time a cycle of the brain, or another thing by name (ARGS="-h" tells them; ARGS="bursts --nodes 100")
# make chaos   kill the real daemon again and again at a site with faults of every kind (SEEDS=1-20, one minute each)
# make soak    let it live for half an hour at such a site, and look for slopes of memory, threads, files (MINUTES=30)
# make drills  hang, starve and kill parts of the real daemon, and print how it ends (ARGS="socket interpreter" for some)
# make proofs  what takes too long for every commit: other Slurms, OpenStack, long histories (ARGS="-h" tells them)
# make docs    write what doc/ takes from the code and the tests (ARGS="--pictures": with new pictures, needs Chromium)
# make clean   remove what these have made
# Each sets up what it needs: Python 3.11 or newer with venv, in the virtual environment VENV.

VENV ?= .venv
BIN = $(VENV)/bin
TESTS ?= $(wildcard tests/unit tests/properties tests/integration)
# Discovery documents of real API servers, for the contract tests. Without them those are skipped, and say so.
ARVADOS_DISCOVERY_DIR ?= $(abspath $(wildcard ../shared/data))
ifneq ($(ARVADOS_DISCOVERY_DIR),)
export ARVADOS_DISCOVERY_DIR
endif

.PHONY: help demo test check bench chaos soak drills proofs docs clean
help:
	@sed -n 's/^# make/make/p' Makefile

demo: $(VENV)/.installed
	@$(BIN)/arvados-node-manager demo $(ARGS)

# Compiled modules are kept, also where PYTHONDONTWRITEBYTECODE is set: else each process compiles all of them again,
# and pytest rewrites each assert in each of its processes. Files that wait stand among those that work (tests/conftest.py).
test proofs: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.installed
	$(BIN)/python -m pytest -q -n 5 --dist loadfile --no-loadscope-reorder -o faulthandler_timeout=300 $(ARGS) $(TESTS)

check: $(VENV)/.installed node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/phrases.py
	$(BIN)/mypy
	node_modules/.bin/biome lint --error-on-warnings
	node_modules/.bin/tsc --project tests/page/tsconfig.json

bench: $(VENV)/.installed
	@$(BIN)/python tests/bench $(ARGS)

SEEDS ?= 1-20
chaos: $(VENV)/.installed
	@PYTHONPATH=.:tests $(BIN)/python -m chaos.run $(SEEDS) $(ARGS)

MINUTES ?= 30
soak: $(VENV)/.installed
	@PYTHONPATH=.:tests $(BIN)/python -m chaos.soak --minutes $(MINUTES) $(ARGS)

drills: $(VENV)/.installed
	@$(BIN)/python tests/integration/drill_book.py $(ARGS)

proofs: $(VENV)/.installed
	@$(BIN)/python tests/proofs.py $(ARGS)

docs: $(VENV)/.installed
	@$(BIN)/python tests/docs.py $(ARGS)

# The first Python that is new enough, starts, and can make virtual environments. PYTHON=... names another.
$(VENV)/.installed: setup.py
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	  "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'Python 3.11 or newer with venv is needed (Debian, Ubuntu: apt-get install python3 python3-venv).' >&2; exit 1; \
	fi; \
	echo "Installing into $(VENV) with $$("$$python" --version), once: this takes a minute or two"; \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || "$$python" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[test]'
	@touch $@

# What looks at the page's scripts; package.json names it. Nothing of it is part of the program.
node_modules/.installed: package-lock.json
	@command -v npm >/dev/null || { \
	  echo 'Node.js with npm is needed for the scripts of the page (Debian, Ubuntu: apt-get install npm).' >&2; exit 1; \
	}
	@npm ci --silent --no-audit --no-fund
	@touch $@

clean:
	rm -rf .venv node_modules build dist mutants *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find arvnodeman tests -name __pycache__ -prune -exec rm -rf {} +
