# make demo    see it work: a whole site on this machine, the real daemon on it (ARGS="--jobs 100 --seed 7")
# make test    run the tests (TESTS="tests/unit/fleet" for some of them)
# make check   ruff (lint and format) and mypy --strict
# make properties   hold the brain against many thousand random histories (HISTORIES=20000)
# make months   let the brain live for months of virtual time, checked at every command (EVENTS=1000000)
# make mutants   change the brain in one small thing at a time, and see what its tests notice (MUTANTS="*.plan.*" ARGS="--sample 200")
# make mutants-of-plan   the same for the plan alone, whole, in a few minutes (MUTANTS="*.ends.*")
# make bench   time a full cycle of the brain with 1,000 and 10,000 nodes, and 200 nodes' lives with the real daemon
# make bench BASE=COMMIT   hold the brain and the pollers of this build against an earlier one (ARGS="--rows some,all")
# make bench-idle   let 5,000 idle nodes go, and 300 nodes live, by an earlier build and by this one (ARGS="--nodes 500")
# make drills  hang, starve and kill parts of the real daemon, and print how it ends (ARGS="socket interpreter" for some)
# make bench-bursts   time 200 nodes from moto's EC2 by this build and by an earlier one (ARGS="--nodes 1000 --throttled")
# make bench-manage   load the management server with 5,000 nodes: requests a second, and what cycles take meanwhile
# make bench-report   time reports over a history of a million rows (ARGS="--nodes 1000" for another site)
# make bench-slurm   time node and queue polls with 1,000 nodes and 5,000 jobs in a real slurmctld (needs Slurm installed)
# make bench-sharing   what it costs the brain that jobs share nodes: 50,000 jobs onto 10,000 partly free nodes
# make bench-packing  what sharing nodes saves: nodes, cost and waits of an earlier build and this one, in virtual time (5 minutes)
# make bench-sweep   time a sweep of eight points in one process and in one for each core (ARGS="--jobs 300")
# make trace   write made-up jobs of a week as a trace for simulate, trace.swf (ARGS="--jobs 2000 --days 7 --seed 1 --out FILE")
# make bench-simulate what a month of jobs costs to play: CPU seconds and memory (ARGS="--jobs 100000 1000000")
# make bench-forecast hold simulate against a demo on a real Slurm, at the pace of life: 20 minutes (ARGS="--demos 1 2 3")
# make bench-wakes   from sbatch to the create request, and what it costs slurmctld, by an earlier build and this one (hours)
# make bench-page   show the page 5,000 nodes in Chromium: how long until they are there, and each update
# make chaos   kill the real daemon again and again at a site with faults of every kind (SEEDS=1-20, one minute each)
# make openstack   hold the openstack driver against a real nova and keystone, installed once, outside the repository
# make proofs  kill the real daemon at every point of a burst of EC2's: nothing leaks, nothing is made twice
# make soak    let it live for half an hour at such a site, and look for slopes of memory, threads, files (MINUTES=30)
# make slurms  run the tests of real Slurm on other versions of it (SLURMS=24.11, ARGS="TESTS"; needs root, debootstrap)
# make slurm-root   install Slurm 24.11 in a directory of its own, for the demo's --slurm-root (needs root, debootstrap)
# make scenarios   write the tests that hold each row into doc/scenarios.md
# make screenshots   take the pictures for README.md anew, of a demo: its page, its report as a plot (needs Chromium)
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

.PHONY: help openstack proofs demo test properties months mutants mutants-of-plan bench chaos soak drills check bench-idle bench-bursts bench-manage bench-report bench-slurm bench-wakes bench-packing bench-simulate bench-forecast bench-sharing bench-page slurms slurm-root trace bench-sweep screenshots scenarios clean
help:
	@sed -n 's/^# make/make/p' Makefile

demo: $(VENV)/.installed
	@$(BIN)/arvados-node-manager demo $(ARGS)

test: $(VENV)/.installed
	$(BIN)/python -m pytest -q -n 4 --dist worksteal -o faulthandler_timeout=120 $(ARGS) $(TESTS)

HISTORIES ?= 20000
properties: $(VENV)/.installed
	HISTORIES=$(HISTORIES) $(BIN)/python -m pytest -q --hypothesis-show-statistics tests/properties/test_fleet_histories.py \
		tests/properties/test_placing_histories.py $(ARGS)

