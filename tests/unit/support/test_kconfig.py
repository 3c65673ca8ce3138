"""rseqbench/support/kconfig.py: what a configuration holds, and what two may differ in."""

import pytest

from rseqbench.errors import BuildError
from rseqbench.support import kconfig

N = 'CONFIG_SMP=y\n# CONFIG_RSEQ is not set\nCONFIG_NAME="a=b"\n# a comment\n'
Y = 'CONFIG_SMP=y\nCONFIG_RSEQ=y\nCONFIG_SCHED_MM_CID=y\nCONFIG_NAME="a=b"\n'
# As Linux 6.12 has it, with everything around it taken off.
KCONFIG = """
menuconfig CGROUPS
	bool "Control Group support"

config SCHED_MM_CID
	def_bool y
	depends on SMP && RSEQ

config MM_CID_DEBUG
	bool "of what comes of it"
	depends on \\
		SCHED_MM_CID

config RSEQ
	bool "Enable rseq() system call" if EXPERT
	default y
	depends on HAVE_RSEQ
	select MEMBARRIER

config DEBUG_RSEQ
	default n
	bool "Enable debugging of rseq() system call" if EXPERT
	depends on RSEQ && DEBUG_KERNEL
	help
	Depends on RSEQ in words only: config TALKED_OF

config MEMBARRIER
	bool "Enable membarrier() system call" if EXPERT

config UNRELATED
	bool "RSEQ in its prompt alone"
	depends on RSEQLIKE
"""


def test_a_configuration_is_its_options_and_those_that_are_not_set():
    assert kconfig.parse_config(N) == {"CONFIG_SMP": "y", "CONFIG_RSEQ": "n", "CONFIG_NAME": '"a=b"'}


@pytest.mark.parametrize("text", [N, Y, "CONFIG_SMP=y\n"])
@pytest.mark.parametrize("rseq", ["n", "y"])
def test_rseq_is_asked_for_once_and_all_else_stays(text, rseq):
    changed = kconfig.set_rseq(text, rseq)
    assert changed.count("CONFIG_RSEQ") == 1
    assert kconfig.parse_config(changed) == {**kconfig.parse_config(text), "CONFIG_RSEQ": rseq}


def test_what_is_absent_is_not_set():
    assert kconfig.compare_configs(N, Y) == {"CONFIG_RSEQ": ("n", "y"), "CONFIG_SCHED_MM_CID": ("n", "y")}
    assert kconfig.compare_configs("", "# CONFIG_A is not set\n") == {}


def test_what_comes_from_rseq_over_any_number_of_steps():
    wanted = {"RSEQ", "SCHED_MM_CID", "MM_CID_DEBUG", "MEMBARRIER", "DEBUG_RSEQ"}
    assert kconfig.find_dependents([KCONFIG], "RSEQ") == {f"CONFIG_{name}" for name in wanted}
    halves = KCONFIG.split("config RSEQ", 1)
    assert kconfig.find_dependents([halves[0], f"config RSEQ{halves[1]}"], "RSEQ") == kconfig.find_dependents(
        [KCONFIG], "RSEQ"
    )


@pytest.mark.parametrize(
    ("wanted", "final", "why"),
    [
        ({"CONFIG_RSEQ": "y"}, Y, ""),
        ({"CONFIG_RSEQ": "n", "CONFIG_ABSENT": "n"}, N, ""),
        ({"CONFIG_RSEQ": "y"}, N, "CONFIG_RSEQ=y was asked for, and Linux's Kconfig makes it n"),
        ({"CONFIG_NEW": "y"}, Y, "CONFIG_NEW=y was asked for, and Linux's Kconfig makes it n"),
        ({"CONFIG_NAME": '"c"'}, Y, 'CONFIG_NAME="c" was asked for, and Linux\'s Kconfig makes it "a=b"'),
    ],
)
def test_what_does_not_take_is_named(wanted, final, why):
    assert kconfig.find_refused_option(wanted, final) == why


def test_a_difference_that_comes_from_rseq_is_proved():
    related = kconfig.find_dependents([KCONFIG], "RSEQ")
    assert list(kconfig.verify_difference(N, Y, related)) == ["CONFIG_RSEQ", "CONFIG_SCHED_MM_CID"]


@pytest.mark.parametrize(
    ("n", "y", "why"),
    [
        (N, f"{Y}CONFIG_PREEMPT=y\n", "differ in CONFIG_PREEMPT, which does not come from CONFIG_RSEQ"),
        (N, f"{Y}CONFIG_A=y\nCONFIG_B=m\n", "differ in CONFIG_A and 1 more, which does not"),
        (N, N, "do not differ in CONFIG_RSEQ"),
        (Y, N, "do not differ in CONFIG_RSEQ"),
    ],
)
def test_any_other_difference_is_refused(n, y, why):
    with pytest.raises(BuildError, match=why):
        kconfig.verify_difference(n, y, kconfig.find_dependents([KCONFIG], "RSEQ"))
