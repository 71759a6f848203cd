# Everline: see README.md. `make help` lists the targets.
SHELL := /bin/bash
ifeq ($(V),)
Q := @
say = @printf '  %-6s %s\n' $(1) $(2)
else
say = @:
endif
.DELETE_ON_ERROR:
.SUFFIXES:
BUILD ?= build
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
MODE ?= release
JOBS ?= $(shell nproc)

LIBS_OWN := base storage raft telephony core api
PKGS := sofia-sip-ua raft libuv sqlite3 openssl jansson libprotobuf-c libwebsockets libcurl yaml-0.1 libcyaml spandsp opus
PKG_CFLAGS := $(shell pkg-config --cflags-only-I $(PKGS) check 2>/dev/null | sed 's/-I/-isystem /g')
SOUND_PKGS := sndfile samplerate libebur128 # of the helper ccsound only
SOUND_LIBS := $(shell pkg-config --libs $(SOUND_PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wswitch-enum \
	-Wundef -Werror
# Cutting a text short on purpose is what snprintf is used for here; only gcc has this warning.
WARN += $(if $(findstring clang,$(CC)),,-Wno-format-truncation)
SAN_release :=
SAN_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SAN_tsan := -fsanitize=thread -fno-omit-frame-pointer
SAN_fuzz := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
EXTRA_tsan = $(BUILD)/obj/tests/tsan_exit.o
OPT_release := -O2 -g
OPT_asan := -O1 -g
OPT_tsan := -O1 -g
OPT_fuzz := -O1 -g
CFLAGS_ALL := -std=c11 -D_GNU_SOURCE $(OPT_$(MODE)) $(SAN_$(MODE)) -fstack-protector-strong -fno-strict-aliasing -pthread \
	-I. -isystem $(BUILD)/gen $(PKG_CFLAGS) $(CFLAGS)
LINK := -pthread $(SAN_$(MODE)) $(LDFLAGS)

GEN := $(BUILD)/gen/core/commands.pb-c
OWN_A := $(patsubst %,$(BUILD)/lib%.a,$(LIBS_OWN))
LIBS_ALL := -Wl,--start-group $(OWN_A) -Wl,--end-group $(PKG_LIBS) -lmp3lame -lm -lpthread

SRC = $(wildcard $(1)/*.c)
OBJ = $(patsubst %.c,$(BUILD)/obj/%.o,$(call SRC,$(1)))
NODE_OBJ := $(filter-out $(BUILD)/obj/node/main.o,$(call OBJ,node))
SOUND_OBJ := $(filter-out $(BUILD)/obj/sound/main.o,$(call OBJ,sound))
CLI_OBJ := $(filter-out $(BUILD)/obj/cli/main.o,$(call OBJ,cli))

UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_SRC))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_OBJ = $(if $(filter config blob_msg rec_msg,$*),$(NODE_OBJ)) $(if $(filter sound,$*),$(SOUND_OBJ) $(SOUND_LIBS)) $(if $(filter ics,$*),$(BUILD)/obj/cli/cli_ics.o)
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(FUZZ_SRC))
FUZZ_REPLAY := $(patsubst %,$(BUILD)/tests/replay_%,$(FUZZ_NAMES))
FUZZ_BIN := $(patsubst %,$(BUILD)/tests/fuzz_%,$(FUZZ_NAMES))
SIM_SRC := $(wildcard tests/sim/*.c)
SIM_BIN := $(BUILD)/tests/sim/sim $(BUILD)/tests/sim/sim-sqlite
BENCH_SRC := $(wildcard bench/bench_*.c)
BENCH_BIN := $(patsubst bench/%.c,$(BUILD)/bench/%,$(BENCH_SRC))
LANGUAGES := $(patsubst etc/prompts/%.yaml,%,$(wildcard etc/prompts/*.yaml))
PROMPTS := $(patsubst %,$(BUILD)/prompts/%/.made,$(LANGUAGES))

.PHONY: help deps build programs prompts run demo check unit system chaos replay bench sim lint asan tsan tidy fuzz clean all-tests

help: ## list the targets
	@echo "Everline: a call centre that keeps the call when the machine dies."
	@echo
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		awk -F'\t' '{ printf "  make %-8s %s\n", $$1, $$2 }'
	@echo
	@echo "  make run CLEAN=1   starts the demonstration cluster with empty data; V=1 prints each command"

deps: ## install what building and testing need (Debian packages only)
	@scripts/deps

build: programs prompts ## build build/ccnode, build/ccsound, build/ccctl and the prompts

programs: $(BUILD)/ccnode $(BUILD)/ccsound $(BUILD)/ccctl

prompts: $(PROMPTS)

run: deps ## start a three-node demonstration cluster on loopback, in the foreground
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@CLEAN=$(CLEAN) BUILD=$(BUILD) scripts/run

demo: deps ## make one complete, visible call on the demonstration cluster
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@BUILD=$(BUILD) scripts/demo

# What is replayed is built without optimizing: replaying takes seconds, building took minutes.
check: deps ## build everything and run all tests
	@$(MAKE) --no-print-directory -j$(JOBS) build all-tests
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory -j$(JOBS) CC=clang MODE=asan OPT_asan="-O0 -g1" BUILD=$(BUILD)/asan replay-programs
	@BUILD=$(BUILD) scripts/check

all-tests: $(UNIT_BIN) $(SIM_BIN)
replay-programs: $(FUZZ_REPLAY)

unit: ## run the unit tests only
	@$(MAKE) --no-print-directory -j$(JOBS) build all-tests
	@BUILD=$(BUILD) scripts/check unit

system: ## run the whole-system tests only
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@BUILD=$(BUILD) scripts/check system

sim: ## simulate clusters under faults: make sim [SEEDS=1-10000] [NODES=3]
	@$(MAKE) --no-print-directory -j$(JOBS) $(SIM_BIN)
	@$(BUILD)/tests/sim/sim --kept tests/sim/seeds/kept --seeds $(or $(SEEDS),1-10000) $(if $(NODES),--nodes $(NODES))

chaos: ## break nodes under load: make chaos [ROUNDS=10] [SEED=7] [FAULT=kill,link:leader] [NODES=3]
	@$(MAKE) --no-print-directory -j$(JOBS) build
	@BUILD=$(BUILD) ROUNDS=$(or $(ROUNDS),$(if $(SEED),1,10)) SEED=$(SEED) FAULT=$(FAULT) NODES=$(NODES) tests/chaos/run

bench: deps ## print the figures, as ratios to references measured in the same run
	@$(MAKE) --no-print-directory -j$(JOBS) build bench-programs
	@BUILD=$(BUILD) scripts/bench

bench-programs: $(BENCH_BIN)

lint: ## layers, formatting, forbidden calls
	@scripts/lint-layers
	@bad=0; for f in $(wildcard $(patsubst %,%/*.[ch],$(LIBS_OWN) node cli sound)); do \
		clang-format --dry-run --Werror $$f >/dev/null 2>&1 || { echo "$$f: not formatted (clang-format -i $$f)"; bad=1; }; done; \
		[ $$bad = 0 ] && echo "clang-format: clean"

# Sanitized programs are several times slower: the tests' own time limits are stretched, the folders of results are their own.
asan: ## unit tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=asan BUILD=$(BUILD)/asan-gcc programs all-tests
	@ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 \
		SANITIZED=1 PER_TEST_S=1500 CK_TIMEOUT_MULTIPLIER=5 BUILD=$(BUILD)/asan-gcc scripts/check unit

tsan: ## unit tests under ThreadSanitizer
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=tsan BUILD=$(BUILD)/tsan programs all-tests
	@TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp \
		SANITIZED=1 PER_TEST_S=1500 CK_TIMEOUT_MULTIPLIER=5 BUILD=$(BUILD)/tsan scripts/check unit

tidy: $(GEN).h ## clang-tidy over the tree (slow)
	@printf '%s\n' $(foreach d,$(LIBS_OWN) node cli sound,$(call SRC,$(d))) | xargs -P $(JOBS) -I{} \
		clang-tidy --quiet --warnings-as-errors='*' {} -- $(CFLAGS_ALL) 2>/dev/null && echo "clang-tidy: clean"

fuzz: ## fuzz every boundary: make fuzz [TARGET=sdp] [SECONDS_EACH=60]
	@$(MAKE) --no-print-directory -j$(JOBS) CC=clang MODE=fuzz BUILD=$(BUILD)/fuzz fuzz-programs
	@for t in $(or $(TARGET),$(FUZZ_NAMES)); do BUILD=$(BUILD)/fuzz scripts/fuzz-run $$t $(or $(SECONDS_EACH),60) || exit 1; done

fuzz-programs: $(FUZZ_BIN)

clean: ## remove what was built (not run/)
	rm -rf $(BUILD)

# ---- how things are made

$(GEN).c: core/commands.proto
	@mkdir -p $(@D)
	$(call say,PROTO,$<)
	$(Q)protoc-c --c_out=$(BUILD)/gen $<
$(GEN).h: $(GEN).c ; @: # written with it: a recipe, however empty, makes make look at its time again

$(BUILD)/obj/gen/commands.o: $(GEN).c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) -c $< -o $@

# The schema of flows as the lines of a C array: nodes serve the one that they were built with.
$(BUILD)/gen/api/flow_schema.inc: etc/flow.schema.json
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)sed 's/[\\"]/\\&/g; s/.*/"&\\n",/' $< >$@
$(BUILD)/obj/api/schema.o: $(BUILD)/gen/api/flow_schema.inc

$(BUILD)/obj/%.o: %.c $(GEN).h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) $(WARN) -MMD -MP -c $< -o $@

define LIB_RULE
$(BUILD)/lib$(1).a: $(call OBJ,$(1)) $(if $(filter core,$(1)),$(BUILD)/obj/gen/commands.o)
	@rm -f $$@
	$$(Q)ar rcs $$@ $$^
endef
$(foreach d,$(LIBS_OWN),$(eval $(call LIB_RULE,$(d))))

# Sofia resolves names inside the event loop; the program's own getaddrinfo keeps it numeric there (telephony/resolve_guard.c),
# so that object must be linked into the program itself.
GUARD := $(BUILD)/obj/telephony/resolve_guard.o

$(BUILD)/ccnode: $(BUILD)/obj/node/main.o $(NODE_OBJ) $(OWN_A) $(EXTRA_$(MODE))
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $(EXTRA_$(MODE)) $(BUILD)/obj/node/main.o $(NODE_OBJ) $(GUARD) $(LIBS_ALL) -Wl,--export-dynamic-symbol=getaddrinfo

$(BUILD)/ccsound: $(BUILD)/obj/sound/main.o $(SOUND_OBJ) $(BUILD)/libbase.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $^ $(SOUND_LIBS) -lm

$(BUILD)/ccctl: $(BUILD)/obj/cli/main.o $(CLI_OBJ) $(BUILD)/libbase.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $^ $(shell pkg-config --libs libcurl jansson yaml-0.1 libcrypto 2>/dev/null)

# Tests are compiled apart from linking: a changed library does not compile them again.
$(BUILD)/obj/tests/%.o: tests/%.c $(GEN).h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) $(filter-out -Wconversion -Wmissing-prototypes,$(WARN)) -MMD -MP -c $< -o $@

.SECONDARY: $(UNIT_SRC:%.c=$(BUILD)/obj/%.o)
$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(NODE_OBJ) $(CLI_OBJ) $(SOUND_OBJ) $(OWN_A) $(EXTRA_$(MODE)) $(GUARD)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $< $(EXTRA_$(MODE)) $(if $(filter node/%,$*),$(NODE_OBJ)) $(if $(filter cli/%,$*),$(CLI_OBJ)) \
		$(if $(filter sound/%,$*),$(SOUND_OBJ) $(SOUND_LIBS)) $(if $(filter telephony/% node/% api/%,$*),$(GUARD)) \
		$(LIBS_ALL) $(shell pkg-config --libs check 2>/dev/null)

# The simulation has a storage of its own in the place of libstorage.a; sim-sqlite has the real one.
SIM_DEPS := $(SIM_SRC) $(wildcard tests/sim/*.h) $(GEN).h $(BUILD)/libcore.a $(BUILD)/libbase.a
SIM_LINK = mkdir -p $(@D); $(CC) $(CFLAGS_ALL) $(WARN) $(LINK) -o $@
$(BUILD)/tests/sim/sim: $(SIM_DEPS)
	$(call say,LINK,$@)
	$(Q)$(SIM_LINK) $(filter-out %/sim_sqlite.c,$(SIM_SRC)) $(BUILD)/libcore.a $(BUILD)/libbase.a $(PKG_LIBS) -lm -lpthread
$(BUILD)/tests/sim/sim-sqlite: $(SIM_DEPS) $(BUILD)/libstorage.a
	$(call say,LINK,$@)
	$(Q)$(SIM_LINK) $(filter-out %/sim_storage.c,$(SIM_SRC)) $(BUILD)/libcore.a $(BUILD)/libstorage.a \
		$(BUILD)/libbase.a $(PKG_LIBS) -lm -lpthread

$(BUILD)/tests/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/replay_main.c $(NODE_OBJ) $(SOUND_OBJ) $(OWN_A) $(BUILD)/obj/cli/cli_ics.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LINK) -o $@ tests/fuzz/fuzz_$*.c tests/fuzz/replay_main.c $(FUZZ_OBJ) $(LIBS_ALL)

$(BUILD)/tests/fuzz_%: tests/fuzz/fuzz_%.c $(NODE_OBJ) $(SOUND_OBJ) $(OWN_A) $(BUILD)/obj/cli/cli_ics.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LINK) -fsanitize=fuzzer -o $@ tests/fuzz/fuzz_$*.c $(FUZZ_OBJ) $(LIBS_ALL)

$(BUILD)/bench/%: bench/%.c $(NODE_OBJ) $(OWN_A)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LINK) -o $@ $< $(GUARD) $(LIBS_ALL)

$(BUILD)/prompts/%/.made: etc/prompts/%.yaml scripts/make-prompts
	@mkdir -p $(@D)
	scripts/make-prompts $< $(BUILD)/prompts
	@touch $@

-include $(shell find $(BUILD)/obj $(BUILD)/tests -name '*.d' 2>/dev/null)
