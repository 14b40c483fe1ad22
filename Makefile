# The two commands: `make up` (run it all) and `make test` (check it all). Both set up a fresh machine by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup up demo test lint-then-tests test-long check lint types unit integration e2e images stack pods secrets format lock licences sbom clean mutants
# Several processes test at once: a thread for each processor in each of them would only get in the others' way.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# Many tests wait for a program or a server: with a third process, the processors have work meanwhile.
PROCESSES ?= 3
# The long forms wait more: for servers that are overwhelmed, killed or cut off. And few files are imported for them.
LONG_PROCESSES ?= 4
# FACTS: with this set, every start imports 2-4 times slower.
unexport PYTHONDONTWRITEBYTECODE

help:            ## show this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(READY)  ## make .venv from requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "churn needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@# uv itself comes with the version and the hashes of the lock too.
	@test -x $(BIN)/uv || { sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(VENV)/uv.lock; }
	@# Not compiled ahead: a fifth of the modules is ever imported, and each is compiled when it is first.
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $(READY)

up: setup        ## train the first model if there is none, start everything, stay until Ctrl-C
	@exec $(BIN)/churn up

demo: setup      ## close the loop once on real customers; exit 0 only if every step happened
	@exec $(BIN)/churn demo

test: setup      ## lint, types, import rules and every test except the long forms
	@# mypy keeps one processor busy for a minute: beside it runs all of lint, and then the tests begin.
	@$(MAKE) --no-print-directory --jobs 2 types lint-then-tests

lint-then-tests: lint
	$(ONE_THREAD) $(BIN)/pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder -m "not long"

test-long: setup ## the long forms and repetitions of what `make test` tests (pytest -m long)
	@# Exit code 5, no test at all, fails as well: the long forms may not vanish unseen.
	$(ONE_THREAD) $(BIN)/pytest -n $(LONG_PROCESSES) --dist loadfile --no-loadscope-reorder -m long

check: lint types unit ## for every few minutes of work: lint, types and the tests without I/O

lint: setup      ## ruff, import rules, declared dependencies, YAML, workflows, licences, docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/deptry .
	@# What is shipped may not import what only development has; Grafana's SDK draws the dashboards, which are shipped drawn.
	$(BIN)/deptry --pep621-dev-dependency-groups dev --ignore DEP002 \
	  --per-rule-ignores DEP004=grafana_foundation_sdk churn service monitoring pipelines
	$(BIN)/yamllint --strict .
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@if command -v actionlint >/dev/null; then actionlint; \
	  else echo "actionlint: skipped, not on this machine (https://github.com/rhysd/actionlint); the workflow runs it"; fi
	$(BIN)/python -m tools.licences --check
	$(BIN)/python -W ignore -m tools.docstrings

types: setup     ## mypy, strict
	$(BIN)/mypy

unit: setup      ## the tests without I/O, in seconds
	$(BIN)/pytest tests/unit -m "not long"

SAMPLE ?= 100
SEED ?= 7
mutants: setup   ## mutation testing on a random sample: make mutants SAMPLE=100 SEED=7 (docs/mutation-testing.md)
	$(ONE_THREAD) $(BIN)/python -m tools.mutants --map --unit
	$(ONE_THREAD) $(BIN)/python -m tools.mutants --sample $(SAMPLE) --seed $(SEED)

integration: setup
	$(BIN)/pytest tests/integration

e2e: setup
	$(BIN)/pytest tests/e2e

images: setup    ## build both images and run them as they are meant to run, with podman; BASE=NAME builds on another base
	$(BIN)/python -m tools.images $(if $(BASE),--base "$(BASE)")

stack: setup     ## compose.yaml in real containers (after `make images`), used from end to end; without podman: as processes
	@$(BIN)/python -m tools.containers; code=$$?; \
	  if [ $$code = 3 ]; then $(BIN)/python -m tools.stack; else exit $$code; fi

pods: setup      ## the pods of k8s/overlays/local under `podman kube play`; needs `make images`
	@$(BIN)/python -m tools.pods

secrets:         ## make the secrets of compose.yaml, in secrets/; those that are there stay
	@$(PYTHON) deploy/make_secrets.py

format: setup    ## let ruff format the tree
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup      ## resolve pyproject.toml anew into requirements.lock (no URLs in it)
	@# All extras but `notes` and `deep`: pyproject.toml says why.
	$(BIN)/uv pip compile --quiet --universal --generate-hashes $(foreach extra,pipelines otel postgres s3 dvc dask dev,--extra $(extra)) --no-annotate \
	  --custom-compile-command "make lock" pyproject.toml --output-file requirements.lock

licences: setup  ## list every package with its licence; fails on one that tools/licences.toml does not allow
	$(BIN)/python -m tools.licences

sbom: setup      ## write build/sbom.cdx.json, the bill of materials (CycloneDX), and validate it
	$(BIN)/python -m tools.sbom

clean:           ## remove the environment and what was built (CHURN_HOME stays)
	rm -rf $(VENV) build dist
