"""rseqbench/build/linux/sizes.py: sizes as the real tools print them, and growth as Linux's bloat-o-meter counts it."""

import shutil
import subprocess

import pytest

from rseqbench.analysis import kernel_config
from rseqbench.build.linux import sizes
from rseqbench.errors import BuildError
from rseqbench.support.attachments import KernelSizes

NM = """
0000000000000010 t helper.isra.0
0000000000000008 t helper.constprop.0
0000000000000004 t counter.12
0000000000000020 T sys_rseq
0000000000000040 d table
0000000000000080 b space
0000000000000100 r words
0000000000000001 t __pfx_sys_rseq
0000000000000001 d __addressable_x
"""
SECTIONS = """vmlinux  :
section              size      addr
.text             6291456   1000000
.data              925932   2000000
.comment               31         0
.debug_info        999999         0
Total             7000000


"""


def of(symbols, text=100, data=10):
    return KernelSizes(text, data, 0, {".text": 4096}, symbols)


def test_symbols_are_summed_by_the_name_that_stands_in_the_source():
    found = sizes.parse_symbols(NM)
    assert found == {"t helper": 24, "t counter": 4, "T sys_rseq": 32, "d table": 64, "b space": 128, "r words": 256}


def test_debugging_information_is_no_part_of_the_size():
    assert sizes.parse_sections(SECTIONS) == {".text": 6291456, ".data": 925932}


def test_growth_is_counted_by_symbol_whatever_its_section():
    before = of({"t a": 100, "t b": 50, "d c": 8, "t gone": 7, "T same": 1})
    after = of({"t a": 90, "t b": 80, "d c": 16, "T new": 5, "t same": 1})
    grown = kernel_config.growth(before, after)
    assert grown.changed == (("b", 50, 80), ("c", 8, 16), ("new", 0, 5), ("gone", 7, 0), ("a", 100, 90))
    assert (grown.added, grown.removed, grown.net) == (43, 17, 26)
    assert kernel_config.growth(before, after, kernel_config.DATA).net == 8
    assert kernel_config.growth(before, after, kernel_config.TEXT).net == 18


def test_they_come_back_as_they_were_stored(tmp_path):
    one = of({"t a": 1})
    one.save(tmp_path / "sizes.json")
    assert KernelSizes.load(tmp_path / "sizes.json") == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"text": 1, "else": 2}',
        '{"text": "1", "data": 1, "bss": 0, "sections": {}, "symbols": {}}',
        '{"text": 1, "data": 1, "bss": 0, "sections": {}, "symbols": {"t a": "1"}}',
        '{"text": 1, "data": 1, "bss": 0, "sections": [], "symbols": {}}',
    ],
)
def test_damaged_ones_are_refused_in_one_line(tmp_path, text):
    (tmp_path / "sizes.json").write_text(text)
    with pytest.raises(BuildError, match=r"sizes\.json: damaged"):
        KernelSizes.load(tmp_path / "sizes.json")


@pytest.fixture
def compiled(tmp_path):
    """Return a function that compiles C, on whose sizes the real tools are tried."""

    def make(name, source):
        (tmp_path / f"{name}.c").write_text(source)
        target = tmp_path / name
        command = ["gcc", "-Os", "-static", "-nostdlib", "-Wl,-e,start", "-o", str(target), f"{target}.c"]
        subprocess.run(command, check=True)
        return target

    return make


def test_the_real_tools_agree_on_what_a_function_adds(compiled):
    one = compiled("one", "int table[4] = {1}; void start(void) { for (;;) ; }")
    other = compiled(
        "other", "int table[9] = {1}; int more(int x) { return x * table[x]; } void start(void) { for (;;) ; }"
    )
    a, b = (sizes.measure_sizes(path, "") for path in (one, other))
    grown = kernel_config.growth(a, b)
    assert {name for name, *_ in grown.changed} == {"table", "more"}
    assert ("table", 16, 36) in grown.changed
    assert b.text > a.text
    assert b.sections[".data"] - a.sections[".data"] >= 20
    bare = subprocess.run(["nm", "--size-sort", other], capture_output=True, text=True, check=True).stdout
    assert dict(b.symbols)["T more"] == int(next(line for line in bare.splitlines() if "more" in line).split()[0], 16)


def test_what_is_no_program_is_refused(tmp_path):
    (tmp_path / "vmlinux").write_text("text")
    with pytest.raises(BuildError, match=r"size cannot read .*vmlinux"):
        sizes.measure_sizes(tmp_path / "vmlinux", "")


def test_without_the_tools_of_an_architecture_their_package_is_named(tmp_path):
    assert shutil.which("riscv7-size") is None
    with pytest.raises(BuildError, match=r"no riscv7-size here.*binutils"):
        sizes.measure_sizes(tmp_path, "riscv7-")
