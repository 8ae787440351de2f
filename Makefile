# `make test` installs what is missing, when it may, and runs everything.
WYCHEPROOF := tokenexchange/internal/wycheproof
OUTSIDE    := integration_test
MODULES    := . cmd/build bench $(WYCHEPROOF) $(addprefix $(OUTSIDE)/,histories clients browser cluster)
BIN        := $(CURDIR)/.bin
BINARY     ?=
FUZZTIME   ?= 1m
export VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
export SCOPEGATE_BINARY := $(if $(BINARY),$(abspath $(BINARY)))
.PHONY: build test lint fuzz timing bench tools

# The binary that is shipped: ./caddy, built by xcaddy from xcaddy.json.
build:
	go -C cmd/build run . -config ../../xcaddy.json -output ../../caddy -version "$$VERSION"

# BINARY=./caddy lets the integration tests run against that binary; without it
# they build their own. The go command comes last: its lines tell what ran.
test: lint
	go -C cmd/build test -race -count=1 -timeout 15m ./...
	@out="$$(go test -count=1 -cover ./scopes)"; echo "$$out"; case "$$out" in *"coverage: 100.0%"*) ;; *) echo "expected 100.0% of scopes"; exit 1; esac
	go -C $(WYCHEPROOF) test -race -count=1 -timeout 15m -v ./...
	@out="$$(go test -race -count=1 -run '^TestGrantsAndParameters$$' -v ./tokenexchange)" || { echo "$$out"; exit 1; }; echo "$$out" | grep 'grants and parameters:'
	go -C $(OUTSIDE)/histories test -race -count=1 -timeout 15m -parallel 4 -v ./...
	tools/clients.sh && go -C $(OUTSIDE)/clients test -count=1 -timeout 15m -v ./...
	tools/browser.sh && go -C $(OUTSIDE)/browser test -count=1 -timeout 15m -v ./...
	redis-server --version && go -C $(OUTSIDE)/cluster test -count=1 -timeout 15m -parallel 6 -v ./...
	go test -race -count=1 -timeout 15m ./...

# With -race vet and staticcheck compile what the tests do, once and not twice.
lint: tools
	@files="$$($(BIN)/gofumpt -l .)"; test -z "$$files" || { echo "not formatted, run .bin/gofumpt -w: $$files"; exit 1; }
	@for module in $(MODULES); do ( cd $$module && export GOFLAGS="$$(go env GOFLAGS) -race" && \
		echo "go vet, staticcheck: $$module" && go vet ./... && $(BIN)/staticcheck ./... ) || exit 1; done

# Every fuzz target of every package, one after the other, for FUZZTIME each.
fuzz:
	@tools/fuzz.sh $(FUZZTIME)

# Whether the time of an answer tells what exists. Needs a quiet machine.
timing:
	go vet -tags timing ./tokenexchange
	go test -tags timing -count=1 -run '^(TestTiming|TestMannWhitney)$$' -v ./tokenexchange

# What the guard costs over plain reverse_proxy; bench/README.md says how.
bench:
	go -C bench run .

tools:
	@tools/need.sh bash git gcc curl openssl redis-server
	go -C tools build -o $(BIN)/ tool
