# `make help` lists what there is. Everything that is built goes to $CARGO_TARGET_DIR (default:
# target); C++ is compiled through ccache, in whatever $CCACHE_DIR says.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
export CARGO_TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))

# Looked up when a recipe starts, as `setup` may just have installed it.
ifeq ($(origin CC),default)
CACHED = $(if $(shell command -v ccache),CC="ccache gcc" CXX="ccache g++")
endif
CARGO = $(CACHED) cargo
ZABRA = $(CARGO_TARGET_DIR)/release/zabra

.PHONY: help setup-build setup build install run test check lint core doc unit sim faults soak compat \
	compat-quick software image docker-test bench bench-compare fuzz clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/make \1\t\2/p' Makefile | expand -t 20

setup-build: # what a build needs
	@.ci/setup build

setup: ## install what building and testing need (Debian, Ubuntu)
	@.ci/setup test

build: setup-build ## build the program
	$(CARGO) build --release --bin zabra

PREFIX ?= /usr/local

install: build ## install into PREFIX (/usr/local): zabra, and its names zkServer.sh and zkCli.sh
	install -D $(ZABRA) $(DESTDIR)$(PREFIX)/bin/zabra
	ln -sf zabra $(DESTDIR)$(PREFIX)/bin/zkServer.sh
	ln -sf zabra $(DESTDIR)$(PREFIX)/bin/zkCli.sh

run: build ## start a server on port 2181 with its data in ./data; ARGS="..." for more flags
	$(ZABRA) server --port 2181 --data-dir data $(ARGS)

test: setup ## everything: formatting, lints, documentation, tests, compatibility tests
	@$(MAKE) --no-print-directory check unit compat-quick docker-test

check: lint core doc ## what needs no test to run

lint: setup-build
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# The core compiles without anything that could reach a socket, a file, a clock or a thread.
core: setup-build
	$(CARGO) check -p zabra --lib --no-default-features --locked
	CLIPPY_CONF_DIR=.clippy-core $(CARGO) clippy -p zabra --lib --no-default-features --locked \
		-- -D warnings

doc: setup-build
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked

unit: setup-build ## the tests of the crates
	$(CARGO) test --workspace --locked

SEEDS ?= 10000

sim: setup-build ## simulate SEEDS (10000) ensembles, from seed FIRST (0) on
	SIM_SEEDS=$(SEEDS) SIM_FIRST=$(or $(FIRST),0) $(CARGO) test --release --no-default-features --features mimalloc \
		--locked --test sim nothing -- --nocapture

SECONDS ?= 600

faults: setup ## kill, pause, cut off and fill up real ensembles for SECONDS (600); SEED=n to begin with
	ZABRA_FAULTS_SECONDS=$(SECONDS) $(if $(SEED),ZABRA_FAULTS_SEED=$(SEED)) \
		$(CARGO) test --locked --test ensemble_faults for_long

# Clients are run against one server here; what three servers do has tests of its own.
compat-quick: setup build # the part of the compatibility tests that `make test` runs
	compat-tests/run --quick

compat: setup build ## every client against one server, three, and a mixed ensemble; ensembles, volumes, software
	compat-tests/run
	compat-tests/run --target zabra-3
	compat-tests/run --target mixed
	compat-tests/ensemble/run
	compat-tests/volume/run
	compat-tests/monitoring/run
	compat-tests/differential/run --servers 3 --seeds 4 --ops 3000
	@$(MAKE) --no-print-directory software SECONDS=60

software: build ## Kafka, Patroni and HBase on TARGET (zabra-3), under load for SECONDS (600) each; ONLY=name
	@.ci/setup software
	compat-tests/software/run --target $(or $(TARGET),zabra-3) --seconds $(SECONDS) \
		$(if $(ONLY),--only $(ONLY))

MINUTES ?= 30

soak: setup build ## random client programs for MINUTES (30) under leader kills, Apache as the oracle
	compat-tests/differential/soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

image: ## build the image `zabra`, from the sources
	docker build -f docker/Dockerfile -t zabra .

docker-test: build ## the image under a Docker engine, with compose files as people have them; ONLY=text
	@.ci/setup docker || echo "what the test of the image needs cannot be installed here"
	docker/test/run $(if $(ONLY),--only $(ONLY))

bench: build ## measure a temporary server; SERVER=host:port for another, ARGS="-n 64 -p 16 ..."
	@server=$(SERVER); \
	if [ -z "$$server" ]; then \
		scratch=$$(mktemp -d); \
		$(ZABRA) server --temporary --log warn >"$$scratch/port" & \
		trap "kill $$!; wait $$! || true; rm -r $$scratch" EXIT; \
		until [ -s "$$scratch/port" ]; do kill -0 $$!; sleep 0.1; done; \
		server=127.0.0.1:$$(cat "$$scratch/port"); \
	fi; \
	for workload in create set get mixed multi watch; do \
		$(ZABRA) bench $$workload --server $$server $(ARGS); \
	done

bench-compare: setup build ## measure Zabra and Apache ZooKeeper in turns, into compat-tests/BENCHMARKS.md
	compat-tests/bench-compare --report $(ARGS)

SECONDS_EACH ?= 60

fuzz: setup-build ## fuzz each decoder for SECONDS_EACH (60) seconds
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	for target in $$(RUSTC_BOOTSTRAP=1 cargo fuzz list --fuzz-dir tests/fuzz); do \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz $$target \
			-- -max_total_time=$(SECONDS_EACH); \
	done

clean: ## remove what was built; data and caches stay
	cargo clean
