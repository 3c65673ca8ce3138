"""rseqbench/build/products.py: what is compiled, when nothing is, and what is said when it cannot be."""

import os
import shutil
import stat
import subprocess
import sysconfig
from pathlib import Path

import pytest

from rseqbench import paths
from rseqbench.build import architectures, products
from rseqbench.build import cache as recipes
from rseqbench.errors import BuildError
from tests.support.compiled_objects import Library


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Begin with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rseqbench"


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """Return a copy of kernels/ that is compiled in its place."""
    copy = shutil.copytree(paths.kernels(), tmp_path / "kernels")
    monkeypatch.setenv("RSEQBENCH_KERNELS", str(copy))
    return copy


@pytest.fixture
def little(kernels, cache):
    """Return such a copy with hardly any code in it, which is compiled at once."""
    for path in [*kernels.glob("core/*.c"), *kernels.glob("src/*.c")]:
        path.unlink()
    (kernels / "core" / "one.c").write_text('#include "benchmark.h"\n/* one */ int one(void) { return 1; }\n')
    (kernels / "src" / "two.c").write_text('#include "rseq_arch.h"\n/* two */ int two(void) { return 2; }\n')
    return kernels


def library():
    return products.library(architectures.host())


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Make the compiler one that notes what it is asked; return a function that says how often it compiled."""
    real = next(filter(None, map(shutil.which, architectures.host().compilers)))
    log, script = tmp_path / "calls", tmp_path / "logging-cc"
    log.touch()
    script.write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec {real} "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CC", str(script))
    return lambda: sum("-shared" in line for line in log.read_text().splitlines())


def refused(call, *arguments):
    with pytest.raises(BuildError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return caught.value


# ---- what comes out ----


def test_the_extension_is_compiled_into_the_cache(cache, capfd):
    built = products.extension(architectures.host())
    assert built.path == cache / built.digest / "_rseqbench_kernels.abi3.so"
    assert built.path.read_bytes()[:4] == b"\x7fELF"
    assert [path.name for path in built.path.parent.iterdir()] == [built.path.name]
    assert built.compiler.splitlines() == [built.compiler]
    assert set(recipes.CFLAGS) <= set(built.cflags.split())
    assert capfd.readouterr() == ("", "")


def test_extension_and_library_hold_the_same_kernels():
    extension, library = (
        Library(make(architectures.host()).path).kernels() for make in (products.extension, products.library)
    )
    assert [kernel.name for kernel in extension] == [kernel.name for kernel in library]


def test_the_flags_that_are_recorded_name_no_folder_of_this_machine():
    built = products.extension(architectures.host())
    assert "/" not in built.cflags


def test_cffi_gets_plain_c():
    text = recipes.declarations()
    assert "#" not in text
    for function in ("host_start", "host_check", "host_time", "host_count"):
        assert f"{function}(" in text


# ---- when nothing is compiled ----


def test_a_second_extension_compiles_nothing(cache, compiler):
    first = products.extension(architectures.host())
    assert compiler() == 1
    assert products.extension(architectures.host()) == first
    assert compiler() == 1


FILES = ["src/two.c", "core/one.c", "core/host.h", "include/benchmark.h", "include/sequences.h"]


@pytest.mark.parametrize("file", FILES)
def test_one_changed_byte_compiles_again(little, compiler, file):
    first = library()
    path = little / file
    right = path.read_text()
    path.write_text(right.replace("/*", "/* ", 1))
    second = library()
    assert compiler() == 2
    assert first.digest != second.digest
    path.write_text(right)
    assert library() == first
    assert compiler() == 2


def test_a_changed_architecture_compiles_again(little, compiler):
    first = library()
    header = architectures.host().folder / "rseq_arch.h"
    header.write_text(header.read_text() + "\n")
    assert library().digest != first.digest
    assert compiler() == 2


def test_another_architecture_s_change_does_not(little, compiler):
    first = library()
    other = next(arch for arch in architectures.known().values() if not arch.is_host)
    (other.folder / "rseq_arch.h").write_text("changed")
    assert library() == first
    assert compiler() == 1


def test_a_new_file_compiles_again(little, compiler):
    first = library()
    (little / "src" / "three.c").write_text("int three(void);\n")
    assert library().digest != first.digest
    assert compiler() == 2


def test_other_flags_or_another_compiler_compile_again(little, compiler, monkeypatch):
    first = library()
    assert products.library(architectures.host(), extra=["-DNOTHING"]).digest != first.digest
    assert compiler() == 2
    monkeypatch.delenv("CC")
    assert library().digest != first.digest
    assert compiler() == 2


def test_a_build_that_fails_leaves_nothing_to_be_taken_for_one(little, cache):
    source = little / "src" / "two.c"
    right = source.read_text()
    source.write_text(right + "nonsense\n")
    refused(library)
    refused(library)
    assert not list(cache.rglob("*.so"))
    source.write_text(right)
    assert library().path.is_file()


# ---- what is said when it cannot be ----


def test_no_compiler_names_the_package(monkeypatch):
    monkeypatch.setenv("PATH", "")
    for arch in architectures.known().values():
        error = refused(products.library, arch)
        assert str(error) == f"no C compiler for {arch.name}; apt-get install {arch.package}"


def test_a_compiler_for_another_machine_is_no_compiler(tmp_path, monkeypatch):
    fake = tmp_path / "bin" / "gcc"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho m68k-linux-gnu\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent))
    monkeypatch.setenv("CC", str(fake))
    assert "no C compiler for" in str(refused(products.extension, architectures.host()))


@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 1\n", "not a program", "#!/nowhere/interpreter\n"])
def test_a_compiler_that_does_not_run_is_no_compiler(tmp_path, monkeypatch, content):
    fake = tmp_path / "bin" / "gcc"
    fake.parent.mkdir()
    fake.write_text(content)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent))
    assert "no C compiler for" in str(refused(products.library, architectures.host()))


def test_a_cc_that_cannot_compile_for_it_is_passed_over(little, monkeypatch):
    monkeypatch.setenv("CC", "/bin/true")
    assert library().path.is_file()


def test_an_error_is_told_in_the_compiler_s_own_words(kernels):
    source = kernels / "src" / "counter.c"
    source.write_text(source.read_text() + "\nint nonsense(void) { return undeclared_thing; }\n")
    error = refused(products.extension, architectures.host())
    assert error.message.startswith(f"{architectures.host().name}: ")
    assert f"{source}:" in error.message
    assert "error: " in error.message
    assert "undeclared_thing" in error.message


def test_a_missing_header_is_told_too(little):
    (little / "src" / "two.c").write_text('#include "absent.h"\n')
    assert "fatal error: absent.h" in refused(library).message


def test_an_error_of_the_linker_is_told_too(little):
    (little / "src" / "two.c").write_text("int one(void) { return 1; }\n")
    assert "multiple definition of `one'" in refused(library).message


def test_no_python_headers_name_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "nowhere"))
    assert (
        str(refused(products.extension, architectures.host()))
        == f"no Python.h in {tmp_path / 'nowhere'}; apt-get install python3-dev"
    )


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    error = refused(products.extension, architectures.host())
    assert error.message.startswith(f"cannot write {tmp_path / 'file'}")
    assert error.hint == "set XDG_CACHE_HOME"


# ---- architectures ----


def test_every_folder_is_an_architecture():
    folders = {path.parent for path in paths.kernels().glob("arch/*/rseq_arch.h")}
    assert {arch.folder for arch in architectures.known().values()} == folders
    assert set(architectures.known()) >= {"x86_64", "arm32", "arm64"}
    assert sum(arch.is_host for arch in architectures.known().values()) == 1
    assert architectures.named("host") == architectures.host()


@pytest.mark.parametrize("name", ["arm32", "arm64"])
def test_a_foreign_architecture_is_compiled_by_its_own_compiler(little, name):
    arch = architectures.named(name)
    if arch.is_host or not shutil.which(arch.compilers[0]):
        pytest.skip(f"no {arch.compilers[0]}: apt-get install {arch.package}")
    built = products.library(arch)
    header = subprocess.run(["readelf", "-h", str(built.path)], capture_output=True, text=True, check=True).stdout
    assert {"arm32": "ARM", "arm64": "AArch64"}[name] in header


def test_ops_refuse_a_compiler_of_another_architecture(little):
    """The wrong folder must not compile by chance."""
    host = architectures.host()
    for arch in architectures.known().values():
        if arch.folder == host.folder:
            continue
        (arch.folder / "rseq_arch.h").rename(host.folder / "rseq_arch.h")
        assert "#error" in refused(library).message
        return


@pytest.mark.parametrize("text", ["name = 3", "nonsense", "", 'name = "x"\ncolour = "green"\n', "\0"])
def test_a_malformed_arch_toml_is_one_line(kernels, text):
    (architectures.host().folder / "arch.toml").write_text(text)
    error = refused(architectures.known)
    assert "arch.toml: malformed" in error.message


def test_without_sources_there_is_a_line_too(tmp_path, monkeypatch):
    monkeypatch.setenv("RSEQBENCH_KERNELS", str(tmp_path / "nowhere"))
    with pytest.raises(Exception, match="unknown arch") as caught:
        architectures.named("x86_64")
    assert "\n" not in str(caught.value)


def test_the_kernels_of_this_checkout_are_compiled_unless_told_otherwise(monkeypatch):
    monkeypatch.setenv("RSEQBENCH_KERNELS", "")
    assert paths.kernels() == Path(products.__file__).resolve().parents[2] / "kernels"
    assert os.environ["RSEQBENCH_KERNELS"] == ""


def test_what_calls_a_library_is_compiled_anew_for_other_headers(tmp_path, monkeypatch):
    (tmp_path / "kernels/providers/x").mkdir(parents=True)
    (tmp_path / "kernels/providers/x/x.c").write_text("#include <shipped_x.h>\nint x(void) { return SHIPPED_X; }\n")
    shutil.copytree(paths.kernels() / "arch", tmp_path / "kernels/arch")
    shutil.copytree(paths.kernels() / "include", tmp_path / "kernels/include")
    monkeypatch.setenv("RSEQBENCH_KERNELS", str(tmp_path / "kernels"))
    monkeypatch.setenv("CPATH", str(tmp_path))
    made = []
    for version in ("1", "2", "1"):
        (tmp_path / "shipped_x.h").write_text(f"#define SHIPPED_X {version}\n")
        made.append(products.provider("x", ()).path)
    assert made[0] == made[2] != made[1]
    assert made[0].is_file()
