"""`python -m rseqbench.targets.labgrid.daemon COORDINATOR ENVIRONMENT`: each may be empty."""

from __future__ import annotations

import os
import sys

from rseqbench.targets.labgrid.daemon.messages import RequestPipes

# gRPC writes of its threads and its lost connections to standard error, where only we speak.
os.environ.update({"GRPC_VERBOSITY": "NONE", "GRPC_ENABLE_FORK_SUPPORT": "0"})


def main() -> int:
    """Serve until the requests end."""
    pipes = RequestPipes()
    try:
        from rseqbench.targets.labgrid.daemon import server  # noqa: PLC0415 - labgrid may be missing
    except Exception as error:  # gRPC raises a RuntimeError where its parts do not fit together
        why = " ".join(str(error).split())
        told = {"error": f"labgrid cannot be imported ({why})", "hint": "pip install 'rseqbench[labgrid]'"}
        pipes.say({"id": 0, **told})
        return 1
    return server.main(pipes, *sys.argv[1:3])


if __name__ == "__main__":
    sys.exit(main())
