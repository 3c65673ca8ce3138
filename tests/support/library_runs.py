"""Costs of shipped libraries, by benchmark."""

from __future__ import annotations

LTTNG = {
    "cpu_id/baseline": 0.3,
    "ring_buffer/getcpu_atomic": 22.0,
    "ring_buffer/rseq_atomic": 4.5,
    "ring_buffer/rseq": 1.5,
    "lttng/lsl": 94.0,
    "lttng/rseq": 80.0,
    "lttng/constant": 79.0,
}
URCU = {"cpu_id/baseline": 0.3, "rcu/rseq": 1.0, "urcu/memb": 9.5, "urcu/memb_inline": 1.5, "urcu/signal": 8.0}
