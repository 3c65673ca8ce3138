"""The process that holds the compiled benchmarks: it says hello, then serves each request in a fork.

Started by a target as `python -m rseqbench.targets.native.worker MODULE.so REGISTRATION [PRELOAD]...`, with the
environment that makes the wanted registration possible; talks JSON, one object a line, over stdin and stdout. The fork
makes every measurement a fresh process at the cost of milliseconds, and a benchmark that dies takes nobody along.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from rseqbench.support.process import die_with_parent
from rseqbench.targets.runner.protocol import describe_benchmark

# The fields of struct host_chunk, in the order in which a gated round's answer lists them.
_CHUNK = ("job", "disturbed", "before", "after", "ticks", "aborts", "instructions", "cycles", "branch_misses")


class CompiledBenchmarks:
    """The compiled benchmarks as cffi shows them."""

    def __init__(self, path: Path, registration: str) -> None:
        """Load the extension and settle the registration. Raises RuntimeError when it cannot be had."""
        name = path.name.partition(".")[0]
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise RuntimeError(f"{path} is not an extension module")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.lib: Any = module.lib
        self.ffi: Any = module.ffi
        self.raise_error(self.lib.host_start(registration.encode()))

    def hello(self) -> dict[str, Any]:
        """Return who registered rseq here, and what can be measured."""
        rseq = self.ffi.new("struct host_rseq *")
        self.lib.host_rseq(rseq)
        return {
            "registration": self.text(rseq.registration),
            "reason": self.text(rseq.reason),
            "libc_size": rseq.libc_size,
            "registered": rseq.registered,
            "feature_size": rseq.feature_size,
            "no_counters": self.text(self.lib.host_no_counters()),
            "kernels": [self._describe(number) for number in range(self.lib.host_count())],
        }

    def _describe(self, number: int) -> dict[str, Any]:
        kernel = self.ffi.new("struct host_benchmark *")
        self.lib.host_benchmark(number, kernel)
        name, doc, unavailable = map(self.text, (kernel.name, kernel.doc, kernel.unavailable))
        return describe_benchmark(name, doc, unavailable, kernel.flags)

    def number(self, name: str) -> int:
        """Return the number of the benchmark called `name`. Raises RuntimeError when there is none."""
        for number in range(self.lib.host_count()):
            if self._describe(number)["name"] == name:
                return number
        raise RuntimeError(f"no benchmark {name!r}")

    def check(self, name: str, threads: int, loops: int, wanted: int, stress: bool) -> dict[str, Any]:
        """Run one exactness check; see host_check() in kernels/core/host.h."""
        out = self.ffi.new("struct host_check *")
        error = self.text(self.lib.host_check(self.number(name), threads, loops, wanted, stress, out))
        return {
            "passed": not error,
            "message": error or self.text(out.unmet),
            "operations": out.operations,
            "aborts": out.aborts,
            "disturbances": out.disturbances,
            "threads": threads,
        }

    def time(self, name: str, threads: int, cpus: list[int]) -> TimeFunction:
        """Return the function that pyperf times."""
        return TimeFunction(self, self.number(name), threads, cpus)

    def calibrate(self, request: dict[str, Any]) -> int:
        """Return how many operations last `chunk_ns`; see host_calibrate(). Raises RuntimeError where that fails."""
        loops = self.ffi.new("uint64_t *")
        cpus = self.ffi.new("int[]", request["cpus"])
        number, threads = self.number(request["kernel"]), request["threads"]
        error = self.text(self.lib.host_calibrate(number, threads, cpus, len(cpus), request["chunk_ns"], loops))
        if error:
            raise RuntimeError(f"{request['kernel']}: {error}")
        return int(loops[0])

    def gate(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a gated round; see host_round() of kernels/core/host.h. A chunk is a list of its fields in order."""
        capacity = request["capacity"]
        each = zip(request["kernels"], *(request[key] for key in ("threads", "wanted", "loops")), strict=True)
        jobs = self.ffi.new("struct host_job[]", [(self.number(name), *rest) for name, *rest in each])
        cpus = self.ffi.new("int[]", request["cpus"])
        chunks = self.ffi.new("struct host_chunk[]", capacity)
        out = self.ffi.new("struct host_round *")
        options = [request[key] for key in ("fastest", "limit_ms", "seed")]
        self.raise_error(self.lib.host_round(jobs, len(jobs), cpus, len(cpus), *options, chunks, capacity, out))
        return {
            "chunks": [[getattr(c, field) for field in _CHUNK] for c in chunks[0 : out.chunks]],
            "ns_per_tick": out.ns_per_tick,
            **{key: int(getattr(out, key)) for key in ("waits", "fastest", "ns", "inside", "resolution")},
        }

    def raise_error(self, error: Any) -> None:
        """Raise RuntimeError with the sentence that a function returned, if any."""
        if error != self.ffi.NULL:
            raise RuntimeError(self.text(error))

    def text(self, pointer: Any) -> str:
        """Return a C string, empty for NULL."""
        return "" if pointer == self.ffi.NULL else self.ffi.string(pointer).decode(errors="replace")


