# make demo   the whole story on this machine, with real Envoys (ONCE=1: end after it)
# make build  bin/weft, bin/weft-agent
# make test   everything that proves weft; -short leaves out the minutes-long proofs
# make generate  CRDs, deep copies, OpenAPI definitions from their sources

.PHONY: build demo test quick generate

LDFLAGS := -s -w -X k8s.io/component-base/version.gitVersion=v1.37.2

build:
	@mkdir -p bin
	go build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/weft ./cmd/weft-agent

demo: build
	@go build -o bin/ ./examples/shop ./examples/shop/load ./examples/shop/demo
	bin/demo $(if $(ONCE),--once)

test: build
	go run ./cmd/weft envoy
	go vet ./...
	go test ./...

quick:
	go test -short ./...

generate:
	go generate ./...
