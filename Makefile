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
	libnl-3-dev libnl-route-3-dev libcjson-dev libevent-dev libyaml-dev libcurl4-openssl-dev \
	libnftables-dev pkg-config
TEST_PACKAGES := libcmocka-dev libssl-dev openssl containernetworking-plugins iproute2 valgrind \
	curl iptables iputils-ping jq nftables procps strace

CLUSTER_PACKAGES := etcd-server containerd runc iptables conntrack libcap2-bin \
	$(if $(shell command -v kubectl),,kubernetes-client)
IMAGE_PACKAGES := containernetworking-plugins dpkg-dev

LIBS := libbpf libnl-3.0 libnl-route-3.0 libnftables libcjson libevent libevent_pthreads yaml-0.1 libcurl
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
	-Wno-format-truncation -Wno-missing-field-initializers $(if $(CI),-Werror)
INCLUDE := -Iinclude
CPPFLAGS += -D_GNU_SOURCE $(INCLUDE) -Isrc -MMD -MP
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 $(WARN) $(SANITIZE)
LDFLAGS += $(SANITIZE)

ROOMS := base policy service report kube dataplane cni agent cli
BINARIES := $(O)/bulkhead $(O)/bulkheadd $(O)/bulkheadctl
BPF_OBJECT := $(O)/bulkhead.bpf.o

LIB_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(LIBS))
LDLIBS_bulkhead = $(shell $(PKG_CONFIG) --libs libbpf libnl-3.0 libnl-route-3.0 libcjson) -lm
LDLIBS_bulkheadd = $(shell $(PKG_CONFIG) --libs $(LIBS)) -lm
LDLIBS_bulkheadctl = $(shell $(PKG_CONFIG) --libs libcjson yaml-0.1) -lm

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
$(O)/bulkheadd: $(O)/src/agent/main.o $(call libs,agent kube report service policy dataplane base)
$(O)/bulkheadctl: $(O)/src/cli/main.o $(call libs,cli kube report service policy base)
$(BINARIES):
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS_$(@F))

$(O)/%.o: %.c | deps
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(LIB_CFLAGS) $(CFLAGS) -c -o $@ $<

# --- the kernel room
BPF_CFLAGS = -O2 -g -target bpf -mcpu=v3 -std=gnu11 -Wall -Wextra -Wno-unused-function \
	-I. $(INCLUDE) -I/usr/include/$(shell $(CC) -dumpmachine) -MMD -MP

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

test-deps: $(O)/.test-deps
$(O)/.test-deps: $(O)/.deps
	@sh tests/lib/packages.sh $(TEST_PACKAGES)
	@touch $@

# --- unit tests: tests/unit/<room>/test_x.c may link what its room may use
ROOMS_base := base
ROOMS_policy := policy base
ROOMS_service := service policy base
ROOMS_report := report service policy base
ROOMS_kube := kube policy base
ROOMS_dataplane := dataplane base
ROOMS_cni := cni dataplane base
ROOMS_agent := agent kube report service policy dataplane base
ROOMS_cli := cli kube report service policy base

