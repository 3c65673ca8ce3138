"""rseqbench/build/linux/kvm.py: KVM is believed when it has booted, and only then."""

import os
import sys

import pytest

from rseqbench.build import architectures
from rseqbench.build.linux import kvm

FOREIGN = "arm32" if architectures.host().name != "arm32" else "x86_64"


@pytest.fixture
def qemu(tmp_path, monkeypatch):
    """Return a function that puts a qemu in place of the real one: a script that ends as told."""
    monkeypatch.setattr(kvm, "DEVICE", str(tmp_path / "kvm"))
    (tmp_path / "kvm").touch()
    monkeypatch.setattr(kvm, "_LIMIT_S", 1.0)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    kvm.find_kvm_problem.cache_clear()

    def make(script):
        program = tmp_path / architectures.host().qemu.system
        program.write_text(f"#!{sys.executable}\n{script}\n")
        program.chmod(0o755)
        return kvm.find_kvm_problem(architectures.host(), tmp_path / "image")

    yield make
    kvm.find_kvm_problem.cache_clear()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("pass", ""),
        ("import os; os.abort()", "qemu ended with SIGABRT: "),
        ("import sys; sys.exit('failed to set MSR 0x10a')", "qemu ended with exit code 1: failed to set MSR 0x10a"),
        ("import time; time.sleep(60)", "Linux hung under KVM for 1 s"),
    ],
)
def test_only_a_linux_that_booted_proves_it(qemu, script, why):
    assert qemu(script) == why


def test_the_very_image_is_booted(qemu, tmp_path):
    says = "import sys; i = sys.argv.index('-kernel'); sys.exit(0 if sys.argv[i + 1].endswith('/image') else 3)"
    assert qemu(says) == ""


def test_without_the_device_nothing_is_started(qemu, tmp_path):
    (tmp_path / "kvm").unlink()
    assert "is not there" in qemu("raise SystemExit(9)")


def test_a_foreign_architecture_has_none(tmp_path):
    assert "not this machine's architecture" in kvm.find_kvm_problem(architectures.named(FOREIGN), tmp_path)
