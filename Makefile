# What can be done here; `make` alone lists it. The work itself is in scripts/, which run without make too.

LUA ?= lua5.4
# rustup's own place, for shells that have not read its settings; what is on the PATH goes first.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help setup build spec test faults asan valgrind fuzz chaos soak lint packaging dist demo bench bench-codec bench-compat bench-channel bench-large bench-load bench-replay bench-game bench-loop bench-spawn bench-watchdog clean

help: ## list the targets
	@echo "fkrpc: make TARGET [LUA=lua5.3]"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 14

setup: ## install what building and testing need (apt, as root), or say what is missing
	@sh scripts/setup.sh test

build: ## build/<lua>/fkrpc.so for LUA
	@$(LUA) scripts/build.lua

spec: ## build and run the specs under LUA; ARGS goes to busted
	@$(LUA) scripts/spec.lua $(ARGS)

test: setup ## everything: lints, cargo test, specs under every Lua, packaging
	@sh scripts/test.sh

faults: ## panics on command in every native function, under LUA
	@sh scripts/faults.sh $(LUA)

asan: ## AddressSanitizer over the specs of codecs and peers, and corpora where there are some
	@sh scripts/asan.sh

valgrind: ## memcheck over the same
	@sh scripts/valgrind.sh

fuzz: ## the fuzz targets, FUZZ_TIME seconds or FUZZ_RUNS inputs each; TARGETS="json_differential ...": those
	@sh scripts/fuzz.sh $(TARGETS)

chaos: ## every fault of spec/chaos ROUNDS times (3), in another order each time
	@$(LUA) scripts/chaos.lua $(ROUNDS)

soak: build ## load for MINUTES (10) with a random fault every 5 seconds
	@$(LUA) scripts/soak.lua $(MINUTES)

lint: ## cargo fmt, clippy, luacheck
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --features lua54 -- -D warnings
	luacheck --quiet . rockspec/*.rockspec

packaging: ## LuaRocks make, test, pack and install for every Lua
	@sh spec/packaging.sh

dist: ## a binary rock and a plain fkrpc.so per Lua, with sha256 sums, in dist/
	@sh scripts/dist.sh

demo: ## set up what is missing, build, and run demo/demo.lua
	@sh scripts/setup.sh demo
	@sh scripts/demo.sh $(LUA)

bench: ## every benchmark in bench/ with LUA; bench-codec, -channel, -large, -load, -replay, -game, -loop, -spawn, -watchdog: one of them
	@LUA=$(LUA) bench/run.sh

bench-codec bench-compat bench-channel bench-large bench-load bench-replay bench-game bench-loop bench-spawn bench-watchdog:
	@LUA=$(LUA) bench/run.sh $(@:bench-%=%)

clean: ## remove build/, dist/ and target/
	rm -rf build dist target
