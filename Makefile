# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

MODULE := github.com/transcription-operator/transcription-operator
# One folder per program.
PROGRAMS := $(notdir $(wildcard cmd/*))
CHART := charts/transcription-operator
# What `generate` and `manifests` write; `verify` writes them again elsewhere and compares.
GENERATED := api config/crd/bases $(CHART)/files docs/metrics.md
GO_MODULES := . hack/tools hack/tools/lint hack/tools/helm hack/kind hack/images hack/kwok hack/cluster hack/cluster/runtime hack/cluster/coredns

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

CONTAINER_TOOL ?= docker
# Of no registry: whoever deploys without a name of his own is not to get somebody else's images.
IMAGE_PREFIX ?= localhost/transcription-operator
MANAGER_IMG ?= $(IMAGE_PREFIX)/manager:$(VERSION)
RECEIVER_IMG ?= $(IMAGE_PREFIX)/webhook-receiver:$(VERSION)
# The programs that run in clusters, the last one in tests and demonstrations only.
IMAGES := manager webhook-receiver speechmatics-simulator
# What images are built for: `docker-build` takes several, separated by commas, and `images` one.
PLATFORM ?= linux/$(shell go env GOARCH)

# What `deploy` and `build-installer` render.
OVERLAY ?= config/default

KUBECTL ?= kubectl
NAMESPACE := transcription-system

# How long each fuzz target runs in `test` and `fuzz`.
FUZZTIME ?= 1s
# The race detector needs a C compiler, with the C library's headers. CI has one; without one, tests run without it.
RACE = $(shell echo '\#include <stdlib.h>' | $$(go env CC) -E -x c - >/dev/null 2>&1 && echo -race)
# How long `chaos` breaks things, what its choices follow from (0: any), which scenarios it runs (a regular expression), whether those
# are of the size that they have in `make test`, and where the table goes.
DURATION ?= 30m
SEED ?= 0
ONLY ?=
SMALL ?= false
REPORT ?= bin/chaos.md
# What `bench` runs (a regular expression of names in test/performance/scenarios.yaml; empty: all), how often (0: as the file says), whether it
# takes profiles, and the page whose table it replaces (docs/performance.md).
SCENARIO ?=
RUNS ?= 0
PROFILES ?= false
DOCUMENT ?=
# What `test` gives to go test, besides -race.
GOTESTFLAGS ?= -p 2 -timeout 10m

# One way to build, so that the compiler's cache serves all.
GO_BUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false
DOCKER_BUILD = $(CONTAINER_TOOL) build --platform $(PLATFORM) --build-arg VERSION=$(VERSION)
CONTROLLER_GEN = $$(hack/tool.sh controller-gen)
GOLANGCI_LINT = $$(hack/tool.sh golangci-lint)
KUSTOMIZE = $$(hack/tool.sh kustomize)

.PHONY: all
all: build

##@ General

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*##"; printf "Usage:\n  make \033[36m<target>\033[0m\n"} \
		/^[a-zA-Z_0-9-]+:.*?##/ {printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2} \
		/^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)}' $(MAKEFILE_LIST)

.PHONY: clean
clean: ## Remove what was built here (the caches of tools and control plane stay).
	rm -rf bin build dist

##@ Development

.PHONY: generate
generate: ## Generate DeepCopy methods and apply configurations, and the reference of the metrics.
	$(CONTROLLER_GEN) object:headerFile=hack/boilerplate.go.txt applyconfiguration:headerFile=hack/boilerplate.go.txt paths=./api/...
	CGO_ENABLED=0 go run -trimpath ./hack/metricsreference > docs/metrics.md.tmp
	mv docs/metrics.md.tmp docs/metrics.md

.PHONY: manifests
manifests: ## Generate the CRDs, and copy them, the roles, the alerts and the dashboard into the chart.
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:artifacts:config=config/crd/bases
	mkdir -p $(CHART)/files/crds $(CHART)/files/rbac $(CHART)/files/monitoring
	cp config/crd/bases/*.yaml $(CHART)/files/crds/
	cp config/rbac/*role.yaml config/rbac/user_roles.yaml $(CHART)/files/rbac/
	cp config/prometheus/alerts.yaml config/grafana/transcription-operator.json $(CHART)/files/monitoring/

.PHONY: accept-crds
accept-crds: manifests ## Take what is new in the CRDs for accepted: from then on it has to stay (internal/crdcompat).
	go test ./internal/crdcompat -run '^TestCRDs$$' -accept

.PHONY: fmt
fmt: ## Format the Go code (gofmt, goimports).
	$(GOLANGCI_LINT) fmt

.PHONY: vet
vet: ## Run go vet.
	go vet ./...
	go vet -tags chaos ./internal/crashpoint ./transcript/store
	go vet -tags profiling ./internal/profiling

.PHONY: lint
lint: lint-go lint-api ## Run golangci-lint, and the Kubernetes API linter on api/.

.PHONY: lint-go
lint-go:
	$(GOLANGCI_LINT) run ./...

.PHONY: lint-api
lint-api:
	$(GOLANGCI_LINT) run --config .golangci-kal.yml ./api/...

##@ Tests

.PHONY: test
test: ## Run all tests with the race detector, and each fuzz target for FUZZTIME.
	@[ -n "$(RACE)" ] || echo "test: no C compiler here, so the race detector is off (apt-get install gcc libc6-dev)"
	RACE='$(RACE)' GOTESTFLAGS='$(GOTESTFLAGS)' FUZZTIME='$(FUZZTIME)' hack/test.sh

.PHONY: test-metrics
test-metrics: ## Test the alerts, and every query of the dashboard and the alerts by a Prometheus that scrapes the whole system.
	programs=$$(hack/prometheus.sh); assets=$$(hack/control-plane.sh); \
		PATH="$$programs:$$PATH" KUBEBUILDER_ASSETS=$$assets go test -count=1 -timeout 20m ./test/metrics

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (make fuzz FUZZTIME=10m).
	FUZZTIME=$(FUZZTIME) hack/fuzz.sh

.PHONY: model
model: ## Check the protocol's model with larger budgets (some ten minutes; needs spin and a C compiler).
	go test -count=1 -timeout 60m -v ./test/model -model.full

.PHONY: scale
scale: ## Run the tests of many jobs with their full sizes, and print figures (some ten minutes).
	assets=$$(hack/control-plane.sh); KUBEBUILDER_ASSETS=$$assets go test -count=1 -timeout 60m -v -parallel 1 -run TestScale ./controllers -scale.full

.PHONY: bench
bench: ## Measure what jobs cost, and how fast they are: docs/performance.md (SCENARIO=…, RUNS=…, PROFILES=true, DOCUMENT=docs/performance.md).
	peers=$$(hack/kwok.sh); assets=$$(hack/control-plane.sh); KUBEBUILDER_ASSETS=$$assets go test -count=1 -timeout 0 -v ./test/performance -run '^TestBench$$' \
		-performance.full -performance.peers="$$peers" -performance.scenario='$(SCENARIO)' -performance.runs=$(RUNS) -performance.profiles=$(PROFILES) \
		-performance.output='$(abspath build/bench)' -performance.document='$(if $(DOCUMENT),$(abspath $(DOCUMENT)))'

.PHONY: chaos
chaos: ## Break processes, connections and answers for DURATION, and check that nothing is lost or paid for twice (SEED=…, ONLY=…).
	@mkdir -p bin
	assets=$$(hack/control-plane.sh); KUBEBUILDER_ASSETS=$$assets go test -count=1 -timeout 0 -v ./test/chaos -run '^TestChaos$$' \
		-chaos.duration=$(DURATION) -chaos.seed=$(SEED) -chaos.only='$(ONLY)' -chaos.small=$(SMALL) -chaos.report='$(abspath $(REPORT))'

.PHONY: test-e2e
test-e2e: ## Install into a real cluster and transcribe while pods are rolled, killed and upgraded: docs/e2e.md (needs Docker, or Linux and root).
	hack/e2e.sh

.PHONY: demo
demo: build bin/control-plane ## Transcribe real files through the real programs, on this machine, and check the results.
	hack/demo.sh

.PHONY: playground
playground: build bin/control-plane ## Start everything as `demo` does and leave it running until Ctrl-C.
	hack/demo.sh --playground

.PHONY: bin/control-plane # always built: go build knows better than make what has changed
bin/control-plane:
	$(GO_BUILD) -o $@ ./hack/controlplane

.PHONY: verify
verify: verify-generated verify-format verify-modules verify-scripts vet lint ## Check all that can be checked without running it.

.PHONY: verify-generated
verify-generated: # Generated files are what `make generate manifests` would write.
	hack/verify-generated.sh $(GENERATED)

.PHONY: verify-format
verify-format: # Go code is formatted.
	@$(GOLANGCI_LINT) fmt --diff || { echo "verify: the code above is not formatted; run: make fmt" >&2; exit 1; }

.PHONY: verify-modules
verify-modules: # Every go.mod and go.sum is tidy.
	@for module in $(GO_MODULES); do \
		go -C $$module mod tidy -diff || { echo "verify: $$module/go.mod or go.sum is not tidy; run: go -C $$module mod tidy" >&2; exit 1; }; \
	done

.PHONY: verify-scripts
verify-scripts: # Shell scripts pass shellcheck, where there is one.
	@if command -v shellcheck >/dev/null; then \
		shellcheck hack/*.sh hack/cluster/*.sh .ci/run; \
	else \
		echo "verify: no shellcheck here; the scripts were not checked (apt-get install shellcheck)"; \
	fi

##@ Build

.PHONY: build
build: ## Build the programs of cmd/ into bin/.
	$(GO_BUILD) -ldflags "-s -w -X $(MODULE)/internal/version.Version=$(VERSION)" -o bin/ $(addprefix ./cmd/,$(PROGRAMS))

.PHONY: docker-build
docker-build: ## Build the images of MANAGER_IMG, RECEIVER_IMG and the simulator for PLATFORM (with CONTAINER_TOOL).
	$(DOCKER_BUILD) --build-arg PROGRAM=manager -t $(MANAGER_IMG) .
	$(DOCKER_BUILD) --build-arg PROGRAM=webhook-receiver -t $(RECEIVER_IMG) .
	$(DOCKER_BUILD) --build-arg PROGRAM=speechmatics-simulator -t $(IMAGE_PREFIX)/speechmatics-simulator:$(VERSION) .

.PHONY: images
images: ## Build the images as archives in bin/images, without a registry or an engine, for PLATFORM (linux/amd64, linux/arm64).
	PLATFORM=$(PLATFORM) VERSION=$(VERSION) IMAGE_PREFIX=$(IMAGE_PREFIX) hack/images.sh $(IMAGES)

.PHONY: build-installer
build-installer: manifests generate ## Write dist/install.yaml: all that a cluster needs, with the images MANAGER_IMG and RECEIVER_IMG.
	mkdir -p dist
	MANAGER_IMG=$(MANAGER_IMG) RECEIVER_IMG=$(RECEIVER_IMG) hack/render.sh $(OVERLAY) > dist/install.yaml.tmp
	mv dist/install.yaml.tmp dist/install.yaml

##@ Deployment (to the cluster of kubectl's current context)

.PHONY: install
install: manifests ## Install the CRDs.
	$(KUSTOMIZE) build config/crd | $(KUBECTL) apply --server-side -f -

# Jobs go with their CRD, and each has a finalizer that only a running manager releases.
.PHONY: uninstall
uninstall: manifests ## Remove the CRDs, and with them every TranscriptionJob and account (while a manager runs).
	$(KUSTOMIZE) build config/crd | $(KUBECTL) delete --ignore-not-found --timeout=5m -f -

.PHONY: deploy
deploy: build-installer ## Install the CRDs, the manager and the webhook receiver.
	$(KUBECTL) apply --server-side -f dist/install.yaml

# What users have stays: the CRDs with all jobs and accounts, the namespace, its claims and Secrets (docs/uninstall.md).
.PHONY: undeploy
undeploy: ## Remove the manager, the webhook receiver and their rights, and nothing of the users'.
	$(KUBECTL) delete deployments,services,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets \
		--namespace $(NAMESPACE) -l app.kubernetes.io/name=transcription-operator
	$(KUBECTL) delete clusterroles,clusterrolebindings -l app.kubernetes.io/name=transcription-operator
