"""What the finished rounds of a run say so far: small sums over a row a benchmark and round, made between rounds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyperf

from rseqbench.analysis import dataset, patch_claims, verdicts
from rseqbench.config import VerdictRules
from rseqbench.report import formatting, prose
from rseqbench.selection import ALWAYS_MEASURED
from rseqbench.store.runs import Header, Run


class RunningEstimate:
    """The running estimate of a run on one machine: its first claim that is measured, else its first benchmark."""

    def __init__(self, header: Header, rules: VerdictRules, done: Iterable[pyperf.BenchmarkSuite] = ()) -> None:
        """Take the run's header, how claims are judged, and the rounds that were `done` before."""
        self._header, self._rules = header, rules
        self._frames: list[pd.DataFrame] = []
        for suite in done:
            self.add(suite)

    def add(self, suite: pyperf.BenchmarkSuite) -> None:
        """Take the values of one more round."""
        self._frames.append(dataset.build([Run(Path(), self._header, suite)]))

    def said(self) -> str:
        """Return a sentence about the rounds so far; empty where they say nothing yet."""
        if not self._frames:
            return ""
        frame = dataset.collapse_boots(pd.concat(self._frames, ignore_index=True))
        return self._claim(frame) or self._benchmark(frame)

    def _claim(self, frame: pd.DataFrame) -> str:
        machine, label = self._header.machines[0], self._header.label
        for claim in patch_claims.written_claims():
            if claim.kind != "speedup" or claim.arch != machine.arch:
                continue
            ratio = dataset.speedup(frame, label, *claim.pair, self._rules.confidence, claim.net)
            if ratio is not None:
                verdict = verdicts.speedup(claim.stated, ratio, self._rules)
                return prose.of_claim(claim, ratio, verdict.word, machine.timing == "emulated")
        return ""

    def _benchmark(self, frame: pd.DataFrame) -> str:
        chosen = [
            case for case in self._header.plan.cases if case.benchmark not in ALWAYS_MEASURED
        ] or self._header.plan.cases
        for case in chosen:
            own = frame[(frame["benchmark"] == case.benchmark) & (frame["threads"] == case.threads)]
            for row in dataset.summarise(own, self._rules.confidence):
                cost = prose.spoken(formatting.cost(row.gross))
                return f"{formatting.with_threads(row.benchmark, row.threads)}: {cost} {formatting.short(row.unit)}"
        return ""
