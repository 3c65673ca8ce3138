"""rseqbench/targets/resolve.py: which Linux a configuration is measured on, and what is refused."""

import dataclasses

import pytest

from rseqbench.build import architectures
from rseqbench.build.linux import build, kvm
from rseqbench.config import LinuxOptions
from rseqbench.errors import UsageError
from rseqbench.model import Facts
from rseqbench.support.attachments import BuiltKernel
from rseqbench.targets import resolve
from tests.support.requirements import defaults

LINUX = LinuxOptions("debian", "small")


def options(**given):
    return dataclasses.replace(defaults().run, **given)


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Pretend that both Linuxes are built; what is asked for is noted."""
    asked = []

    def built(arch, linux, rseq):
        asked.append((arch.name, linux, rseq))
        return BuiltKernel(tmp_path / rseq, arch.name, rseq, "Linux 6.12", "small", "gcc 12", "6.12.1", 0.0)

    monkeypatch.setattr(build, "find_built_kernel", built)
    return asked


@pytest.mark.parametrize(("why", "target"), [("qemu ended with SIGABRT", "qemu-system"), ("", "qemu-kvm")])
def test_a_guest_boots_what_was_built_under_kvm_where_that_works(built, tmp_path, monkeypatch, why, target):
    monkeypatch.setattr(kvm, "find_kvm_problem", lambda arch, image: why)
    found = resolve.resolve_options(options(rseq="n", boot="guest"), LINUX)
    assert (found.target, found.linux) == (target, str(tmp_path / "n"))
    assert built == [(architectures.host().name, LINUX, "n")]


def test_a_target_that_is_named_is_taken(built, monkeypatch):
    monkeypatch.setattr(kvm, "find_kvm_problem", lambda arch, image: pytest.fail("nobody asked"))
    assert resolve.resolve_options(options(rseq="y", target="qemu-system"), LINUX).target == "qemu-system"


def test_what_is_not_built_yet_is_refused_with_the_command_that_builds_it(monkeypatch):
    monkeypatch.setattr(build, "find_built_kernel", lambda arch, linux, rseq: None)
    with pytest.raises(UsageError, match=r"CONFIG_RSEQ=n is not built yet; rseqbench linux build --arch arm32"):
        resolve.resolve_options(options(arch="arm32", rseq="n"), LINUX)


@pytest.mark.parametrize(("target", "wanted"), [("auto", "runner"), ("native", "native"), ("ssh:pi", "ssh:pi")])
def test_the_running_linux_is_measured_by_the_runner_unless_told_otherwise(target, wanted):
    found = resolve.resolve_options(options(rseq="n", boot="host", target=target), LINUX)
    assert (found.target, found.linux) == (wanted, "debian")


def test_who_asks_for_nothing_gets_what_he_always_got():
    found = resolve.resolve_options(options(), LINUX)
    assert (found.arch, found.asks_arch, found.target) == (architectures.host().name, True, "native")
    assert (found.cpus, found.registration, found.rseq, found.hackbench, found.linux) == (None,) * 4 + ("debian",)
    same = {field.name for field in dataclasses.fields(found)} - {"arch", "asks_arch", "target", "engine", "cpus"}
    assert {name: getattr(found, name) for name in same - {"registration", "rseq", "hackbench"}} == {
        name: getattr(options(), name) for name in same - {"registration", "rseq", "hackbench"}
    }


def test_no_word_that_leaves_a_choice_survives():
    found = dataclasses.asdict(resolve.resolve_options(options(), LINUX))
    assert not {"auto", "any", "host"} & {value for value in found.values() if isinstance(value, str)}


REAL = Facts(config_rseq="y", rseq_reason="rseq: not registered in this process, as asked")
NONE = Facts(config_rseq="n", rseq_reason="rseq: ENOSYS: Linux without CONFIG_RSEQ, or an emulator without it")
UNKNOWN = Facts(config_rseq="unknown")


@pytest.mark.parametrize(
    ("rseq", "facts", "why"),
    [
        ("any", REAL, ""),
        ("any", Facts(), ""),
        ("y", REAL, ""),
        ("n", NONE, ""),
        ("y", UNKNOWN, ""),
        ("n", REAL, "its Linux has CONFIG_RSEQ=y, and this configuration is for n"),
        ("y", NONE, "its Linux has CONFIG_RSEQ=n, and this configuration is for y"),
        (
            "n",
            Facts(config_rseq="unknown"),
            "its rseq system call answers, and this configuration is for CONFIG_RSEQ=n",
        ),
        (
            "y",
            dataclasses.replace(NONE, config_rseq="y"),
            "its rseq system call says ENOSYS, and this configuration is for",
        ),
    ],
)
def test_a_machine_that_is_another_one_is_refused(rseq, facts, why):
    found = resolve.check_configuration(resolve.resolve_options(options(rseq=rseq, boot="host"), LINUX), facts)
    assert found.startswith(why) if why else found == ""
