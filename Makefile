# Everything a developer or a CI job runs, by name.  `make` alone lists it.
#
# Needs Python 3.11 or newer (with venv and pip), make and git; `make setup` fetches the rest, once, into
# .venv, and after that nothing here needs the network.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.setup-stamp
LOCK   := requirements-dev.lock
PEERS  := .venv-peers

# No traffic but the one we ask for, no locale surprises, and none of the caller's Meltano settings.
export MELTANO_SEND_ANONYMOUS_USAGE_STATS := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help setup check test nightly fix demo bench lock clean

help:  ## List the commands.
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## */\1\t/' | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

setup: $(STAMP) $(PEERS)/.setup-stamp  ## Make .venv with everything that is locked (PYTHON=python3.13 to choose).

# An environment that was copied or moved from another place still runs the programs of that place: made anew.
$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make setup PYTHON=python3.12")'
	@case "$$($(BIN)/pip --version 2>/dev/null)" in *"$(CURDIR)/$(VENV)/"*) ;; *) rm -rf $(VENV) && $(PYTHON) -m venv $(VENV) ;; esac
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --no-index -e .
	@touch $@

# Other people's Singer programs, for the tests that run ours against them. They want libraries of another age,
# so they have a place of their own; where they cannot be installed, those tests say so.
$(PEERS)/.setup-stamp: requirements-peers.lock
	@rm -rf $(PEERS) && $(PYTHON) -m venv $(PEERS)
	@if $(PEERS)/bin/python -m pip install --quiet --require-hashes --no-deps -r $<; then touch $@; else echo "make: without $(PEERS)" >&2; fi

check: $(STAMP)  ## Fix nothing, fail on anything: format, lint, types, import walls, spelling, schemas, documents.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/check-jsonschema --check-metaschema schemas/*.json
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/repository

test: setup  ## Run the tests side by side (ARGS="-k imap" to choose, "-n 0" for one by one); all on loopback.
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

nightly: setup  ## The crash matrix in full: 200 kills of each signal, a directory of a million files.
	FAULTS=200 $(BIN)/python -m pytest --timeout=1800 tests/faults

fix: $(STAMP)  ## Let ruff format and repair what it can.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: $(STAMP)  ## Archive a small mailbox through Meltano, twice, and show what came of it.
	@$(BIN)/python -m demo.run

bench: setup  ## Measure everything of docs/performance.md here and now (ARGS="poll sync" to choose); takes an hour.
	@$(BIN)/python -m benchmarks $(ARGS)

COMPILE = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header

lock: $(STAMP)  ## Renew the locks from requirements-*.in and pyproject.toml.
	$(COMPILE) --output-file $(LOCK) pyproject.toml requirements-dev.in
	$(COMPILE) --output-file requirements-peers.lock requirements-peers.in

clean:  ## Remove everything that git ignores and a command here has made.
	rm -rf $(VENV) $(PEERS) .meltano build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
