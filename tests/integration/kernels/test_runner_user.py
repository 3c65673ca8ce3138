"""The runner of every architecture, once per process: natively where this machine can, else under qemu-user."""

import shutil
import subprocess

import pytest

from rseqbench.build import architectures, products
from rseqbench.errors import BuildError, TargetError
from rseqbench.host import rseq_support
from rseqbench.targets.native import target
from rseqbench.targets.runner import protocol

VARIANTS = {
    "arm32": ("arm32", (), "qemu-arm", "arm"),
    "arm32 thumb": ("arm32", ("-mthumb",), "qemu-arm", "thumb"),
    "arm64": ("arm64", (), "qemu-aarch64", ""),
}


@pytest.fixture(scope="module", params=sorted(VARIANTS))
def variant(request):
    """Return the command that does one request, and what the program should say of its instructions."""
    name, extra, emulator, isa = VARIANTS[request.param]
    arch = architectures.named(name)
    try:
        path = products.runner(arch, extra).path
    except BuildError as error:
        if "no C compiler" not in error.message:
            raise
        pytest.skip(str(error))
    if arch.is_host:
        return (str(path), "once"), isa
    if not shutil.which(emulator):
        pytest.skip(f"no {emulator}: apt-get install qemu-user")
    return (emulator, str(path), "once"), isa


def ask(variant, verb, **arguments):
    command = [*variant[0], *protocol.encode(1, verb, **arguments).decode().split(" ")]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    assert done.stderr == b""
    return protocol.decode(done.stdout.removesuffix(b"\n"), 1)


def test_it_says_which_instructions_it_is_made_of(variant):
    hello = ask(variant, "hello")
    assert hello["isa"] == variant[1]
    assert hello["machine"] in ("armv7l", "armv8l", "aarch64")


def test_it_lists_the_same_kernels_as_this_machine_s(variant):
    worker = target.WorkerProcess(
        products.extension(architectures.host()).path, "auto", rseq_support.make_environment("auto")
    )
    worker.stop()
    assert [kernel["name"] for kernel in listed(variant)] == [kernel["name"] for kernel in worker.benchmarks]


def listed(variant):
    return protocol.decode_kernels(ask(variant, "list"))


def test_what_cannot_run_says_why(variant):
    hello = ask(variant, "hello")
    for kernel in listed(variant):
        if hello["registration"] == "none" and kernel["needs_rseq"]:
            assert "ENOSYS" in kernel["unavailable"] or "only" in kernel["unavailable"], kernel
        assert kernel["name"] != "cpu_id/baseline" or not kernel["unavailable"]
    assert "ENOSYS" in hello["reason"] or hello["registration"] != "none"


def test_what_needs_no_rseq_is_checked_timed_and_gated(variant):
    found = ask(variant, "check", kernel="counter/shared_atomic", threads=4, loops=10**5, wanted=5, stress=False)
    assert found["passed"], found
    cpu = ask(variant, "hello")["cpus"][0]
    found = ask(variant, "time", kernel="counter/plain", threads=1, loops=[1000, 10**6], repeat=2, cpus=cpu)
    assert max(found["ns"][::2]) < min(found["ns"][1::2])
    options = {"fastest": 0, "limit_ms": 5000, "seed": 1, "capacity": 20, "cpus": cpu}
    assert ask(variant, "gate", kernels="counter/plain", threads=1, wanted=1, loops=1000, **options)["chunks"]


def test_what_is_not_there_is_an_error(variant):
    if ask(variant, "hello")["registration"] != "none":
        pytest.skip("this Linux has rseq")
    with pytest.raises(TargetError, match="ENOSYS"):
        ask(variant, "hello", registration="self")
    with pytest.raises(TargetError, match="ENOSYS"):
        ask(variant, "time", kernel="counter/rseq", threads=1, loops=1, cpus=0)
