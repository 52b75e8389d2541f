# kahea: every target says what it does; `make help` lists them. Nothing but Go, make and (for what tests drive) apt is needed.
GO      ?= go
BIN     := bin
PKGS    := ./...
FUZZTIME ?= 60s
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
HOURS   ?= 8
RUNDIR  ?= $(CURDIR)/$(BIN)/run

.PHONY: help build run test test-deps check lint race fuzz bench bench-script exhaust chaos soak parity parity-deps gen doc clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## build bin/kahea and bin/kaheactl
	@echo "building $(BIN)/kahea and $(BIN)/kaheactl"
	@$(GO) build -o $(BIN)/ ./cmd/kahea ./cmd/kaheactl

run: build ## build and start a working server in the foreground on 127.0.0.1:5060 (Ctrl-C ends it)
	@echo "starting kahea's default configuration on udp and tcp 127.0.0.1:5060; register phones there, Ctrl-C ends it"
	@mkdir -p $(RUNDIR)
	@exec $(BIN)/kahea --default-cfg -DD -E -l udp:127.0.0.1:5060 -l tcp:127.0.0.1:5060 -Y $(RUNDIR)

# what the tests drive: SIPp, and Debian's kamailio for its stock configuration and its kamcmd. RUNLEVEL=1 keeps apt from starting services.
test-deps: ## install what the tests need (Debian packages sip-tester and kamailio)
	@if command -v sipp >/dev/null && test -f /etc/kamailio/kamailio.cfg; then echo "test tools are installed"; \
	elif command -v apt-get >/dev/null && test "$$(id -u)" = 0; then \
		echo "installing sip-tester and kamailio"; apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq sip-tester kamailio >/dev/null; \
	elif command -v apt-get >/dev/null && command -v sudo >/dev/null && sudo -n true 2>/dev/null; then \
		echo "installing sip-tester and kamailio"; sudo apt-get update -qq && sudo RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq sip-tester kamailio >/dev/null; \
	else echo "no apt-get, or no right to use it: tests that drive SIPp or the stock configuration will skip and say so"; fi

test: test-deps ## run all tests (under 15 minutes on two cores)
	@echo "running the tests of all packages"
	@$(GO) test -count=1 $(PKGS)

check: gen-check lint test ## everything a change needs: generated files, lint, rules over the tree, tests

.PHONY: gen-check
gen-check:
	@echo "checking generated files"
	@$(GO) run ./cmd/modgen -check

lint: ## gofmt, vet, staticcheck, and the rules over the tree
	@echo "gofmt"; test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	@echo "go vet"; $(GO) vet $(PKGS)
	@echo "staticcheck"; $(GO) run $(STATICCHECK) $(PKGS)
	@if command -v golangci-lint >/dev/null; then echo "golangci-lint"; golangci-lint run; fi

race: test-deps ## run all tests with the race detector
	@$(GO) test -race $(PKGS)

fuzz: ## run every fuzzer for FUZZTIME (60s each)
	@for p in $$($(GO) list $(PKGS)); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		echo "fuzzing $$p $$f for $(FUZZTIME)"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p || exit 1; done; done

parity-deps:
	@command -v kamailio >/dev/null || $(MAKE) test-deps

parity: build parity-deps ## compare what kahea and Debian's kamailio send on the same cases
	@$(GO) run ./cmd/parity $(ARGS)

bench: build ## CPU per transaction beside Kamailio's, where it is installed (ARGS=... for perf/bench, ARGS=-h lists them)
	@$(GO) run ./perf/bench $(ARGS)

exhaust: build ## memory runs out while calls stand, ten minutes (ARGS=... for perf/exhaust)
	@$(GO) run ./perf/exhaust $(ARGS)

bench-script: build ## CPU of script statements beside Kamailio's, where it is installed (ARGS=... for perf/script, ARGS=-h lists them)
	@$(GO) run ./perf/script $(ARGS)

chaos: build ## calls and registrations while processes are killed, stopped and reloaded at random, ten minutes (ARGS=... for perf/chaos, ARGS=-h lists them)
	@$(GO) run ./perf/chaos $(ARGS)

soak: build ## chaos for HOURS (8, a fraction may be); a line a minute goes to bin/soak.tsv
	@$(GO) run ./perf/chaos -t $(HOURS)h --minutes $(BIN)/soak.tsv $(ARGS)

gen: ## write generated files
	@$(GO) run ./cmd/modgen

doc: ## serve the package documentation on 127.0.0.1:6060
	@$(GO) run golang.org/x/pkgsite/cmd/pkgsite@latest -http 127.0.0.1:6060

clean: ## remove what was built
	@rm -rf $(BIN) profiles
