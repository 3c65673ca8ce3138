"""A tree that behaves like Linux's source under make O=, and takes a second: for what is said and kept of a build."""

import os
from pathlib import Path

_KCONFIG = """
config HAVE_RSEQ
	bool

config RSEQ
	bool "rseq"
	depends on HAVE_RSEQ

config SCHED_MM_CID
	def_bool y
	depends on RSEQ

config PREEMPT
	bool "something else"
"""
# Where Linux derives its .config from what it is given, this one copies it; SCHED_MM_CID comes with RSEQ as there.
_MAKEFILE = """
kernelversion:
	@echo 6.99.0-test

allnoconfig olddefconfig:
	mkdir -p $(O)/include/config
	if [ "$@" = allnoconfig ]; then cp $(KCONFIG_ALLCONFIG) $(O)/.config; fi
	if grep -q CONFIG_RSEQ=y $(O)/.config; then echo CONFIG_SCHED_MM_CID=y >> $(O)/.config; fi
	$(DISTURB)
	echo 6.99.0-test > $(O)/include/config/kernel.release

$(O)/%.o: %.c
	@echo "  CC      $*.o"
	@$(CROSS_COMPILE)gcc -c $(if $(shell grep CONFIG_RSEQ=y $(O)/.config),-DRSEQ) -o $@ $<

vmlinux: $(O)/one.o $(O)/two.o
	@echo "  LD      vmlinux"
	@$(CROSS_COMPILE)gcc -nostdlib -static -Wl,-e,start -o $(O)/vmlinux $^

bzImage: vmlinux
	mkdir -p $(O)/arch/x86/boot
	cp $(O)/vmlinux $(O)/arch/x86/boot/bzImage
	@echo "  BUILD   bzImage"
"""
_ONE = """
void start(void) { for (;;) ; }
#ifdef RSEQ
int sys_rseq(int x) { return x * 3; }
#endif
"""


def plant(folder: Path, disturb: str = "true") -> Path:
    """Plant the tree into a folder and return it; `disturb` is a shell command that spoils its .config."""
    (folder / "init").mkdir(parents=True)
    (folder / "arch/x86").mkdir(parents=True)
    (folder / "Makefile").write_text(f"DISTURB := {disturb}\n{_MAKEFILE}")
    (folder / "Kconfig").write_text('source "init/Kconfig"\n')
    (folder / "init/Kconfig").write_text(_KCONFIG)
    (folder / "arch/x86/Kconfig").write_text("config X86\n\tdef_bool y\n\tselect HAVE_RSEQ\n")
    (folder / "one.c").write_text(_ONE)
    (folder / "two.c").write_text("int two(void) { return 2; }\n")
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))
    return folder
