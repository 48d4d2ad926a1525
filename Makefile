# Every target sets itself up: Python 3.11+, make and git are all a machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS := CONTRIBUTING.md docs/architecture.md docs/configuration.md docs/output.md docs/sql.md docs/serving.md docs/tools.md docs/tools.zh.md

.DEFAULT_GOAL := help
# Two workers more than cores, because most tests wait for a process or a server half of their time; one that has nothing left
# takes from another's tests. Alone, `pytest tests/test_x.py` stays one process.
WORKERS := $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 2)')
PARALLEL := -n $(WORKERS) --dist worksteal

.PHONY: help demo test test-registry test-browser test-images trino-test test-all coverage check lint conformance bench newest release-check image-test lock docs site messages clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

SUPPORTED := $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || { echo "crosstrail needs Python 3.11 or newer; set PYTHON=..."; exit 1; }

# Environments are made by uv where it is there, else by venv and pip. $(call made,FOLDER) is a new one, $(call install,FOLDER)
# puts something in it, $(call complete,FOLDER) fails where something that is installed needs what is not. pip compiles
# bytecode by itself; without it, and where Python may write none, every process would compile what it imports, for seconds.
UV := $(shell command -v uv 2>/dev/null)
ifneq ($(UV),)
made = uv venv --quiet --clear --python $(PYTHON) $(1)
install = uv pip install --quiet --compile-bytecode --python $(1)
complete = uv pip check --quiet --python $(1)
else
made = rm -rf $(1) && $(PYTHON) -m venv $(1)
install = $(1)/bin/python -m pip install --quiet --disable-pip-version-check
complete = $(1)/bin/python -m pip check --quiet --disable-pip-version-check
endif
# A lock is complete, so nothing is resolved: pip would look for newer releases of what has an extra, and refuse the lock.
# Then what is installed must be enough for crosstrail and all its extras: no index is asked.
LOCKED := --no-deps --require-hashes -r
SELF := --no-index --no-build-isolation -e '.[all]'

$(READY): requirements.lock pyproject.toml
	@$(SUPPORTED)
	@echo "Setting up $(VENV): a minute or so, once"
	@$(call made,$(VENV))
	@$(call install,$(VENV)) $(LOCKED) requirements.lock
	@$(call install,$(VENV)) $(SELF)
	@$(call complete,$(VENV))
	@touch $@

demo: $(READY) ## the main job on a made-up organisation: collect from its bucket, verify, ask, export the evidence
	@$(BIN)/crosstrail demo

ELSEWHERE := -m "not registry and not trino and not browser"
test: $(READY) ## the tests: all that need no package registry, no npm, no container, no browser and no Trino
	$(BIN)/python -m pytest -q $(PARALLEL) $(ELSEWHERE)

test-registry: $(READY) ## the tests that install packages that others published, from the registries of Python, npm and Go
	$(BIN)/python -m pytest -q $(PARALLEL) -m registry

test-browser: $(READY) ## the pages in a real Chromium (Debian: apt-get install chromium chromium-driver)
	$(BIN)/python -m pytest -q -p no:cacheprovider -m "browser and not registry"

test-images: ## the container images where their tools are (else it says why not)
	@timeout 2400 $(PYTHON) deploy/image/try_image.py || [ $$? = 77 ]

# One server a run, of 2 GB, and the tests one after another: they ask it from several threads.
TRINO := 483
TRINO_JARS = build/trino/$(TRINO)/classpath
$(TRINO_JARS): tests/trino/pom.xml
	@$(BIN)/python tests/trino_server.py
	@mkdir -p $(@D)
	@echo "Maven resolves Trino $(TRINO): 1 GB, once"
	@mvn -q -B -f tests/trino/pom.xml -Dtrino.version=$(TRINO) dependency:build-classpath -Dmdep.outputFile=$(CURDIR)/$@

trino-test: $(READY) $(TRINO_JARS) ## the same statements here and on a real Trino (TRINO=476 for another; RECORD=1 writes its answers down)
	TRINO=$(TRINO) RECORD=$(RECORD) $(BIN)/python -m pytest -q -m trino $(TESTS)

test-all: test test-registry test-browser test-images ## all tests, but for those with a Trino

