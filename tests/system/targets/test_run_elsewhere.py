"""`rseqbench run` on other architectures and other machines, as a user meets it."""

import json
import os
import re
import signal
from pathlib import Path

import pytest

from rseqbench.build import architectures
from rseqbench.store.runs import Store
from tests.support.commands import processes_with, rseqbench, temporary
from tests.support.requirements import some_rseq
from tests.support.runs import Started, header_of, rows_of, unfinished_rounds
from tests.support.sshd import eventually

WHAT = ("counter", "cpu_id")
ROUNDS = 14
FAR = ("--quick", "--engine", "pyperf", "--rounds", str(ROUNDS), "--values", "3", "--label", "x", "counter/plain")
GUEST = ("run", "--arch", "arm64", "--quick", "--rounds", str(ROUNDS), "--label", "x", "counter/plain")
DIGITS = ("gross", "gross_low", "gross_high", "net", "net_low", "net_high")
COUNTED = r"same direction, [\d.]+x in instructions( without the loop)?; time not comparable"


def run(*arguments, cwd, code=0):
    done = rseqbench("run", *arguments, cwd=cwd, timeout=500)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def claims_of(folder, arch, label="x"):
    """Return verdict and reason of the claims that are about an architecture, by their names."""
    done = rseqbench("claims", label, "--format", "json", cwd=folder)
    return {c["claim"]: (c["verdict"], c["reason"]) for c in json.loads(done.stdout)["claims"] if c["arch"] == arch}


def guests(folder):
    """Return the qemus that a command in `folder` has started."""
    return [p for p in processes_with(f"RSEQBENCH_TEST_RUN={folder}\0") if comm(p).startswith("qemu-system")]


def comm(process):
    try:
        return Path(f"/proc/{process}/comm").read_text()
    except OSError:  # it ended meanwhile
        return ""


def completed(folder):
    """Take the run up again; every round of it must then be there once."""
    run("--resume", "x", cwd=folder)
    runs = Store(folder / "results").load("x").suite.get_benchmark("counter/plain").get_runs()
    assert [one.get_metadata()["round"] for one in runs] == list(range(ROUNDS))


# ---- whole machines, emulated ----


@pytest.fixture(scope="module")
def arm32(tmp_path_factory):
    """Return the folder of two runs, x and y, that a user has typed one after the other; y has easy checks."""
    folder = tmp_path_factory.mktemp("arm32")
    easy = tmp_path_factory.mktemp("easy") / "bench.toml"
    easy.write_text("[check]\nthreads_per_cpu = 1\ndisturbances = 1\noperations = 100_000\n")
    what = ("run", "--arch", "arm32", "--quick", "--rounds", "6", *WHAT, "linux/yield", "--label")
    for how in ((*what, "x"), ("--config-file", str(easy), *what, "y")):
        done = rseqbench(*how, cwd=folder, timeout=500)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
class TestArm32:
    def test_two_runs_have_the_same_digits(self, arm32):
        one, other = (
            {row["benchmark"]: [row[name] for name in DIGITS] for row in rows_of(arm32, label)} for label in "xy"
        )
        assert one == other
        assert float(one["counter/rseq"][0]) < float(one["counter/getcpu_atomic"][0]) / 5

    def test_an_operation_of_700_instructions_is_counted_in_every_round(self, arm32):
        for label in "xy":
            (yielded,) = (row for row in rows_of(arm32, label) if row["benchmark"] == "linux/yield")
            assert (yielded["gross_low"], yielded["reason"]) == (yielded["gross_high"], "")
            assert not [note for note in header_of(arm32, label)["notes"] if "void" in note]

    def test_every_row_counts_instructions_or_says_why_not(self, arm32):
        rows = {row["benchmark"]: row for row in rows_of(arm32)}
        measured = {name: row for name, row in rows.items() if row["gross"]}
        assert {"counter/rseq", "counter/getcpu_atomic", "cpu_id/rseq", "cpu_id/sched_getcpu_norseq"} <= set(measured)
        kinds = {(row["unit"], row["timing"], row["engine"]) for row in measured.values()}
        assert kinds == {("instructions/op", "emulated", "counted")}
        assert {row["check"] for row in measured.values()} <= {"exact", "exact, short", "trivial"}
        assert measured["counter/rseq"]["registration"] == "glibc"
        assert measured["cpu_id/sched_getcpu_norseq"]["registration"] == "none"
        assert all(row["reason"] for name, row in rows.items() if name not in measured)

    def test_checks_met_aborts(self, arm32):
        checks = {check["benchmark"]: check for check in header_of(arm32)["checks"]}
        assert checks["counter/rseq"]["aborts"] > 0
        assert checks["counter/rseq"]["threads"] == 8, "four for each of two CPUs"

    def test_no_claim_of_arm_is_reproduced_by_instructions(self, arm32):
        claims = claims_of(arm32, "arm32")
        measured = {name: claims[name] for name in ("counter-arm32", "getcpu-arm32")}
        assert {verdict for verdict, _ in measured.values()} == {"not comparable"}
        assert all(re.search(COUNTED, reason) for _, reason in measured.values()), measured
        assert {verdict for verdict, _ in claims.values()} <= {"not comparable", "not measured"}

    def test_the_header_names_the_machine_that_was_imagined(self, arm32):
        facts = header_of(arm32)["machines"][0]["facts"]
        assert facts["emulator"].startswith("qemu-system-arm ")
        assert (facts["linux_image"], facts["check_cpus"], facts["config_rseq"]) == ("debian", 2, "y")
        assert facts["linux_package"].startswith("linux-image-")


