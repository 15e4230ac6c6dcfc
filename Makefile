# SPDX-License-Identifier: Apache-2.0
# Everything generated goes under $(O). `make help` lists the targets.

O ?= build
V ?= 0
PREFIX ?= /usr/local
CC ?= gcc
CLANG ?= clang
PKG_CONFIG ?= pkg-config
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-6s %s\n' '$(1)' '$(2)';)

PACKAGES := build-essential clang libbpf-dev libelf-dev zlib1g-dev linux-libc-dev \
	libnl-3-dev libnl-route-3-dev libcjson-dev libevent-dev libyaml-dev pkg-config
TEST_PACKAGES := libcmocka-dev containernetworking-plugins iproute2 valgrind python3-minimal

LIBS := libbpf libnl-3.0 libnl-route-3.0 libcjson libevent libevent_pthreads yaml-0.1
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
	-Wno-format-truncation -Wno-missing-field-initializers $(if $(CI),-Werror)
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Isrc -MMD -MP
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 $(WARN) $(SANITIZE)
LDFLAGS += $(SANITIZE)

ROOMS := base policy report kube dataplane cni agent cli
BINARIES := $(O)/bulkhead $(O)/bulkheadd $(O)/bulkheadctl
BPF_OBJECT := $(O)/bulkhead.bpf.o

LIB_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(LIBS))
LDLIBS_bulkhead = $(shell $(PKG_CONFIG) --libs libbpf libnl-3.0 libnl-route-3.0 libcjson)
LDLIBS_bulkheadd = $(shell $(PKG_CONFIG) --libs $(LIBS))
LDLIBS_bulkheadctl = $(shell $(PKG_CONFIG) --libs libcjson yaml-0.1)

all: $(BINARIES) ## build the plugin, the daemon and the CLI (the default)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- rooms: one archive each, so that nothing links what its room may not use
define room
OBJS_$(1) := $$(patsubst %.c,$(O)/%.o,$$(filter-out %/main.c,$$(wildcard src/$(1)/*.c)))
$(O)/lib$(1).a: $$(OBJS_$(1))
	$$(call say,AR,$$@)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room,$(r))))

libs = $(foreach r,$(1),$(O)/lib$(r).a)

$(O)/bulkhead: $(O)/src/cni/main.o $(call libs,cni dataplane base)
$(O)/bulkheadd: $(O)/src/agent/main.o $(call libs,agent kube report policy dataplane base)
$(O)/bulkheadctl: $(O)/src/cli/main.o $(call libs,cli kube report policy base)
$(BINARIES):
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS_$(@F))

$(O)/%.o: %.c | deps
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(LIB_CFLAGS) $(CFLAGS) -c -o $@ $<

# --- the kernel room
BPF_CFLAGS := -O2 -g -target bpf -std=gnu11 -Wall -Wextra -Wno-unused-function \
	-Iinclude -I/usr/include/$(shell $(CC) -dumpmachine) -MMD -MP

$(BPF_OBJECT): bpf/bulkhead.bpf.c | deps
	@mkdir -p $(@D)
	$(call say,BPF,$<)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

# The object travels inside the daemon (src/dataplane/object.c).
$(O)/src/dataplane/object.o: CPPFLAGS += -DBPF_OBJECT='"$(BPF_OBJECT)"'
$(O)/src/dataplane/object.o: $(BPF_OBJECT)

# --- what a fresh machine needs: Debian packages, installed once
deps: $(O)/.deps
$(O)/.deps: Makefile
	@mkdir -p $(O)
	@sh tests/lib/packages.sh $(PACKAGES)
	@touch $@

# --- unit tests: tests/unit/<room>/test_x.c may link what its room may use
ROOMS_base := base
ROOMS_policy := policy base
ROOMS_report := report policy base
ROOMS_kube := kube policy base
ROOMS_dataplane := dataplane base
ROOMS_cni := cni dataplane base
ROOMS_agent := agent kube report policy dataplane base
ROOMS_cli := cli kube report policy base

define unit
UNIT_$(1) := $$(patsubst %.c,$(O)/%,$$(wildcard tests/unit/$(1)/test_*.c))
$$(UNIT_$(1)): $(O)/%: $(O)/%.o $(O)/libtest.a $$(call libs,$$(ROOMS_$(1)))
	$$(call say,LD,$$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $$@ $$^ $$(shell $(PKG_CONFIG) --libs cmocka $(LIBS))
UNITS += $$(UNIT_$(1))
endef
$(foreach r,$(ROOMS),$(eval $(call unit,$(r))))

# What tests share: builders, the oracle, the packet writer.
$(O)/libtest.a: $(patsubst %.c,$(O)/%.o,$(wildcard tests/lib/*.c))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(O)/tests/%.o: CPPFLAGS += -Itests

units: $(UNITS)

clean: ## remove everything generated
	rm -rf $(O)

compdb: ## compile_commands.json for editors
	bear --output compile_commands.json -- $(MAKE) -B all

.PHONY: all help units deps clean compdb
.DELETE_ON_ERROR:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
