"""A private apt: it downloads a Debian package of any architecture, and touches nothing of the system's apt.

It reads the system's sources, keys, proxies and passwords, and keeps its own lists, cache and status in a folder that
is thrown away. So nobody has to be root or to add a foreign architecture to the system.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rseqbench.errors import TargetError
from rseqbench.support.process import die_with_parent

# The system's hooks clear or feed the system's own cache; the lists come first because apt merges what it reads.
_SETTINGS = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
Dir::State "{folder}/state";
Dir::State::status "{folder}/state/status";
Dir::Cache "{folder}/cache";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "{timeout_s}";
Acquire::https::Timeout "{timeout_s}";
"""
# As root apt would download as the user _apt, who cannot enter a private folder.
_AS_ROOT = 'APT::Sandbox::User "root";\n'
_TIMEOUT_S = 20  # without a byte from a mirror
_LIMIT_S = 900  # for all of a download on a slow line; apt has been seen to wait for ever on a full disk
TOOLS = ("apt-get", "apt-cache", "dpkg-deb")
WITHOUT_APT = "mend that, or give a Linux of your own: --linux PATH"
_DEPENDS = re.compile(r"^Depends: (.*)$", re.MULTILINE)


class Apt:
    """apt for one architecture, working in `folder`, which its user makes and removes."""

    def __init__(self, architecture: str, folder: Path, hint: str = WITHOUT_APT) -> None:
        """Take Debian's name of the architecture, "armhf", and write the settings. Raises OSError.

        `hint` of every error says what the user can do without apt.
        """
        self._folder, self._hint = folder, hint
        self._settings = folder / "apt.conf"
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "state/status").touch()
        text = _SETTINGS.format(architecture=architecture, folder=folder, timeout_s=_TIMEOUT_S)
        self._settings.write_text(text + (_AS_ROOT if os.geteuid() == 0 else ""), encoding="utf-8")
        self._warning = ""

    def update(self) -> None:
        """Fetch the lists of packages. One that cannot be had matters only if a package is then not found."""
        done = self._run("apt-get", ["update"])
        self._warning = _first_complaint(done.stderr)

    def find_dependency(self, package: str, prefix: str) -> str:
        """Return the name of the package starting with `prefix` on which `package` depends. Raises TargetError."""
        record = self._run("apt-cache", ["show", "--no-all-versions", package])
        for depends in _DEPENDS.findall(record.stdout):
            for name in (alternative.split()[0] for alternative in depends.split(",")):
                if name.startswith(prefix):
                    return str(name)
        raise self._error(f"apt knows no package {package}", self._warning or _first_complaint(record.stderr))

    def search(self, pattern: str) -> list[str]:
        """Return the packages that can be had whose names a regular expression of apt-cache finds.

        Raises TargetError without apt.
        """
        output = self._run("apt-cache", ["search", "--names-only", pattern]).stdout
        return [line.split()[0] for line in output.splitlines() if line.strip()]

    def download(self, package: str) -> Path:
        """Download the newest version of `package` and return the .deb. Raises TargetError."""
        done = self._run("apt-get", ["download", package])
        debs = list(self._folder.glob(f"{package}_*.deb"))
        if done.returncode or not debs:
            raise self._error(f"apt cannot download {package}", _first_complaint(done.stderr) or self._warning)
        return debs[0]

    def _run(self, command: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [command, "-qq", "-c", str(self._settings), *arguments],
                cwd=self._folder,
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LIMIT_S,
                check=False,
                preexec_fn=die_with_parent,
            )
        except FileNotFoundError as error:
            raise TargetError(f"no {command} here to fetch Debian's Linux with", self._hint) from error
        except subprocess.TimeoutExpired as error:
            raise TargetError(f"{command} {arguments[0]} did not end within {_LIMIT_S} s", self._hint) from error

    def _error(self, message: str, complaint: str) -> TargetError:
        return TargetError(f"{message}: {complaint or 'it says no more'}", self._hint)


def _first_complaint(stderr: str) -> str:
    """Return apt's first error without its mark, or its first warning."""
    lines = [line for line in stderr.splitlines() if line.startswith(("E: ", "W: "))]
    return next((line[3:] for line in sorted(lines)), "").rstrip()