class TimeFunction:
    """pyperf's time function over the cffi call; counts the aborts of all its calls."""

    def __init__(self, compiled: CompiledBenchmarks, number: int, threads: int, cpus: list[int]) -> None:
        """Take the benchmark's number, the threads that run it at once, and the CPUs to pin them to."""
        self._compiled = compiled
        self._number = number
        self._threads = threads
        self._cpus = cpus
        self.aborts = 0

    def __call__(self, loops: int) -> float:
        """Return the seconds that `loops` operations take in each thread. Raises RuntimeError if one went wrong."""
        out = self._compiled.ffi.new("struct host_time *")
        cpus = self._compiled.ffi.new("int[]", self._cpus)
        lib = self._compiled.lib
        self._compiled.raise_error(lib.host_time(self._number, self._threads, loops, cpus, len(self._cpus), out))
        self.aborts += int(out.aborts)
        return float(out.ns) * 1e-9


def measure(compiled: CompiledBenchmarks, request: dict[str, Any], registration: str) -> dict[str, Any]:
    """Let pyperf time one benchmark in this very process; return its one run, as the fields of LoopTimes.

    With `loops` 0 the run is a calibration: it finds out how many operations last `min_time`.
    """
    import pyperf  # noqa: PLC0415 - main() has it loaded already where it will be needed

    function = compiled.time(request["kernel"], request["threads"], request["cpus"])
    cpus = ",".join(map(str, request["cpus"][: request["threads"]]))
    arguments = [
        "--worker",
        "--worker-task",
        "0",
        "--quiet",
        "--affinity",
        cpus,
        "--min-time",
        str(request["min_time"]),
    ]
    arguments += ["--values", str(request["values"]), "--warmups", "1"]
    arguments += ["--loops", str(request["loops"])] if request["loops"] else ["--calibrate-loops"]
    runner = pyperf.Runner()
    runner.parse_args(arguments)
    (run,) = runner.bench_time_func(request["id"], function).get_runs()
    return {
        "loops": run.get_loops(),
        "values": run.values,
        "warmups": run.warmups,
        "aborts": function.aborts,
        "registration": registration,
        "details": run.get_metadata(),
    }


def _in_a_fork(work: Any) -> dict[str, Any]:
    """Run `work` in a child of its own and return its answer, or how it died."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        die_with_parent()
        os.close(read)
        _answer_and_exit(work, write)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"error": f"killed by {signal.Signals(os.WTERMSIG(status)).name}"}
    if os.WEXITSTATUS(status) or not text:
        return {"error": f"exited with {os.WEXITSTATUS(status)} without an answer"}
    answer: dict[str, Any] = json.loads(text)
    return answer


def _answer_and_exit(work: Any, write: int) -> NoReturn:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # pyperf prints what it finds; stdout is the protocol's
    code = 0
    try:
        answer = {"result": work()}
    except Exception as error:  # whatever it is, the parent must hear of it
        answer = {"error": str(error) or type(error).__name__}
    except SystemExit as error:
        answer = {"error": f"pyperf gave up ({error.code})"}
    try:
        with os.fdopen(write, "w", encoding="utf-8") as pipe:
            json.dump(answer, pipe)
    except OSError:
        code = 1
    os._exit(code)


def _serve(compiled: CompiledBenchmarks, request: dict[str, Any], registration: str) -> Any:
    match request["do"]:
        case "check":
            options = {key: request[key] for key in ("threads", "loops", "wanted", "stress")}
            return compiled.check(request["kernel"], **options)
        case "calibrate":
            return compiled.calibrate(request)
        case "gate":
            return compiled.gate(request)
        case "measure":
            return measure(compiled, request, registration)
        case unknown:
            raise RuntimeError(f"cannot do {unknown!r}")


def _say(answer: dict[str, Any]) -> None:
    try:
        print(json.dumps(answer), flush=True)
    except BrokenPipeError:  # whoever started us was interrupted and is gone
        os._exit(1)


def main(arguments: list[str]) -> int:
    """Serve requests from stdin until it ends."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C reaches us too; our parent decides
    try:
        compiled = CompiledBenchmarks(Path(arguments[0]), arguments[1])
        hello = compiled.hello()
    except (RuntimeError, ImportError) as error:
        _say({"error": str(error)})
        return 1
    _say({"result": hello})
    for name in arguments[2:]:
        importlib.import_module(name)  # once here instead of in every fork
    for line in sys.stdin:
        request = json.loads(line)
        answer = _in_a_fork(lambda r=request: _serve(compiled, r, hello["registration"]))
        _say(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