COVERAGE := build/coverage
coverage: $(READY) ## `make test`, and which branches of the source it runs (TESTS=... for some); it takes half as long again
	@rm -rf $(COVERAGE) && mkdir -p $(COVERAGE)
	COVERAGE_FILE=$(CURDIR)/$(COVERAGE)/data $(BIN)/python -m coverage run -m pytest -q $(PARALLEL) $(ELSEWHERE) $(TESTS)
	@COVERAGE_FILE=$(CURDIR)/$(COVERAGE)/data $(BIN)/python -m coverage combine --quiet
	@COVERAGE_FILE=$(CURDIR)/$(COVERAGE)/data $(BIN)/python -m coverage report $(if $(TESTS),--fail-under=0)

lint: $(READY) ## lint, types, import rules, generated docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check $(DOCS)

check: lint test ## what is run before every commit: lint, types, import rules, generated docs, tests

conformance: $(READY) ## MCP's own suites and its Inspector against the server (needs npm)
	$(BIN)/python tests/conformance/run.py

# Those of the first list have aims for sizes that take hours to make: `make bench LARGE=1` measures at these.
BENCH_SIZED := ingest collect_detect query detect compact lake_size
BENCH_OTHERS := timeline sql deduplication start answer s3 verify export aws volcengine wrap serve record timing
bench: $(READY) ## speed and size, as figures beside their aims (LARGE=1: at the sizes that the aims are for, which takes hours)
	@for one in $(BENCH_SIZED); do echo "== bench/$$one.py"; $(BIN)/python bench/$$one.py $(if $(LARGE),--large) || exit 1; done
	@for one in $(BENCH_OTHERS); do echo "== bench/$$one.py"; $(BIN)/python bench/$$one.py || exit 1; done

NEWEST := build/newest
newest: ## the tests with the newest releases that pyproject.toml allows, in an environment of their own (TESTS=... for some)
	@$(SUPPORTED)
	@mkdir -p build
	$(call made,$(NEWEST))
	$(if $(UV),,$(call install,$(NEWEST)) --upgrade pip)
	$(call install,$(NEWEST)) --upgrade --group dev -e '.[all]'
	$(call complete,$(NEWEST))
	$(NEWEST)/bin/python -m pytest -q $(if $(TESTS),$(TESTS),$(PARALLEL))

RELEASE := build/release
release-check: $(READY) ## build sdist and wheel, install the wheel into an empty environment, check the server from it
	rm -rf dist && mkdir -p build
	$(BIN)/python -m hatchling build -d dist
	$(call made,$(RELEASE))
	$(call install,$(RELEASE)) $(LOCKED) deploy/image/lake.lock
	$(call install,$(RELEASE)) --no-index "$$(ls dist/*.whl)[all]"
	$(call complete,$(RELEASE))
	$(RELEASE)/bin/crosstrail check --within 300 --accounts prod,dev,cn-prod,hz-prod -- $(RELEASE)/bin/crosstrail serve --demo
	rm -rf $(RELEASE)

image-test: ## build the container images without a container engine, start and check them (Debian, root)
	@$(PYTHON) deploy/image/try_image.py

docs: $(READY) ## write the generated parts of the documentation again
	$(BIN)/cog -r $(DOCS)
	$(BIN)/python deploy/server_entry.py

messages: $(READY) ## bring the catalogs of translations up to date with the source, and say what lacks a translation
	$(BIN)/python tests/messages.py

COMPILE := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header
RUNNING := $(COMPILE) --no-annotate -c requirements.lock --python-version

lock: ## resolve the dependencies again, the image's among them (needs uv). lake.lock is what a release is checked with, too
	$(COMPILE) --python-version 3.11 --extra all --group dev pyproject.toml -o requirements.lock
	$(RUNNING) 3.11 --extra all pyproject.toml -o deploy/image/lake.lock
	$(RUNNING) 3.13 --extra oauth --extra otel --extra postgres pyproject.toml -o deploy/image/plain.lock
	printf 'uv\nhatchling\n' | $(RUNNING) 3.13 - -o deploy/image/tools.lock
	@mkdir -p build
	grep -E '^[a-z0-9].*==' requirements.lock | sed 's/ *\\$$//' | grep -vE '^(protobuf|opentelemetry|googleapis)' > build/fixed.txt
	echo aws-opentelemetry-distro | $(COMPILE) --python-version 3.13 --no-annotate -c build/fixed.txt - -o deploy/image/aws.lock

SITE := build/site
site: $(READY) ## the documentation as a site, in English and Chinese: build/site; a link or an anchor that is wrong fails it
	@$(BIN)/python deploy/site/pages.py $(SITE)-pages
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

clean: ## remove what the targets made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
