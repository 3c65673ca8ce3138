"""Pure: what limits the comparison of two runs that each had to be booted, said before anybody asks."""

from __future__ import annotations

from collections.abc import Iterable

from rseqbench.results import Header


def limits(a: Header, b: Header) -> Iterable[str]:
    """Yield a sentence for each thing that limits what two runs on two Linuxes, or two boots of one, can say."""
    facts = [header.machines[0].facts for header in (a, b)]
    names = ("linux", "config_rseq", "linux_build", "registration")
    if "linux_build" not in facts[0] and all(facts[0].get(name) == facts[1].get(name) for name in names):
        return
    emulated = [header.machines[0].timing == "emulated" for header in (a, b)]
    single = [header.label for header in (a, b) if header.plan.boots == 1]
    if len(single) == 2:
        yield "One boot each: no interval here covers what differs from boot to boot; run --boots 10 measures that."
    elif single:
        yield f"{single[0]} is one boot: its interval does not cover what differs from boot to boot."
    elif all(emulated):
        yield (
            f"The units are boots, {a.plan.boots} and {b.plan.boots}: a value is the median of theirs, its range the "
            "least and the most of them. Requests reach a guest when we send them, which is no time of its own, and "
            "Linux's caches differ with what was done before: so long operations do not repeat to the digit."
        )
    if any(emulated):
        yield (
            "Counted on one emulated CPU: nothing here migrates, so what rseq costs a migration is not measured; a "
            "guest with two CPUs did the checks."
        )
