# Each target is a line or two; what needs more is in xtask/. `make help` prints the targets.

.DEFAULT_GOAL := help
.PHONY: help run test conformance suite bench guests languages clients fmt lint deny clean tools

# Nextest where it is installed: it is quicker and ends tests that hang. `cargo test` runs the same tests.
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s  %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: guests ## Start the demo; with DIFY_URL and DIFY_APP_KEYS set, serve that Dify
	cargo run --package airlock -- $(if $(DIFY_URL),serve,demo)

test: guests languages clients suite ## Run every test
	cargo test --quiet --workspace --doc
ifdef NEXTEST
	cargo nextest run --workspace $(if $(CI),--profile ci)
else
	cargo test --workspace --all-targets $(if $(CI),--no-fail-fast)
endif

conformance: guests suite ## Run the official conformance suite and print what it finds
	cargo test --package airlock-tests --test it conformance -- --nocapture

bench: guests ## Measure the overhead over a bare server, and the cost of a guest
	cargo run --release --package airlock-bench

guests: tools ## Compile the guests into target/guests
	cargo xtask guests

languages: tools ## Compile the guests in JavaScript and Python into target/guests
	cargo xtask languages

clients: tools ## Install the MCP clients that the tests use into target/clients
	cargo xtask clients

suite: tools ## Install the official conformance suite into target/conformance
	cargo xtask conformance

fmt: ## Format the code
	cargo fmt --all

lint: guests ## Check format and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings

deny: ## Check licences, advisories and sources of the dependencies
	@command -v cargo-deny >/dev/null || { echo "cargo-deny is missing: cargo install --locked cargo-deny"; exit 1; }
	cargo deny check

clean: ## Remove everything that was built or fetched
	cargo clean

tools:
	@command -v cargo >/dev/null || { echo "Rust is missing: install 1.95 or later from https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { echo "A C compiler is missing: on Debian, apt-get install gcc libc6-dev"; exit 1; }
