# Everything a developer types. `make` alone lists it; nothing is needed but make and Python 3.11 or newer.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
rows = $(if $(CHECK),--rows=.reliability/$(1).json)
SPARKS := $(patsubst requirements/spark/%.in,%,$(wildcard requirements/spark/*.in))
IMAGE := lake kafka serve warehouse azure
AT_ONCE = --numprocesses $(or $(PROCESSES),3) --dist worksteal
TIMED := tests/components/test_kafka_group.py
CLIENTS := $(patsubst requirements/clients/%.in,%,$(wildcard requirements/clients/*.in))

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup demo serve-demo test check format lint types contracts docs clients components infra spark e2e reliability bench lock clean

help: ## list what you can type
	@echo "make TARGET            (make demo ARGS=\"...\" passes flags on; PYTHON=python3.12 picks the Python)"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/.dev ## make .venv, with all that a developer needs
	@echo "ready: make demo, make test, make check"

demo: .venv/.run ## watch the built-in exchange in your terminal, no network needed
	@$(BIN)/coinbase_insights demo $(ARGS)

serve-demo: .venv/.run ## see the built-in exchange on a page, http://127.0.0.1:8080/
	@$(BIN)/coinbase_insights serve --demo $(ARGS)

test: .venv/.dev ## run the tests
	@echo "test: pytest"
	@$(BIN)/python -m pytest --quiet $(AT_ONCE) $(call rows,tests) $(ARGS)

check: CHECK := --check
check: format lint types contracts docs test clients components infra spark e2e reliability ## run all of CI, the quick things first
	@echo "check: all is well"

format: .venv/.dev ## lay the code out
	@echo "format: ruff"
	@$(BIN)/ruff format --quiet $(if $(CHECK),--diff) .

lint: .venv/.dev ## look for mistakes
	@echo "lint: ruff"
	@$(BIN)/ruff check --quiet .

types: .venv/.dev ## check the types
	@echo "types: mypy"
	@$(BIN)/python -m mypy --no-error-summary

contracts: .venv/.dev ## check who may import whom
	@echo "contracts: import-linter"
	@$(BIN)/lint-imports --no-logo 2>&1

docs: .venv/.dev ## write docs/reference, the tables of powerbi and the notebooks of cloud from the code
	@echo "docs: docs/generate.py, powerbi/generate.py, cloud/generate.py"
	@$(BIN)/python docs/generate.py $(CHECK)
	@$(BIN)/python powerbi/generate.py $(CHECK)
	@$(BIN)/python cloud/generate.py $(CHECK)

clients: .venv/.dev $(CLIENTS:%=.venv-clients/%/.ready) ## point real Coinbase clients at the simulator (slow)
	@echo "clients: pytest tests/clients"
	@$(BIN)/python -m pytest --quiet tests/clients $(ARGS)

components: .venv/.dev .components/azurite/.ready .components/kafka/.ready .components/page/.ready ## a real object store, broker, database and browser (needs npm, mvn, Java, postgresql, chromium)
	@echo "components: pytest tests/components"
	@$(BIN)/python -m pytest --quiet $(AT_ONCE) --dist loadfile tests/components --ignore $(TIMED) $(call rows,components) $(ARGS)
	@$(BIN)/python -m pytest --quiet $(TIMED) $(ARGS) || [ $$? -eq 5 ] # none of them was asked for

infra: .venv/.dev .venv-infra/.ready ## check what `azd up` would make, offline, and look for holes in it
	@echo "infra: pytest tests/infra"
	@$(BIN)/python -m pytest --quiet tests/infra $(ARGS)

spark: .venv/.dev $(SPARKS:%=.venv-spark/%/.ready) .components/kafka/.ready ## build and stream on real Sparks (slow; needs mvn, Java 17)
	@echo "spark: pytest tests/spark"
	@$(BIN)/python -m pytest --quiet $(AT_ONCE) tests/spark $(ARGS)

e2e: .venv/.dev .components/azurite/.ready .components/kafka/.ready .venv-spark/4.1/.ready ## run the whole picture of compose.yaml, and kill each part of it
	@echo "e2e: pytest tests/e2e"
	@$(BIN)/python -m pytest --quiet tests/e2e $(ARGS)

reliability: .venv/.dev ## write the table of docs/reliability.md from the last whole run of the tests
	@echo "reliability: docs/reliability.py"
	@$(BIN)/python docs/reliability.py $(CHECK)

bench: .venv/.dev ## measure how fast it is
	@$(BIN)/python -m benchmarks $(ARGS)

lock: .venv/.dev ## pin what pyproject.toml asks for (ARGS=--upgrade: at the newest versions)
	@echo "lock: requirements/"
	@$(COMPILE) $(ARGS) pyproject.toml --extra lake --group dev --output-file requirements/dev.txt
	@$(COMPILE) $(ARGS) pyproject.toml --extra serve --constraint requirements/dev.txt --output-file requirements/run.txt
	@$(COMPILE) $(ARGS) pyproject.toml $(IMAGE:%=--extra %) --constraint requirements/dev.txt --output-file requirements/image.txt
	@$(COMPILE) $(ARGS) --group build --constraint requirements/dev.txt --output-file requirements/build.txt
	@for name in $(CLIENTS); do \
		$(COMPILE) $(ARGS) requirements/clients/$$name.in --output-file requirements/clients/$$name.txt || exit 1; \
	done

	@for name in $(SPARKS); do \
		$(COMPILE) $(ARGS) requirements/spark/$$name.in pyproject.toml --extra lake --extra spark \
		--output-file requirements/spark/$$name.txt || exit 1; \
	done
	@$(COMPILE) $(ARGS) requirements/infra.in --override requirements/infra.override.in --output-file requirements/infra.txt

clean: ## remove all that was made, .venv too
	@rm -rf .venv .venv-clients .venv-spark .venv-infra .components .reliability .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist
	@find src tests docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Each file below is a stamp: made once, and again when what it hangs on has changed.

define make_venv
	@$(PYTHON) -c 'import sys' 2>/dev/null || { \
		echo "error: there is no $(PYTHON) here; install Python 3.11 or newer, or name yours: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: Python 3.11 or newer is needed, and $(PYTHON) is" \
		"$$($(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'); name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(1) >/dev/null || { rm -rf $(1); \
		echo "error: $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
endef

$(BIN)/pip:
	$(call make_venv,.venv)

.venv/.run: pyproject.toml requirements/run.txt requirements/build.txt | $(BIN)/pip
	@echo "setup: .venv, to run"
	@$(PIP) install --require-hashes --requirement requirements/run.txt --requirement requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.run
	@echo "setup: .venv, to develop (about a minute, once)"
	@$(PIP) install --no-compile --require-hashes --requirement requirements/dev.txt
	@touch $@

.venv-clients/%/.ready: requirements/clients/%.txt
	@echo "setup: .venv-clients/$*"
	$(call make_venv,.venv-clients/$*)
	@.venv-clients/$*/bin/python -m pip --quiet --disable-pip-version-check install --no-compile --require-hashes --requirement $<
	@touch $@

.venv-spark/%/.ready: requirements/spark/%.txt pyproject.toml requirements/build.txt
	@echo "setup: .venv-spark/$*"
	$(call make_venv,.venv-spark/$*)
	@.venv-spark/$*/bin/python -m pip --quiet --disable-pip-version-check install --no-compile --require-hashes --requirement $< --requirement requirements/build.txt
	@.venv-spark/$*/bin/python -m pip --quiet --disable-pip-version-check install --no-deps --no-build-isolation --editable .
	@# One process brings Spark's jars before any test needs them: several at once trip over each other's downloads.
	@.venv-spark/$*/bin/python -c 'from coinbase_insights.lake.spark import session; session("local[1]", reads_topics=True)' >/dev/null 2>&1 || true
	@touch $@

.venv-infra/.ready: requirements/infra.txt
	@echo "setup: .venv-infra"
	@rm -rf .venv-infra
	$(call make_venv,.venv-infra)
	@.venv-infra/bin/python -m pip --quiet --disable-pip-version-check install --no-compile --no-deps --require-hashes --requirement $<
	@touch $@

.components/azurite/.ready: requirements/azurite/package-lock.json
	@echo "setup: .components/azurite"
	@command -v npm >/dev/null || { echo "error: there is no npm here; it comes with Node.js" >&2; exit 1; }
	@mkdir -p $(@D) && cp requirements/azurite/package.json requirements/azurite/package-lock.json $(@D)/
	@cd $(@D) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

.components/page/.ready: requirements/page/package-lock.json
	@echo "setup: .components/page"
	@command -v npm >/dev/null || { echo "error: there is no npm here; it comes with Node.js" >&2; exit 1; }
	@command -v chromium >/dev/null || { echo "error: there is no chromium here; on Debian: sudo apt-get install chromium" >&2; exit 1; }
	@mkdir -p $(@D) && cp requirements/page/package.json requirements/page/package-lock.json $(@D)/
	@cd $(@D) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

.components/kafka/.ready: requirements/kafka/pom.xml
	@echo "setup: .components/kafka"
	@command -v mvn >/dev/null || { echo "error: there is no mvn here; it is Apache Maven" >&2; exit 1; }
	@mkdir -p $(@D) && cp requirements/kafka/pom.xml $(@D)/
	@cd $(@D) && mvn --quiet --batch-mode dependency:copy-dependencies -DoutputDirectory=jars
	@touch $@