EVENTS ?= 1000000
months: $(VENV)/.installed
	@EVENTS=$(EVENTS) $(BIN)/python -m pytest -q -s tests/properties/test_months_of_operation.py $(ARGS)

mutants: $(VENV)/.installed
	$(BIN)/python tests/mutants.py $(MUTANTS) $(ARGS)

mutants-of-plan: $(VENV)/.installed
	$(BIN)/python tests/plan_mutants.py $(MUTANTS)

BASE ?=
bench: $(VENV)/.installed
ifneq ($(BASE),)
	@$(BIN)/python tests/bench/compare_builds.py $(BASE) $(ARGS)
else
	@PYTHONPATH=tests $(BIN)/python tests/bench/fleet_cycle.py --quiet $(ARGS)
	@PYTHONPATH=tests/integration $(BIN)/python tests/bench/two_hundred_nodes.py $(ARGS)
endif

bench-idle: $(VENV)/.installed
	@PYTHONPATH=tests/integration $(BIN)/python tests/bench/many_idle.py $(ARGS)

drills: $(VENV)/.installed
	@$(BIN)/python tests/integration/drill_book.py $(ARGS)

SEEDS ?= 1-20
chaos: $(VENV)/.installed
	@PYTHONPATH=.:tests $(BIN)/python -m chaos.run $(SEEDS) $(ARGS)

MINUTES ?= 30
soak: $(VENV)/.installed
	@PYTHONPATH=.:tests $(BIN)/python -m chaos.soak --minutes $(MINUTES) $(ARGS)

proofs: $(VENV)/.installed
	PROOFS=1 $(BIN)/python -m pytest -q -n 2 -o faulthandler_timeout=300 $(ARGS) tests/integration/test_ec2_bursts.py

openstack: $(VENV)/.installed
	@$(BIN)/python tests/openstack/openstack_stage.py
	$(BIN)/python -m pytest -q -o faulthandler_timeout=300 $(ARGS) tests/openstack

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench-bursts: $(VENV)/.installed
	@PYTHONPATH=tests/integration $(BIN)/python tests/bench/bursts.py $(ARGS)

bench-manage: $(VENV)/.installed
	@PYTHONPATH=tests:tests/unit/fleet:tests/unit/manage $(BIN)/python tests/bench/manage_load.py $(ARGS)

bench-report: $(VENV)/.installed
	@$(BIN)/python tests/bench/report_rows.py $(ARGS)

bench-slurm: $(VENV)/.installed
	@$(BIN)/python tests/bench/slurm_scale.py $(ARGS)

bench-wakes: $(VENV)/.installed
	@PYTHONPATH=tests/bench:tests/integration $(BIN)/python tests/bench/wakes.py $(ARGS)

bench-packing: $(VENV)/.installed
	@$(BIN)/python tests/bench/packing.py $(ARGS)

bench-sweep: $(VENV)/.installed
	@PYTHONPATH=tests/bench $(BIN)/python tests/bench/simulate_sweep.py $(ARGS)

trace: $(VENV)/.installed
	@PYTHONPATH=tests/bench $(BIN)/python tests/bench/write_trace.py $(ARGS)

bench-simulate: $(VENV)/.installed
	@PYTHONPATH=tests/bench $(BIN)/python tests/bench/simulate.py $(ARGS)

bench-forecast: $(VENV)/.installed
	@$(BIN)/python tests/bench/forecast_against_fact.py $(ARGS)

bench-sharing: $(VENV)/.installed
	@PYTHONPATH=tests:tests/bench $(BIN)/python tests/bench/sharing_cycle.py $(ARGS)

bench-page: $(VENV)/.installed
	@PYTHONPATH=tests:tests/unit/fleet:tests/unit/manage $(BIN)/python tests/bench/page_load.py $(ARGS)

SLURMS ?= 20.11,24.11,26.05
slurms: $(VENV)/.installed
	@PYTHONPATH=. $(BIN)/python tests/slurms.py --slurms $(SLURMS) -- $(ARGS)

slurm-root: $(VENV)/.installed
	@$(BIN)/python -m arvnodeman.sandbox.slurm_root

screenshots: $(VENV)/.installed
	@PYTHONPATH=tests $(BIN)/python tests/screenshots.py $(ARGS)

scenarios: $(VENV)/.installed
	@$(BIN)/python tests/unit/scenarios_index.py

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

clean:
	rm -rf .venv build dist mutants *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find arvnodeman tests -name __pycache__ -prune -exec rm -rf {} +
