# Every target sets itself up: Python 3.11+, make and git are all a machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS := README.md CONTRIBUTING.md docs/architecture.md docs/sql.md docs/serving.md

.DEFAULT_GOAL := help
.PHONY: help demo test check conformance bench release-check image-test lock docs clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# uv where it is there, else venv and pip; both install the exact versions of requirements.lock, checked by hash.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "crosstrail needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	@echo "Setting up $(VENV): a minute or so, once"
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --clear --python $(PYTHON) $(VENV) && \
	  uv pip install --quiet --python $(VENV) --compile-bytecode --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python $(VENV) --no-deps --no-build-isolation -e . ; \
	else \
	  rm -rf $(VENV) && $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

demo: $(READY) ## the main job on a made-up organisation: collect, serve, ask five questions
	@$(BIN)/crosstrail demo

test: $(READY) ## the tests
	$(BIN)/python -m pytest -q

check: $(READY) ## what CI runs: lint, types, import rules, generated docs, tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check $(DOCS)
	$(MAKE) --no-print-directory test

conformance: $(READY) ## MCP's own suites and its Inspector against the server (needs npm)
	$(BIN)/python tests/conformance/run.py

bench: $(READY) ## speed and size, as figures
	@for one in start answer ingest query aws volcengine wrap serve timing; do echo "== bench/$$one.py"; $(BIN)/python bench/$$one.py || exit 1; done

release-check: $(READY) ## build sdist and wheel, install the wheel into an empty environment, check the server from it
	rm -rf dist build/release && mkdir -p build
	$(BIN)/python -m hatchling build -d dist
	$(PYTHON) -m venv build/release
	build/release/bin/python -m pip install --quiet --disable-pip-version-check "$$(ls dist/*.whl)[lake]"
	build/release/bin/crosstrail check --within 300 --accounts prod,dev,cn-prod -- build/release/bin/crosstrail serve --demo
	rm -rf build/release

image-test: ## build the container images without a container engine, start and check them (Debian, root)
	@$(PYTHON) deploy/image/try_image.py

docs: $(READY) ## write the generated parts of the documentation again
	$(BIN)/cog -r $(DOCS)

COMPILE := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header
IMAGE_COMPILE := $(COMPILE) --python-version 3.13 --no-annotate -c requirements.lock

lock: ## resolve the dependencies again, the image's among them (needs uv)
	$(COMPILE) --python-version 3.11 --extra all --group dev pyproject.toml -o requirements.lock
	$(IMAGE_COMPILE) --extra all pyproject.toml -o deploy/image/lake.lock
	$(IMAGE_COMPILE) --extra oauth --extra otel --extra postgres pyproject.toml -o deploy/image/plain.lock
	printf 'uv\nhatchling\n' | $(IMAGE_COMPILE) - -o deploy/image/tools.lock
	@mkdir -p build
	grep -E '^[a-z0-9].*==' requirements.lock | sed 's/ *\\$$//' | grep -vE '^(protobuf|opentelemetry|googleapis)' > build/fixed.txt
	echo aws-opentelemetry-distro | $(COMPILE) --python-version 3.13 --no-annotate -c build/fixed.txt - -o deploy/image/aws.lock

clean: ## remove what the targets made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