@pytest.mark.slow
def test_arm64_and_several_threads_are_skips_that_say_why(tmp_path):
    before = temporary()
    what = ("--arch", "arm64", "--quick", "--rounds", "6", "--threads", "1,2", *WHAT, "--label", "x")
    done = run(*what, cwd=tmp_path)
    rows = {(row["benchmark"], row["threads"]): row for row in rows_of(tmp_path)}
    assert float(rows["counter/rseq", "1"]["gross"]) < float(rows["counter/getcpu_atomic", "1"]["gross"]) / 5
    assert rows["counter/rseq", "1"]["check"] in ("exact", "exact, short")
    assert rows["counter/rseq", "2"]["gross"] == ""
    assert "the instructions of one thread" in rows["counter/rseq", "2"]["reason"]
    assert "the instructions of one thread" in " ".join(done.stdout.split())
    assert temporary() == before


@pytest.mark.slow
def test_check_and_list_go_to_a_guest_too(tmp_path):
    done = rseqbench("check", "--arch", "arm32", "counter/rseq", "counter/plain", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^counter/rseq +exact ", done.stdout, re.MULTILINE), done.stdout
    done = rseqbench("list", "--arch", "arm32", "--format", "json", cwd=tmp_path)
    found = {one["name"]: one["unavailable"] for one in json.loads(done.stdout)}
    assert found["counter/rseq"] == ""
    assert found["cpu_id/lsl"] == "x86 only"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_a_guest_leaves_no_qemu_and_resume_completes_it(tmp_path, number):
    before = temporary()
    started = Started(tmp_path, *GUEST, until="round 2 of")
    assert len(guests(tmp_path)) == 1, "the guest that checks is off while the other one counts"
    os.killpg(started.process.pid, number)
    code, err = started.end()
    assert code == 130, err
    assert started.left() == []
    assert temporary() == before
    assert len(unfinished_rounds(tmp_path)) >= 2
    assert "rseqbench run --resume x" in err.splitlines()[-1]
    if number == signal.SIGINT:
        completed(tmp_path)


@pytest.mark.slow
def test_an_interrupt_while_a_guest_boots_leaves_nothing(tmp_path):
    before = temporary()
    started = Started(tmp_path, *GUEST)
    assert eventually(lambda: guests(tmp_path), 120)
    os.killpg(started.process.pid, signal.SIGINT)
    code, err = started.end()
    assert code == 130
    assert err.splitlines()[-1] == "rseqbench: interrupted"
    assert started.left() == []
    assert temporary() == before
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_a_guest_that_dies_is_booted_again_and_its_round_is_void(tmp_path):
    started = Started(tmp_path, *GUEST, until="round 2 of")
    for process in guests(tmp_path):
        os.kill(process, signal.SIGKILL)
    code, err = started.end()
    assert code == 0, err
    notes = header_of(tmp_path)["notes"]
    assert any(re.search(r"void in \d of 14 rounds: the arm64 guest stopped.*SIGKILL", note) for note in notes), notes


# ---- single programs, emulated ----


@pytest.mark.slow
def test_under_qemu_user_rseq_is_missing_and_every_row_says_who_has_it(tmp_path):
    what = ("--arch", "arm32", "--target", "qemu-user", "--quick", "--rounds", "2", *WHAT, "--label", "x")
    run(*what, cwd=tmp_path)
    rows = {row["benchmark"]: row for row in rows_of(tmp_path)}
    for name in ("counter/rseq", "cpu_id/rseq", "cpu_id/rseq_lazy", "cpu_id/sched_getcpu"):
        assert rows[name]["gross"] == ""
        assert "ENOSYS" in rows[name]["reason"]
        assert rows[name]["reason"].endswith("--target qemu-system has one")
    for name in ("counter/plain", "counter/getcpu_atomic", "cpu_id/baseline", "cpu_id/sched_getcpu_norseq"):
        assert float(rows[name]["gross"]) > 1
        assert (rows[name]["unit"], rows[name]["engine"]) == ("user instructions/op", "counted")
    assert "qemu-system" not in rows["cpu_id/lsl"]["reason"]


# ---- another machine, over ssh ----


def far(server, *arguments):
    return ("--target", f"ssh:{server.destination}", *arguments)


@pytest.mark.slow
@some_rseq
def test_over_ssh_time_is_real_and_so_are_the_verdicts(sshd, tmp_path):
    server, before = sshd(), temporary()
    done = rseqbench("run", *far(server, "--quick", "--rounds", "6", *WHAT, "--label", "x"), cwd=tmp_path)
    assert eventually(lambda: server.left() == [])
    assert temporary() == before
    if done.returncode and "contended" in done.stderr:
        pytest.skip("this machine is too busy for the gated engine")
    assert done.returncode == 0, done.stderr
    header = header_of(tmp_path)
    assert header["plan"]["engine"] == "gated"
    assert header["machines"][0]["target"] == f"ssh:{server.destination}"
    assert header["machines"][0]["timing"] in ("hardware", "virtual")
    rows = {row["benchmark"]: row for row in rows_of(tmp_path)}
    assert {rows[name]["unit"] for name in ("counter/rseq", "counter/plain")} == {"ns/op"}
    mine = claims_of(tmp_path, architectures.host().name)
    if "counter-x86_64" in mine:
        assert mine["counter-x86_64"][0] not in ("not comparable", "not measured")

    run("--quick", "--engine", "pyperf", "--rounds", "6", "--values", "2", "counter", "--label", "y", cwd=tmp_path)
    compared = rseqbench("compare", "x", "y", "--format", "json", cwd=tmp_path)
    assert compared.returncode == 0, compared.stderr
    assert "counter/rseq" in compared.stdout


def test_a_connection_that_is_lost_is_made_again_and_its_round_is_void(sshd, tmp_path):
    server = sshd()
    started = Started(tmp_path, "run", *far(server, *FAR), until="round 2 of")
    server.disconnect()
    code, err = started.end()
    assert code == 0, err
    assert eventually(lambda: server.left() == [])
    assert any(re.search(r"void in \d of 14 rounds: .*", note) for note in header_of(tmp_path)["notes"])


def test_a_machine_that_is_lost_keeps_the_rounds_and_resume_completes_them(sshd, tmp_path):
    server, before = sshd(), temporary()
    started = Started(tmp_path, "run", *far(server, *FAR), until="round 2 of")
    server.cut()
    code, err = started.end()
    assert code == 1, err
    assert "Traceback" not in err
    *_, why, how = err.splitlines()
    assert f"{server.destination} refuses connections" in why
    kept = unfinished_rounds(tmp_path)
    assert len(kept) >= 2
    assert how == f"rseqbench: failed with {len(kept)} of {ROUNDS} rounds done and kept; rseqbench run --resume x"
    assert started.left() == []
    assert temporary() == before
    assert eventually(lambda: server.left() == []), "the other side removes it by itself"
    server.again()
    completed(tmp_path)


def test_an_interrupt_over_ssh_leaves_nothing_there_and_resume_completes_it(sshd, tmp_path):
    server, before = sshd(), temporary()
    started = Started(tmp_path, "run", *far(server, *FAR), until="round 2 of")
    assert server.left()
    os.killpg(started.process.pid, signal.SIGINT)
    code, err = started.end()
    assert code == 130, err
    assert started.left() == []
    assert temporary() == before
    assert eventually(lambda: server.left() == [] and server.sessions() == [])
    assert len(unfinished_rounds(tmp_path)) >= 2
    completed(tmp_path)


# ---- this machine by way of the runner ----


def test_the_runner_here_agrees_with_native_in_what_is_there(tmp_path):
    listed = [
        json.loads(rseqbench("list", "--target", target, "--format", "json", cwd=tmp_path).stdout)
        for target in ("native", "runner")
    ]
    native, runner = ({one["name"]: one for one in each} for each in listed)
    executes = native.pop("linux/fork_exec_exit")
    assert "--target runner" in executes["unavailable"]
    assert runner.pop("linux/fork_exec_exit")["unavailable"] == ""
    assert native == runner
