"""The runner, built with the compiler's sanitizers, under requests that nobody in his right mind would send."""

import re
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rseqbench import paths
from rseqbench.build import architectures, cache
from rseqbench.errors import TargetError
from rseqbench.targets.runner import protocol
from rseqbench.targets.runner.line_channel import LineChannel
from tests.support.runners import serving

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")  # not to be had in a static program
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0"}  # a process that has answered frees nothing
BROKEN = re.compile(r"killed by|exited with|without an answer|Sanitizer|runtime error")
LAST = 99

NUMBERS = st.sampled_from(["0", "1", "2", "3", "1000", "8191", "8192", "999999999999999999", "1000000000000000000"])
ODD = st.sampled_from(
    ["", "-1", "+1", "1e3", "0x10", "%31", "%", "%4", "%zz", "%00", "x" * 300, "%41" * 2000, "=", "a=b"]
)
ATOMS = NUMBERS | ODD | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8)
LISTS = st.lists(ATOMS, max_size=4).map(",".join) | st.integers(0, 1100).map(lambda n: ",".join("1" * n))
NAMES = ["kernel", "kernels", "threads", "loops", "wanted", "stress", "repeat", "cpus", "chunk_ns", "path", "pattern"]
KEYS = st.sampled_from([*NAMES, "registration"])
# A kernel that exists would be run as often as asked, so none does, but in short gated rounds.
KERNELS = st.sampled_from(["counter/absent", "", "%2F", "x" * 300])
PATHS = st.sampled_from(
    ["/", "/proc/self/stat", "/proc/*/stat", "/etc/[", "/*/*", "/[a-z]*/*s", "//", "/dev/null", "/\\"]
)
GATES = st.builds(
    lambda kernels, threads, wanted, loops, capacity, cpus: (
        f"gate kernels={kernels} threads={threads} wanted={wanted} loops={loops} fastest=0 limit_ms=20 seed=0"
        f" capacity={capacity} cpus={cpus}"
    ),
    st.lists(st.sampled_from(["counter/plain", "cpu_id/baseline", "x"]), max_size=3).map(",".join),
    st.lists(st.sampled_from(["1", "2"]), max_size=3).map(",".join),
    st.lists(st.sampled_from(["1", "9"]), max_size=3).map(",".join),
    st.lists(st.sampled_from(["1", "1000"]), max_size=3).map(",".join),
    st.sampled_from(["0", "1", "3", "1000000"]),
    NUMBERS,
)


def _pair(key, value, kernel, path):
    value = kernel if key.startswith("kernel") else path if key in ("path", "pattern") else value
    return f"{key}={value}"


PAIRS = st.builds(_pair, KEYS, LISTS, KERNELS, PATHS) | ATOMS
VERBS = st.sampled_from(["hello", "list", "check", "time", "calibrate", "read", "glob", "dance"]) | ATOMS
ASKED = st.builds(lambda verb, pairs: " ".join([verb, *pairs]), VERBS, st.lists(PAIRS, max_size=12))
BEGINS = st.sampled_from(["rseqbench/1 7 ", "rseqbench/1 07 ", "rseqbench/1 ", "rseqbench/2 7 ", "", " "])
REQUESTS = st.builds(lambda begin, rest: (begin + rest).encode(), BEGINS, ASKED | GATES) | st.binary(max_size=100)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    arch, root = architectures.host(), paths.kernels()
    path = tmp_path_factory.mktemp("sanitized") / "runner"
    compiler = next(filter(None, map(shutil.which, arch.compilers)))
    folders = ("common", "core", "src", "runner")
    sources = [source for folder in folders for source in sorted((root / folder).glob("*.c"))]
    command = [compiler, *cache.CFLAGS, *arch.cflags, *SANITIZERS, *cache.includes(arch), "-o", path, *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot find" in done.stderr:
        pytest.skip("this compiler comes without the libraries of its sanitizers")
    assert not done.returncode, done.stderr
    return path


@pytest.fixture(scope="module")
def sanitized(program):
    with serving(program, environment=ENVIRONMENT) as process:
        yield LineChannel(process.stdout.fileno(), process.stdin.fileno(), "the runner")


def replies(lines, request):
    """Send what may be one request, several or none, and then one more; return the replies to all before that one."""
    lines.send(request)
    lines.send(b"rseqbench/1 %d dance" % LAST)
    found = []
    while True:
        line = lines.read_line(60.0)
        found.append(line)
        if line.startswith(b"rseqbench/1 %d " % LAST):
            return found[:-1]


@given(REQUESTS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_it_answers_and_lives(sanitized, request_line):
    for line in replies(sanitized, request_line):
        number = int(line.split(b" ")[1])
        try:
            protocol.decode(line, number)
        except TargetError as error:
            assert not isinstance(error, protocol.ProtocolError), line
            assert not BROKEN.search(error.message), error.message


def test_the_sanitizers_are_there(program):
    """Or the test above proves less than it seems to."""
    assert b"__asan_init" in program.read_bytes()
    assert b"__ubsan_handle" in program.read_bytes()


@pytest.mark.parametrize("length", [65534, 65535, 65536, 65537, 131071, 131072, 131073, 200000])
def test_a_line_of_any_length_is_one_request(sanitized, length):
    (reply,) = replies(sanitized, b"rseqbench/1 7 read path=/".ljust(length, b"x"))
    message = "File name too long" if length < 65536 else "a request of more than 65535 bytes"
    with pytest.raises(TargetError, match=message):
        protocol.decode(reply, 7)
