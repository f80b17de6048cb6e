# What can be done here; `make` alone lists it. The work itself is in scripts/, which run without make too.

LUA ?= lua5.4
# rustup's own place, for shells that have not read its settings; what is on the PATH goes first.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help setup build spec spec-gc test faults asan asan-chaos valgrind fuzz chaos soak deaths signals kills cycles \
	pool-kills recycles lint packaging dist demo demo-memory bench clean

help: ## list the targets
	@echo "fkrpc: make TARGET [LUA=lua5.3]"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 14

setup: ## install what building and testing need (apt, as root), or say what is missing
	@sh scripts/setup.sh test

build: ## build/<lua>/fkrpc.so for LUA
	@$(LUA) scripts/build.lua

spec: ## build and run the specs under LUA; ARGS goes to busted
	@$(LUA) scripts/spec.lua $(ARGS)

spec-gc: ## the specs with each collector of Lua 5.4 (generational, incremental, stress), or with those in MODES
	@sh scripts/gc.sh $(MODES)

test: setup ## everything: lints, cargo test, specs under every Lua, packaging
	@sh scripts/test.sh

faults: ## panics on command in every native function, under LUA
	@sh scripts/faults.sh $(LUA)

asan: ## AddressSanitizer over the specs of codecs and peers, and corpora where there are some
	@sh scripts/asan.sh

asan-chaos: ## AddressSanitizer over every fault of spec/chaos, ROUNDS times (1): both ends and all children
	@sh scripts/asan.sh chaos $(ROUNDS)

valgrind: ## memcheck over the same as asan
	@sh scripts/valgrind.sh

fuzz: ## the fuzz targets, FUZZ_TIME seconds or FUZZ_RUNS inputs each; TARGETS="json_differential ...": those
	@sh scripts/fuzz.sh $(TARGETS)

chaos: ## every fault of spec/chaos ROUNDS times (3), in another order each time
	@$(LUA) scripts/chaos.lua $(ROUNDS)

kills: ## COUNT (1000) deaths of children by SIGKILL in every state of a conversation
	@$(LUA) scripts/kills.lua $(COUNT)

pool-kills: ## COUNT (1000) deaths of a pool's children by SIGKILL in every state, while callers never stop
	@$(LUA) scripts/pool_kills.lua $(COUNT)

cycles: ## COUNT (1000) starts and ends of children in every way: nothing is left
	@$(LUA) scripts/cycles.lua $(COUNT)

soak: build ## load for MINUTES (10) with a random fault every 5 seconds
	@$(LUA) scripts/soak.lua $(MINUTES)

deaths: build ## parents killed N (1000) times in each state of their child, and how long it lives on
	@$(LUA) scripts/deaths.lua $(N)

signals: build ## N (1000000) calls while signals interrupt and stop both ends
	@$(LUA) scripts/signals.lua $(N)

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

bench: ## every benchmark in bench/ with LUA; bench-codec, bench-channel, bench-pool ...: one of them (bench/run.sh)
	@LUA=$(LUA) bench/run.sh

bench-%:
	@LUA=$(LUA) bench/run.sh $(@:bench-%=%)

demo-memory: ## the same leaking work in one Lua process and in a recycled pool; plots demo/memory/memory.svg and .png
	@sh scripts/setup.sh plot
	@sh scripts/demo.sh $(LUA) demo/memory/memory.lua

recycles: build ## recycle N (1000) children of a pool under load
	@sh scripts/demo.sh $(LUA) scripts/recycles.lua $(N)

clean: ## remove build/, dist/ and target/
	rm -rf build dist target
