# SPDX-License-Identifier: MIT OR GPL-2.0-only
# `make help` lists what there is. All that is made goes to build/ and .build/.

SHELL := /bin/bash
.DEFAULT_GOAL := help
LAB := test_misc/lab

# The lab's machine, see `make help`. Empty ones take lab's defaults.
lab_options = $(foreach option,overlay kernel cpus model memory timeout,$(call lab_option,$(option),$(shell echo $(option) | tr a-z A-Z)))
lab_option = $(if $($(2)),--$(1) '$($(2))')

.PHONY: help setup build likex programs kmod sparse lab run test bench differential bench-sim test-boot fuzz mutations coverage sanitize clean distclean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
	@echo
	@echo '  make lab SCRIPT=FILE [OVERLAY=DIR] [KERNEL=6.1|6.12] [CPUS=N] [MODEL=M] [MEMORY=MiB] [TIMEOUT=s] [KERNEL_ARGS=WORDS]'
	@echo '    runs FILE as root in an emulated machine that has VMX; likex, test_misc and the modules are there if built.'
	@echo '    MODEL is a CPU of Bochs: corei7_skylake_x unless told, corei3_cnl has fewer VMX features.'
	@echo '    make ends with 2 on any failure; $(LAB)/lab ends with the very status of the script.'
	@echo '  make run DEVICE=host   (as root) the same on this machine: loads the module into the running kernel.'
	@echo "  make test ONLY='lab-'  only the checks whose names contain one of these words, and what those need."
	@echo '  make differential [INSTRUCTIONS=2000000] [SEQUENCES=200000] [SEED=N] [JUDGE=native]'
	@echo '  make kmod KERNEL=6.12  builds for one kernel only; KERNEL=host for the running one.'

setup: ## install the Debian packages that are missing
	@$(LAB)/setup

build: likex programs kmod ## everything: the command, guests and C programs, the module for both kernels

likex: setup ## build/likex: the command, statically linked but for libc (and vmx-cases, a test's)
	@$(LAB)/swift-release

programs: setup ## guests, test_misc and the checks written in C
	@$(MAKE) -s -C test_misc all

kmod: setup ## build/kmod-KERNEL/likex.ko for 6.1 and 6.12, and a test's module; any warning is an error
	@for kernel in $(or $(KERNEL),6.1 6.12); do $(LAB)/kmod build $$kernel || exit; $(LAB)/kmod build $$kernel test_misc/vmx_cases || exit; done

sparse: setup ## the module's sources through sparse
	@for kernel in $(or $(KERNEL),6.1 6.12); do $(LAB)/kmod sparse $$kernel || exit; $(LAB)/kmod sparse $$kernel test_misc/vmx_cases || exit; done

lab: setup ## run a script in the emulated machine, see below
	@[ -n "$(SCRIPT)" ] || { echo "make lab: which script? SCRIPT=FILE; 'make help' tells the rest" >&2; exit 2; }
	@$(LAB)/lab $(lab_options) --kernel-args='$(KERNEL_ARGS)' '$(SCRIPT)'

run: setup ## the test VM on stock /dev/kvm and on /dev/rust_kvm in the emulated machine, side by side
ifeq ($(DEVICE),host)
	@$(LAB)/run-host
else ifneq ($(DEVICE),)
	@echo "make run: DEVICE=$(DEVICE) is unknown; leave it out for the emulated machine, or DEVICE=host for this one" >&2; exit 2
else
	@$(LAB)/run-lab $(lab_options)
endif

test: setup ## everything that must pass: Swift, the module for two kernels, sparse, the lab
	@$(LAB)/test $(ONLY)

test-boot: setup programs likex kmod ## Linux, its boot's cost, a hostile guest and QEMU on both devices, all of what `make test` does in short; KERNEL=6.12 for one
	@$(LAB)/guest-os $(KERNEL) && $(LAB)/qemu $(KERNEL)
	@for kernel in $(or $(KERNEL),6.1 6.12); do \
	    $(LAB)/lab --kernel $$kernel --cpus 2 --memory 768 --timeout 7200 --overlay build/guest-os/$$kernel \
	        --kernel-args='TURNS=0,1,2,3,4,5,6,ports,mmio MILLIONS=3000 PATIENCE=600' $(LAB)/scripts/hostile_guest.sh || exit; \
	    $(LAB)/lab --kernel $$kernel --cpus 2 --memory 768 --timeout 5000 --overlay build/guest-os/$$kernel \
	        --kernel-args='DISK_MIB=64 PINGS=1000 NET_MIB=16 VSOCK_MIB=4 MANY=16 PATIENCE=2000' $(LAB)/scripts/boot.sh || exit; \
	    $(LAB)/lab --kernel $$kernel --cpus 2 --memory 768 --timeout 2000 --overlay build/qemu/$$kernel $(LAB)/scripts/qemu.sh || exit; \
	    $(LAB)/lab --kernel $$kernel --cpus 1 --memory 768 --timeout 2000 --overlay build/qemu/$$kernel $(LAB)/scripts/boot_cost.sh || exit; \
	done

mutations: setup programs ## every deliberate fault in kmod/core is noticed by a test; ONLY='tdp.c invept' for some
	@test_misc/mutations/run $(ONLY)

coverage: setup programs ## lines of kmod/core that the tests reach, by file; less than 90 % fails
	@test_misc/core/coverage

sanitize: setup programs ## all tests of Swift with the address and undefined-behaviour sanitizers
	@test_misc/core/sanitize

bench: setup programs likex ## LiKeX beside stock KVM in the emulated machine: a table, JSON and a picture in build/bench; KERNEL=6.12 for one
	@for kernel in $(or $(KERNEL),6.1 6.12); do $(LAB)/kmod build $$kernel || exit; done
	@test_misc/bench/bench $(if $(KERNEL),--kernel $(KERNEL)) $(call lab_option,memory,MEMORY) $(call lab_option,timeout,TIMEOUT)

bench-sim: setup programs kmod likex ## emulated instructions a second: X86, Unicorn, the lab's emulator; JSON=1
	@swift build -c release --product x86-bench >&2
	@test_misc/bench/sim $(if $(JSON),--json) $(if $(RUNS),--runs $(RUNS))

fuzz: setup ## random inputs to the core, the interpreter and the simulator: MINUTES=10 together, ONLY='mmio ept', JOBS=N
	@test_misc/fuzz/fuzz $(if $(MINUTES),--minutes $(MINUTES)) $(if $(JOBS),--jobs $(JOBS)) $(ONLY)

differential: setup ## random instructions on the X86 interpreter and on Unicorn; JUDGE=native: on this processor
	@nice swift build -c release --product x86-differential >&2
	@.build/release/x86-differential $(foreach option,instructions sequences seed judge,$(call lab_option,$(option),$(shell echo $(option) | tr a-z A-Z)))

clean: ## remove what was built, but not the kernels that were fetched
	rm -rf .build $(filter-out build/lab,$(wildcard build/*)) $(filter-out build/lab/kernels,$(wildcard build/lab/*)) build/.setup

distclean: ## remove all that git does not know of build/ and .build/
	rm -rf .build build
