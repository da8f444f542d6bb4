# What a newcomer types. `make up` starts everything, `make test` tests everything on the same real servers.
.PHONY: help up down test test-compose fuzz check bench deps deps-test fmt

help:
	@echo "make up      gets what is missing, builds (release), starts everything, shows where to look"
	@echo "make down    stops what 'make up' started"
	@echo "make test    builds (dev), starts the real servers once, runs every test on them, stops them"
	@echo "make test-compose  the same in containers: docker-compose.yml, started, broken, stopped (root; after make test)"
	@echo "make fuzz    builds the fuzz targets of crates/fuzz and runs each for a minute"
	@echo "make check   format, lints, and the configuration that ships"
	@echo "make bench   builds (release) and runs every benchmark, each on a stack of its own"
	@echo "make deps    installs the system packages that are missing (Debian; elsewhere it says what to install)"

# A program's table of addresses is read at its start, whole: packed it is a fiftieth.
RELEASE = RUSTFLAGS="$$RUSTFLAGS -C link-arg=-Wl,-z,pack-relative-relocs" cargo build --release --workspace --bins

# What only measures and tests is not for who starts it.
up: deps
	$(RELEASE) --exclude bench --exclude xtask
	target/release/millrace up

down:
	target/release/millrace down

test: deps-test
	cargo build --workspace --all-targets
	target/debug/xtask test

# Builds before it installs anything: what is missing of docker comes by apt-get.
test-compose:
	cargo build --workspace --all-targets
	docker/install.sh
	docker/test-compose.sh; ended=$$?; docker/install.sh stop; exit $$ended

FUZZ_TARGETS = page avro wire config cron
FUZZ_SECONDS = 60

fuzz: deps
	cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	for target in $(FUZZ_TARGETS); do \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir crates/fuzz --sanitizer none $$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 || exit 1; \
	done

check:
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo build --workspace --bins
	target/debug/millrace check

bench: deps
	$(RELEASE)
	target/release/millrace bench all

fmt:
	cargo fmt

deps:
	@crates/xtask/deps.sh build java

deps-test:
	@crates/xtask/deps.sh build java browser schemathesis
