# make demo   the whole story on this machine, with real Envoys (ONCE=1: end after it)
# make shop   the demo's shop alone, for docs/guides/release-story.md
# make build  bin/weft, bin/weft-agent; with the pages of the web UI, if Node is here
# make ui     those pages alone
# make test   everything that proves weft; make quick: without the servers
# make nightly  the same laws over far longer random histories, and the race detector: half an hour
# make bench  weft beside its peers on this machine, which must do nothing else: half an hour (ISTIOD=PATH: Istio's control plane, too)
# make bench-judge  the judges of releases side by side on simulated traffic: a minute
# make soak  1,500 releases of 500 applications in an hour, on a real API server: how long steps take, what the process weighs
# make bench-quick  that the measuring works, and that both sides send what they must: a minute
# make kube-up  a real Kubernetes on this machine, with the images of this checkout: test/kube/README.md; kube-images, kube-down
# make test-kube  what must hold on it; make bench-kube: weft beside 2,000 services and 20,000 pods there, ten minutes of a machine that does nothing else
# make test-snapshots  a hundred services from Git through S3 with no control plane, and every fault of that way; make test runs it, too
# make test-releases  200 releases by every strategy, well, bad and aborted, under load with real Envoys: 25 minutes of a machine that does nothing else; make test runs five
# make test-series  a million series where there is room for 50,000: what they take, and that it is said
# make test-collector  spans to a real OpenTelemetry Collector and from it: it is compiled first, four minutes of one core
# make test-opa  a real Open Policy Agent decides about calls: it is compiled first, two minutes of one core
# make test-conformance  the Gateway API's own suite there, after kube-up, of both channels; of the standard one test-conformance-standard, and what only the other has test-conformance-retry
# make generate  CRDs, deep copies, OpenAPI definitions from their sources

.PHONY: build ui demo shop test quick nightly bench bench-judge bench-quick soak kube-up kube-images kube-down test-kube bench-kube test-snapshots test-releases test-series test-collector test-opa test-conformance test-conformance-standard test-conformance-retry generate

# kustomize without plugins: with them the linker keeps every method of the program, 40 MB. No C: the images of pods have no
# library of it. Tests are built so, too, or all would be compiled twice.
export GOFLAGS += -tags=kustomize_disable_go_plugin_support
export CGO_ENABLED = 0
LDFLAGS := -s -w -X k8s.io/component-base/version.gitVersion=v1.37.2

NODE := $(shell node -p 'process.versions.node.split(".")[0] >= 20 ? "here" : ""' 2>/dev/null)
UI := web/ui/dist/index.html

build: $(if $(NODE),$(UI))
	@mkdir -p bin
	@$(if $(NODE),,echo "no Node 20.19 or newer is here: bin/weft has no web UI")
	go build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/weft ./cmd/weft-agent

ui: $(UI)

$(UI): web/ui/node_modules/.package-lock.json $(wildcard web/ui/*.html web/ui/*.ts web/ui/*.json) $(shell find web/ui/src -type f)
	cd web/ui && npm run --silent build -- --logLevel warn

web/ui/node_modules/.package-lock.json: web/ui/package-lock.json
	cd web/ui && npm ci --silent
	@touch $@

demo: build
	@go build -o bin/ ./examples/shop ./examples/shop/load ./examples/shop/demo
	bin/demo $(if $(ONCE),--once)

shop: build
	@go build -o bin/ ./examples/shop ./examples/shop/load ./examples/shop/demo
	bin/demo --shop

# The parts side by side, then the whole: what runs servers and Envoys gets the machine, two at a time as they wait for most of theirs,
# and is never taken from the cache, which does not see the binaries.
test: build
	bin/weft envoy
	go vet ./...
	go test -vet=off $$(go list ./... | grep -v /test/)
	go test -vet=off -count=1 -p 2 -timeout 20m $$(go list ./... | grep /test/ | grep -v /test/kube)

quick:
	go test -short $$(go list ./... | grep -v /test/)

# The race detector takes C.
nightly: export CGO_ENABLED = 1
nightly:
	go test -race ./flow ./model ./scope/... ./compile ./xds ./agent/relay ./agent/poll ./agent/standin ./source/folder
	go test -timeout 30m ./compile -run LongEdit -edits 100000 -edit-seed $$(date +%s)
	go test ./compile -run PoliciesMean -pairs 1000000 -pairs-seed $$(date +%s)
	go test -timeout 30m ./explain -run ExplainIs -meshes 100 -meshes-seed $$(date +%s)
	go test -timeout 30m ./flow ./scope ./xds ./agent/relay -rapid.checks 20000

# The module of its own keeps the peer's code out of weft's go.mod.
bench:
	go -C bench/control-plane run ./cmd/run -docs ../../docs/performance.md

bench-judge:
	go run ./bench/judge -docs docs/judge.md

soak:
	go run ./bench/soak -docs docs/performance.md

bench-quick:
	go run ./bench/judge -quick
	go run ./bench/soak -releases 15 -applications 15 -over 20s
	go -C bench/control-plane test ./...
	go -C bench/control-plane run ./cmd/run -quick

kube-up:
	@test/kube/node/up.sh
	@test/kube/node/images.sh

kube-images:
	test/kube/node/images.sh

kube-down:
	test/kube/node/down.sh --purge

test-kube:
	test/kube/node/with.sh sh -c 'test/kube/node/images.sh && go test -count=1 -timeout 40m -parallel 6 -exec "$$PWD/test/kube/node/run.sh" ./test/kube/...'

bench-kube:
	test/kube/node/with.sh test/kube/node/bench.sh

test-snapshots:
	go test -count=1 ./test/snapshots

# The images are those that test-kube has put there, or kube-up.
test-releases:
	WEFT_RELEASES=200 go test -count=1 -v -timeout 90m ./test/releases -run 'TestReleases$$'

test-series:
	go test -count=1 -v ./metrics/series -run Budget -many 1000000

# The module of its own keeps the collector's hundreds of packages out of weft's go.mod.
test-collector:
	go -C test/collector build -ldflags '-s -w' -o $(CURDIR)/bin/test/collector .
	go test -count=1 -v ./test/folder -run Collector -collector $(CURDIR)/bin/test/collector

# As the collector. Its plugin for Envoy of that version is the newest that the registry of modules has, and takes no newer Open Policy Agent.
test-opa:
	go -C test/opa build -ldflags '-s -w' -o $(CURDIR)/bin/test/opa .
	go test -count=1 -v ./test/folder -run OpenPolicyAgent -opa $(CURDIR)/bin/test/opa

# A weft that runs there already has the image of an earlier checkout by the same name.
test-conformance: test-conformance-standard
	REPORTS=$(CURDIR)/docs/conformance test/kube/conformance/experimental.sh

test-conformance-retry:
	test/kube/conformance/experimental.sh -run-test HTTPRouteRetry

test-conformance-standard:
	test/kube/node/run.sh weft install --image weft:dev --proxy-image weft-proxy:dev
	test/kube/node/run.sh sh -c 'kubectl -n weft-system rollout restart deploy/weft && kubectl -n weft-system rollout status deploy/weft'
	REPORTS=$(CURDIR)/docs/conformance test/kube/conformance/run.sh

generate:
	go generate ./...
