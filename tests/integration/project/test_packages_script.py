"""scripts/packages: it says what it will install before it does, and stops with the command when it may not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/packages"
TOOLS = ("bash", "cat", "env")  # all that the script itself calls, beside what a test puts there
OWN = f"""case "$*" in
*"%d"*) echo 3.11 ;;
-) echo python3 ;;
*Python.h*) test -e {{root}}/python3-dev ;;
*ensurepip*) test -e {{root}}/python3-venv ;;
*) exec "{sys.executable}" "$@" ;;
esac"""
INSTALL = """case "$1" in
install) shift; for name; do case $name in -*) ;; *) : >"{root}/$name" ;; esac; done ;;
esac
echo "apt-get $*" >>{root}/log
{link}"""
COMPILER = "test -e {root}/libc6-dev"


@pytest.fixture
def machine(tmp_path):
    """Return a machine whose PATH holds only what `put` writes: Debian's own Python, and an apt-get that installs."""
    root = tmp_path / "machine"
    (root / "bin").mkdir(parents=True)

    def put(name, body):
        path = root / "bin" / name
        path.write_text("#!/bin/bash\n" + body.replace("{root}", str(root)) + "\n")
        path.chmod(0o755)

    def run(purpose="run", **env):
        return subprocess.run(
            [SCRIPT, purpose],
            env={"PATH": str(root / "bin"), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    for tool in TOOLS:
        (root / "bin" / tool).symlink_to(str(shutil.which(tool)))
    put("python3", OWN)
    put("dpkg", "true")
    put("id", "echo 0")
    put("gcc.real", COMPILER)
    put(
        "apt-get",
        INSTALL.replace("{link}", f"test ! -e {root}/gcc || {shutil.which('cp')} {root}/bin/gcc.real {root}/bin/gcc"),
    )
    run.put, run.root = put, root
    return run


def log(machine):
    path = machine.root / "log"
    return path.read_text().splitlines() if path.exists() else []


def test_root_installs_what_is_missing_and_says_so_first(machine):
    done = machine()
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == (
        "installing python3-dev python3-venv gcc libc6-dev: apt-get update && env DEBIAN_FRONTEND=noninteractive "
        "apt-get install -y --no-install-recommends python3-dev python3-venv gcc libc6-dev"
    )
    assert len(log(machine)) == 2


def test_the_second_time_there_is_nothing_to_do(machine):
    assert machine().returncode == 0
    before = log(machine)
    again = machine()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert log(machine) == before


def test_a_user_with_sudo_installs_through_it(machine):
    machine.put("id", "echo 1000")
    machine.put("sudo", 'if [ "$1" = -n ]; then exit 0; fi; echo "sudo $*" >>{root}/log; exec "$@"')
    done = machine()
    assert done.returncode == 0, done.stderr
    assert "sudo apt-get update && sudo env DEBIAN_FRONTEND=noninteractive apt-get install" in done.stdout
    assert log(machine)[0] == "sudo apt-get update"


@pytest.mark.parametrize("sudo", [None, "exit 1"], ids=["no sudo", "sudo wants a password"])
def test_a_user_without_sudo_is_given_the_command(machine, sudo):
    machine.put("id", "echo 1000")
    if sudo:
        machine.put("sudo", sudo)
    done = machine()
    assert done.returncode == 1
    assert done.stderr == (
        "packages: missing: python3-dev python3-venv gcc libc6-dev; as root, run: apt-get update && "
        "apt-get install -y --no-install-recommends python3-dev python3-venv gcc libc6-dev\n"
    )
    assert log(machine) == []


def test_the_tests_need_more(machine):
    machine.put("id", "echo 1000")
    done = machine("test")
    for package in (
        "gcc-arm-linux-gnueabihf",
        "gcc-aarch64-linux-gnu",
        "libc6-dev-armhf-cross",
        "libc6-dev-arm64-cross",
        "clang-format",
        "chromium",
        "qemu-user",
        "qemu-system-arm",
        "qemu-system-x86",
        "openssh-client",
        "make",
        "flex",
        "gdb",
        "bison",
        "bc",
        "xz-utils",
        "libelf-dev",
    ):
        assert f" {package} " in done.stderr.replace("\n", " ").replace(";", " ")


def test_an_installation_that_did_not_help_is_an_error(machine):
    machine.put("apt-get", "true")
    done = machine()
    assert done.returncode == 1
    assert "still missing after the installation: python3-dev" in done.stderr


def test_a_python_that_is_not_debians_cannot_be_completed_by_a_package(machine):
    machine.put("python3", OWN.replace("echo python3", "true"))
    done = machine()
    assert done.returncode == 1
    assert "has no Python.h" in done.stderr
    assert log(machine) == []


def test_without_apt_the_names_are_given(machine):
    (machine.root / "bin/apt-get").unlink()
    done = machine()
    assert done.returncode == 1
    assert "install them and try again" in done.stderr


def test_an_old_python_is_one_line(machine):
    machine.put("python3", 'case "$*" in *"%d"*) echo 3.10 ;; *) exit 1 ;; esac')
    done = machine()
    assert done.returncode == 1
    assert done.stderr == (
        "packages: python3 is Python 3.10, rseqbench needs 3.11 or newer: name a newer one with PYTHON=\n"
    )


def test_a_missing_python_is_one_line(machine):
    done = machine(PYTHON="nothing")
    assert done.returncode == 1
    assert done.stderr == "packages: no nothing here: install Python 3.11 or newer, or name one with PYTHON=\n"


def test_an_unknown_purpose_is_refused(machine):
    done = machine("all")
    assert (done.returncode, done.stderr) == (1, "packages: usage: scripts/packages run|test\n")
