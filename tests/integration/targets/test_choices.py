"""What "auto" means and what is refused: engines.chosen(), target choice in resolve.py."""

import platform

import pytest

from rseqbench.build import architectures
from rseqbench.build.cache import Built
from rseqbench.errors import UsageError
from rseqbench.measure import engines
from rseqbench.targets import resolve
from tests.support.guests import static
from tests.support.requirements import resolved


@pytest.mark.parametrize(
    ("name", "emulated", "found"),
    [
        ("auto", False, ["gated"]),
        ("both", False, ["gated", "pyperf"]),
        ("pyperf", False, ["pyperf"]),
        ("gated", False, ["gated"]),
        ("auto", True, ["counted"]),
        ("both", True, ["counted"]),
        ("counted", True, ["counted"]),
    ],
)
def test_engines_that_can_measure(name, emulated, found):
    assert engines.choose_engines(name, emulated) == found


@pytest.mark.parametrize(
    ("name", "emulated", "words"),
    [
        ("gated", True, "engine gated cannot measure on this target: time is emulated there, which is no time; "),
        ("pyperf", True, "engine pyperf cannot measure on this target: time is emulated there, which is no time; "),
        ("counted", False, "engine counted cannot measure on this target: time is real there, so nothing counts; "),
        ("steam", True, "unknown engine 'steam'; "),
        ("", False, "unknown engine ''; "),
    ],
)
def test_engines_that_cannot(name, emulated, words):
    with pytest.raises(UsageError) as caught:
        engines.choose_engines(name, emulated)
    assert str(caught.value).startswith(words)
    hint = str(caught.value).removeprefix(words)
    assert hint.startswith("there is: ") or hint == f"--engine {'counted' if emulated else 'gated'}"


@pytest.mark.parametrize("target", ["native", "ssh:pi@board", "qemu-user", "runner"])
def test_a_target_that_is_named_is_taken(target):
    for arch in architectures.known().values():
        assert resolve.resolve_target(arch, target) == target


def test_auto_is_this_machine_where_it_runs_the_code(monkeypatch):
    for machine, names in (
        ("x86_64", {"x86_64": "native", "arm32": "qemu-system", "arm64": "qemu-system"}),
        ("armv7l", {"x86_64": "qemu-system", "arm32": "native", "arm64": "qemu-system"}),
    ):
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        assert {name: resolve.resolve_target(arch, "auto") for name, arch in architectures.known().items()} == names


def on_aarch64(monkeypatch, answer, tmp_path):
    """Resolve arm32 on an imagined 64-bit ARM, whose answer to the runner is a program's."""
    source = tmp_path / "answer.c"
    source.write_text(f"int main(void) {{ {answer} }}\n")
    program = static("host", source, tmp_path)
    arm32 = architectures.named("arm32")
    assert arm32.compat == ("aarch64",)
    monkeypatch.setattr(resolve.products, "runner", lambda arch: Built(program, "", "", ""))
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    return resolve.resolve_target(arm32, "auto")


def test_auto_on_a_64_bit_arm_that_runs_32_bit_code_is_the_runner(monkeypatch, tmp_path):
    assert on_aarch64(monkeypatch, "return 0;", tmp_path) == "runner"


@pytest.mark.parametrize("answer", ["return 1;", "__builtin_trap();"])
def test_auto_on_a_64_bit_arm_that_does_not_is_emulation(monkeypatch, tmp_path, answer):
    assert on_aarch64(monkeypatch, answer, tmp_path) == "qemu-system"


def test_auto_on_a_64_bit_arm_that_cannot_execute_it_at_all_is_emulation(monkeypatch, tmp_path):
    junk = tmp_path / "junk"
    junk.write_bytes(b"\x7fELF and nothing more")
    junk.chmod(0o700)
    monkeypatch.setattr(resolve.products, "runner", lambda arch: Built(junk, "", "", ""))
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert resolve.resolve_target(architectures.named("arm32"), "auto") == "qemu-system"


@pytest.mark.parametrize(
    ("target", "emulated", "boots"),
    [
        ("native", False, False),
        ("runner", False, False),
        ("ssh:pi@board:22", False, False),
        ("qemu-user", True, False),
        ("qemu-system", True, True),
    ],
)
def test_kinds(target, emulated, boots):
    assert (resolve.target_kind(target).emulated, resolve.target_kind(target).boots) == (emulated, boots)


@pytest.mark.parametrize("target", ["mars", "", "auto", "ssh@host", "qemu", "native:board", "qemu-system:"])
def test_there_is_no_kind_of_another_name(target):
    with pytest.raises(UsageError, match=f"^unknown target '{target}'"):
        resolve.target_kind(target)


@pytest.mark.parametrize("kind", [name for name, kind in resolve.TARGETS.items() if not kind.boots])
def test_a_linux_to_boot_is_refused_where_nothing_boots_it(kind):
    target = "ssh:board" if kind == "ssh" else kind
    with pytest.raises(UsageError, match=rf"^target {target} boots no Linux, and zImage was given to boot; --linux"):
        resolved(target=target, linux="zImage")


def test_a_linux_to_boot_is_taken_where_it_is_booted():
    options = resolved(arch="arm32", target="qemu-system", linux="zImage")
    assert resolve.create_target(options).arch == "arm32"