define unit
UNIT_$(1) := $$(patsubst %.c,$(O)/%,$$(wildcard tests/unit/$(1)/test_*.c))
$$(UNIT_$(1)): $(O)/%: $(O)/%.o $(O)/libtest.a $$(call libs,$$(ROOMS_$(1)))
	$$(call say,LD,$$@)$(CC) $(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(shell $(PKG_CONFIG) --libs cmocka openssl $(LIBS)) -pthread -lm
UNITS += $$(UNIT_$(1))
endef
$(foreach r,$(ROOMS),$(eval $(call unit,$(r))))

# Allocations that fail on purpose.
$(O)/tests/unit/policy/test_memory: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc \
	-Wl,--wrap=reallocarray,--wrap=asprintf

$(O)/tests/unit/policy/test_compact: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc

# What tests share: builders, the oracle, the packet writer.
$(O)/libtest.a: $(patsubst %.c,$(O)/%.o,$(wildcard tests/lib/*.c))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(O)/tests/%.o: CPPFLAGS += -Itests

$(patsubst %.c,$(O)/%.o,$(wildcard tests/*/*.c tests/unit/*/*.c)): | $(O)/.test-deps

units: $(UNITS)

# --- tests of the kernel's programs: real maps, real programs, packets through them
BPF_TESTS := $(patsubst %.c,$(O)/%,$(wildcard tests/bpf/test_*.c))
$(BPF_TESTS): $(O)/%: $(O)/%.o $(O)/libtest.a $(call libs,kube report service policy dataplane base)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs cmocka $(LIBS)) -lm

bpf-tests: $(BPF_TESTS)

# --- traffic for tests, demo and bench
TOOLS := $(O)/probe $(O)/beat $(O)/traffic $(O)/daemon-double $(O)/fake-api $(O)/verdicts \
	$(O)/hook-steps
PROBE_FILES := $(wildcard tests/netns/probe*.c)
$(O)/probe: $(PROBE_FILES:%.c=$(O)/%.o)
$(O)/beat: $(O)/tests/netns/beat.o
$(O)/traffic: $(O)/tests/bench/traffic.o
$(O)/daemon-double: $(O)/tests/netns/daemon_double.o $(call libs,dataplane base)
$(O)/hook-steps: $(O)/tests/netns/hook_steps.o $(call libs,dataplane base)
$(O)/hook-steps: TOOL_LIBS = $(shell $(PKG_CONFIG) --libs $(LIBS)) -lm
$(O)/fake-api: $(O)/tests/netns/fake_api.o $(O)/libtest.a $(call libs,base)
$(O)/fake-api: TOOL_LIBS = $(shell $(PKG_CONFIG) --libs openssl) -pthread
$(O)/verdicts: $(O)/tests/netns/verdicts.o $(O)/libtest.a $(call libs,kube policy base)
$(O)/verdicts: TOOL_LIBS = $(shell $(PKG_CONFIG) --libs $(LIBS)) -lm
$(O)/daemon-double: TOOL_LIBS = $(shell $(PKG_CONFIG) --libs $(LIBS)) -lm
$(TOOLS):
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TOOL_LIBS)

# --- the next version, for tests of upgrades: these sources over another layout
NEXT := $(O)/next
$(NEXT)/include/bulkhead/abi.h: include/bulkhead/abi.h tests/lib/next_layout.awk
	@mkdir -p $(@D)
	$(call say,AWK,$@)awk -f tests/lib/next_layout.awk $< >$@
next: $(NEXT)/include/bulkhead/abi.h | deps
	@$(MAKE) --no-print-directory O=$(NEXT) INCLUDE='-I$(NEXT)/include -Iinclude' $(NEXT)/bulkhead $(NEXT)/bulkheadd

BASELINES := $(patsubst %.c,$(O)/%.o,$(wildcard tests/bench/*.bpf.c))
$(BASELINES): $(O)/%.bpf.o: %.bpf.c | deps
	@mkdir -p $(@D)
	$(call say,BPF,$<)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<
$(O)/packet_bench: $(O)/tests/bench/packet_bench.o $(O)/tests/bench/spread.o $(O)/libtest.a $(call libs,dataplane base)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(LIBS)) -lm
$(O)/tests/bench/packet_bench.o: CPPFLAGS += -I.
$(O)/service_bench: $(patsubst %,$(O)/tests/bench/%.o,service_bench spread) $(O)/libtest.a \
		$(call libs,service policy dataplane base)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(LIBS)) -lm
$(O)/kube_bench: $(patsubst %,$(O)/tests/bench/%.o,kube_bench decode_race spread) $(O)/libtest.a \
		$(call libs,kube policy dataplane base)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs openssl $(LIBS)) -pthread -lm

$(O)/compile_bench: $(patsubst %,$(O)/tests/bench/%.o,compile_bench spread) $(O)/libtest.a $(call libs,policy base)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

# --- the commands
CLUSTER_TESTS := $(patsubst %,tests/cluster/%.sh,apiserver cluster cluster_v4 cluster_v6)
# A sanitized plugin cannot be linked statically.
CLUSTER_IMAGES := $(if $(SANITIZE),,image $(O)/images/probe.tar)

# Programs of Kubernetes: their folder, built into a cache outside the tree if need be.
$(O)/.cluster-deps: tests/cluster/kubernetes.sh | $(O)/.test-deps
	@sh tests/lib/packages.sh $(CLUSTER_PACKAGES)
	@tests/cluster/kubernetes.sh >$(O)/.kubernetes
	@touch $@

# What pods of the tests run: the probe alone, and as a pause image.
$(O)/images/probe.tar: $(O)/probe deploy/image-archive.sh
	$(Q)rm -rf $(O)/images && mkdir -p $(O)/images/root
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -static -s -o $(O)/images/root/probe $(PROBE_FILES:%.c=$(O)/%.o)
	$(Q)deploy/image-archive.sh $(O)/images/root $(O)/images/pause.tar localhost/pause:test /probe wait
	$(call say,IMAGE,$@)deploy/image-archive.sh $(O)/images/root $@ localhost/probe:test /probe

test-cluster: all $(TOOLS) $(CLUSTER_IMAGES) | $(O)/.cluster-deps ## against a real API server, and in a whole real cluster
	@BUILD=$(O) BULKHEAD_TEST_SHOW=1 tests/run.sh $(CLUSTER_TESTS)

NETNS_TESTS := $(filter-out %lib.sh,$(wildcard tests/netns/*.sh))
# Those that mostly wait, for timeouts and for daemons to come back.
IDLE_TESTS := $(patsubst %,tests/netns/%.sh,kube_bad_input kube_outage upgrade_kill daemon_kill daemon_sweep)

KERNEL_TESTS := $(wildcard tests/kernel/linux_*.sh)
test-kernel: all bpf-tests $(TOOLS) | test-deps ## on other kernels, emulated (as root)
	@BUILD=$(O) BULKHEAD_TEST_TIMEOUT=1800 tests/run.sh $(KERNEL_TESTS)

test: all units bpf-tests $(TOOLS) next $(CLUSTER_IMAGES) | $(O)/.cluster-deps ## everything, as root: units, cases three ways, real pods
	@BUILD=$(O) tests/run.sh tests/rooms.sh $(UNITS) $(BPF_TESTS) $(filter-out $(IDLE_TESTS),$(NETNS_TESTS)) \
		$(CLUSTER_TESTS) --beside $(IDLE_TESTS) tests/kernel/linux_6_1.sh

check: units | test-deps ## what needs no root
	@BUILD=$(O) tests/run.sh tests/rooms.sh $(UNITS)

asan: ## the whole test under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory O=$(O)/asan \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer' test

demo: all $(TOOLS) | test-deps ## zero trust in one screen, on real pods (NODES=3: of three nodes)
	@BUILD=$(O) NODES=$(NODES) tests/demo/demo.sh

shell: all $(TOOLS) | test-deps ## a shell on a private node with the demo's pods
	@BUILD=$(O) tests/demo/shell.sh

bench: all $(O)/packet_bench $(O)/service_bench $(BASELINES) $(TOOLS) | test-deps ## what packets cost, alone and between pods (as root)
	@$(O)/packet_bench $(O)/tests/bench
	@$(O)/service_bench
	@BUILD=$(O) tests/bench/net.sh
	@BUILD=$(O) tests/bench/cni.sh
	@$(MAKE) --no-print-directory O=$(O) bench-compile bench-kube

bench-compile: $(O)/compile_bench ## what compiling policies costs, whole and change by change
	@$(O)/compile_bench

bench-kube: all $(O)/kube_bench $(TOOLS) | test-deps ## the daemon in a cluster of 100,000 pods (as root)
	@BUILD=$(O) tests/bench/kube.sh

sizes: ## files past 600 lines and functions past 60
	@tests/sizes.sh

CNIBINDIR ?= /opt/cni/bin
install: all ## to DESTDIR and PREFIX; the plugin to CNIBINDIR
	install -D -m 0755 $(O)/bulkhead $(DESTDIR)$(CNIBINDIR)/bulkhead
	install -D -m 0755 $(O)/bulkheadd $(DESTDIR)$(PREFIX)/sbin/bulkheadd
	install -D -m 0755 $(O)/bulkheadctl $(DESTDIR)$(PREFIX)/bin/bulkheadctl
	install -D -m 0644 deploy/man/bulkheadctl.1 $(DESTDIR)$(PREFIX)/share/man/man1/bulkheadctl.1
	install -D -m 0644 deploy/man/bulkheadd.8 $(DESTDIR)$(PREFIX)/share/man/man8/bulkheadd.8
	install -D -m 0644 deploy/bulkheadctl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/bulkheadctl
	install -D -m 0644 deploy/bulkheadd.yaml $(DESTDIR)$(PREFIX)/share/doc/bulkhead/bulkheadd.yaml
	install -D -m 0644 deploy/05-bulkhead.conflist $(DESTDIR)$(PREFIX)/share/doc/bulkhead/05-bulkhead.conflist

# --- the image: bulkhead:$(VERSION), an OCI archive. The plugin runs on the node's own
# filesystem, which holds none of our libraries, so it is linked into itself. Debian
# has all of them as archives but cJSON, whose archive comes from its source package.
VERSION := $(shell sed -n 's/.*BULKHEAD_VERSION "\(.*\)".*/\1/p' src/base/version.h)
IMAGE ?= localhost/bulkhead:$(VERSION)

$(O)/.image-deps: $(O)/.deps
	@sh tests/lib/packages.sh $(IMAGE_PACKAGES)
	@touch $@

$(O)/cjson/libcjson.a: | $(O)/.image-deps
	$(call say,SOURCE,cjson)rm -rf $(@D) && mkdir -p $(@D) && sh tests/lib/debian_source.sh cjson $(@D) >$(@D)/log 2>&1 || \
		{ cat $(@D)/log >&2; exit 1; }
	$(Q)$(CC) $(CFLAGS) -w -c -o $(@D)/cJSON.o $(@D)/tree/cJSON.c && ar rcs $@ $(@D)/cJSON.o

# What getaddrinfo and its like would load at run time, the plugin never calls.
$(O)/bulkhead-static: $(O)/src/cni/main.o $(call libs,cni dataplane base) $(O)/cjson/libcjson.a
	$(call say,LD,$@)$(CC) $(CFLAGS) -static -o $@ $^ \
		$$($(PKG_CONFIG) --static --libs libbpf libnl-3.0 libnl-route-3.0) -lm 2>$@.log || { cat $@.log >&2; exit 1; }

image-root: $(O)/bulkheadd $(O)/bulkheadctl $(O)/bulkhead-static
	$(Q)rm -rf $(O)/image
	$(Q)install -D -m 0755 -s $(O)/bulkhead-static $(O)/image/opt/cni/bin/bulkhead
	$(Q)install -D -m 0755 $(O)/bulkheadd $(O)/image/usr/local/sbin/bulkheadd
	$(Q)install -D -m 0755 $(O)/bulkheadctl $(O)/image/usr/local/bin/bulkheadctl
	$(Q)deploy/image-root.sh $(O)/image

image: image-root ## the container image, as an OCI archive
	$(call say,IMAGE,$(O)/bulkhead-image.tar)deploy/image-archive.sh $(O)/image $(O)/bulkhead-image.tar $(IMAGE) /usr/local/sbin/bulkheadd

clean: ## remove everything generated
	rm -rf $(O)

fmt: ## format what clang-format has a say in
	clang-format -i $(wildcard src/*/*.[ch] bpf/*.[ch] include/bulkhead/*.h tests/*/*.[ch] tests/unit/*/*.c)

compdb: ## compile_commands.json for editors
	@sh tests/lib/packages.sh bear
	bear --output compile_commands.json -- $(MAKE) -B all

.PHONY: all help units bpf-tests next bench bench-compile bench-kube deps test-deps test check test-cluster test-kernel asan demo image image-root shell sizes install fmt clean compdb
.DELETE_ON_ERROR:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
