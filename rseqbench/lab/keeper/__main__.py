"""`python -m rseqbench.lab.keeper COORDINATOR ENVIRONMENT`: each may be empty."""

from __future__ import annotations

import json
import os
import sys

# gRPC writes of its threads and its lost connections to standard error, where only we speak.
os.environ.update({"GRPC_VERBOSITY": "NONE", "GRPC_ENABLE_FORK_SUPPORT": "0"})


def main() -> int:
    """Serve until standard input ends."""
    try:
        from rseqbench.lab.keeper import serving  # noqa: PLC0415 - labgrid may be missing
    except ImportError as error:
        told = {"error": f"labgrid cannot be imported ({error})", "hint": "pip install 'rseqbench[labgrid]'"}
        print(json.dumps({"id": 0, **told}), flush=True)
        return 1
    return serving.main(*sys.argv[1:3])


if __name__ == "__main__":
    sys.exit(main())
