"""Pure: what comes out of a comparison, and why: reasons as types with their numbers; report/reasons.py words them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rseqbench.model import Estimate, VerdictWord


class Outcome(StrEnum):
    """What a comparison of two measurements says of the second, or why it says nothing."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUAL = "equal"
    UNRESOLVED = "no difference resolved"
    NOT_COMPARABLE = "not comparable"
    MISSING = "not measured"
    FEWER = "fewer instructions"
    MORE = "more instructions"

    @property
    def is_difference(self) -> bool:
        """Whether the two are surely not equal."""
        return self in (Outcome.FASTER, Outcome.SLOWER, Outcome.FEWER, Outcome.MORE)


class Direction(StrEnum):
    """Whether a measured ratio lies on the same side of 1 as a claimed one."""

    SAME = "same direction"
    OPPOSITE = "opposite direction"
    UNRESOLVED = "direction not resolved"


class Reason:
    """Why a comparison or a verdict has its outcome; each kind is a class with the numbers that it needs."""


Reasons = tuple[Reason, ...]


@dataclass(frozen=True)
class Verdict:
    """The outcome of judging a claim, and why."""

    word: VerdictWord
    reasons: Reasons


# ---- no value ----


@dataclass(frozen=True)
class Failure(Reason):
    """Another module, a target or a program said why, in `text`."""

    text: str


@dataclass(frozen=True)
class NotSelected(Reason):
    """The run was not to measure it."""

    program: str = ""


@dataclass(frozen=True)
class NotInRun(Reason):
    """A run has no value for an architecture."""

    label: str
    arch: str


@dataclass(frozen=True)
class NotStored(Reason):
    """The plan has the case, but no values of it are stored."""


@dataclass(frozen=True)
class CheckFailed(Reason):
    """The benchmark's check for exactness failed."""

    message: str


@dataclass(frozen=True)
class Lacks(Reason):
    """A run, a benchmark or a library, called `name`, has no value for its own reason."""

    name: str
    reason: Reason


@dataclass(frozen=True)
class NothingToDivide(Reason):
    """In too few rounds is anything left of both values of a ratio."""


@dataclass(frozen=True)
class NotClaimedNet(Reason):
    """No claim for the architecture takes the loop overhead off this pair."""

    arch: str


@dataclass(frozen=True)
class SeveralMachines(Reason):
    """A member of a fleet has a run of several machines."""

    label: str
    machines: int


@dataclass(frozen=True)
class NotInFleet(Reason):
    """A fleet has no such machine."""

    label: str


@dataclass(frozen=True)
class SameRun(Reason):
    """Two fleets have the same run of a machine."""

    label: str


@dataclass(frozen=True)
class OtherArchitectures(Reason):
    """A machine has another architecture in each of two fleets: (architecture, fleet) of both."""

    first: tuple[str, str]
    second: tuple[str, str]


# ---- values that cannot be compared ----


@dataclass(frozen=True)
class Unlike(Reason):
    """Two runs differ in something that a comparison needs to be the same: in `noun`, or in units or command lines."""

    first: str
    second: str
    noun: str = ""


@dataclass(frozen=True)
class OtherTiming(Reason):
    """The clocks of the two machines are not of the same kind."""

    first: str
    second: str


@dataclass(frozen=True)
class Printed(Reason):
    """One side is a value that was published, of another machine and without its spread."""

    label: str


@dataclass(frozen=True)
class EmulatedClock(Reason):
    """A clock that qemu emulates tells no time."""


# ---- comparisons of two measurements ----


@dataclass(frozen=True)
class TooFewRounds(Reason):
    """So many rounds give no interval."""

    rounds: int


@dataclass(frozen=True)
class TooFewForMachines(Reason):
    """So many rounds cannot tell the machines of a fleet apart, however different they are."""

    rounds: int


@dataclass(frozen=True)
class WithinBand(Reason):
    """The whole interval lies within the band around 1 that counts as equal."""

    band: float


@dataclass(frozen=True)
class NotBeyondChance(Reason):
    """The difference may be chance, corrected for all rows that are compared."""


@dataclass(frozen=True)
class BelowFloor(Reason):
    """The difference is smaller than the floor."""

    floor: float


@dataclass(frozen=True)
class HoldsOne(Reason):
    """The interval holds 1."""


@dataclass(frozen=True)
class SameCount(Reason):
    """Two counts are equal to this part of an instruction."""

    instructions: float


@dataclass(frozen=True)
class CountsOverlap(Reason):
    """The ranges of two counts overlap."""


@dataclass(frozen=True)
class CountsByChance(Reason):
    """So few counts that do not repeat lie apart by chance, with this probability."""

    first: int
    second: int
    chance: float


@dataclass(frozen=True)
class MachineCountsByChance(Reason):
    """Counts on two machines, which do not repeat, lie apart by chance with this probability."""

    chance: float


@dataclass(frozen=True)
class RangesOverlap(Reason):
    """The ranges of counts on two machines do not lie apart."""


@dataclass(frozen=True)
class NoRange(Reason):
    """A ratio of counts is 0 or infinite, so it has no range."""


@dataclass(frozen=True)
class LessSurelyBeyond(Reason):
    """Machines with more extreme values, but too few rounds: (machine, rounds) of each."""

    machines: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class ClockMoved(Reason):
    """The empty loop takes so many times as long in the second run."""

    ratio: float


@dataclass(frozen=True)
class IsLoop(Reason):
    """The benchmark is the empty loop itself."""


@dataclass(frozen=True)
class NoRoundWithLoop(Reason):
    """No round has both the benchmark and the empty loop."""


@dataclass(frozen=True)
class SameOverLoop(Reason):
    """Relative to the empty loop, the outcome is the same."""

    outcome: Outcome


@dataclass(frozen=True)
class OtherOverLoop(Reason):
    """Relative to the empty loop, the outcome is another than as measured; `ratio` is the relative one."""

    measured: Outcome
    relative: Outcome
    ratio: float


# ---- verdicts on claims ----


@dataclass(frozen=True)
class Needs(Reason):
    """The claim needs something that no single run has."""

    what: str


@dataclass(frozen=True)
class ClaimOfArchitecture(Reason):
    """The claim is about another architecture than that of the machine, or of the `runs`."""

    claimed: str
    measured: str
    runs: bool = False


@dataclass(frozen=True)
class OtherMachinesTime(Reason):
    """The claim is a time on another machine; here it is `value` per operation."""

    value: float
    unit: str


@dataclass(frozen=True)
class OtherMachinesProgram(Reason):
    """The claim is a program's time on another machine; here it ran by this command."""

    command: str


@dataclass(frozen=True)
class InInstructions(Reason):
    """A ratio of instructions says no more than a direction, and of equality not even that.

    `whole` is what the patch timed, if the benchmark is only the bare operation of it.
    """

    direction: Direction | None
    ratio: float
    net: bool
    whole: str


@dataclass(frozen=True)
class FewerWithoutPrice(Reason):
    """Of two methods, `fewer` takes fewer instructions, in which the price of an atomic is not."""

    fewer: str
    more: str


@dataclass(frozen=True)
class EmulatedMachine(Reason):
    """The machine's clock is emulated by qemu."""

    direction: Direction


@dataclass(frozen=True)
class BareOperation(Reason):
    """The benchmark is the bare operation, where the patch timed the `whole`."""

    direction: Direction
    whole: str


@dataclass(frozen=True)
class OtherVdso(Reason):
    """The vDSO reads the CPU number by another instruction than the patch's did."""

    direction: Direction


@dataclass(frozen=True)
class InLibrary(Reason):
    """It was measured in the shipped library, where two atomics of an event stay."""


@dataclass(frozen=True)
class PatchTimed(Reason):
    """What the patch timed, where that is not quite the same."""

    what: str


@dataclass(frozen=True)
class Leeway:
    """The speed-ups that reproduce a claim: `stated` by a factor `reach` to both sides, or an interval without those.

    Without `stated`, the ends are where the deviations that the message prints end.
    """

    weakest: float
    strongest: float
    stated: float | None = None
    reach: float | None = None


@dataclass(frozen=True)
class Reaches(Reason):
    """The interval reaches the leeway of the claim."""

    leeway: Leeway


@dataclass(frozen=True)
class ReachesByWidth(Reason):
    """The interval reaches the leeway of the claim only because it is so wide."""

    leeway: Leeway


@dataclass(frozen=True)
class AboveLeeway(Reason):
    """The interval lies above the leeway of the claim."""

    leeway: Leeway


@dataclass(frozen=True)
class BelowLeeway(Reason):
    """A gain, but the interval ends below the leeway of the claim."""

    leeway: Leeway


@dataclass(frozen=True)
class NoGain(Reason):
    """No gain is resolved: the interval holds 1, or the change is below the `floor`, and a gain or a loss.

    `ends_below` is the leeway of the claim, if the interval ends below that too.
    """

    floor: float | None = None
    is_loss: bool = False
    ends_below: Leeway | None = None


@dataclass(frozen=True)
class Slower(Reason):
    """The interval lies below 1."""


@dataclass(frozen=True)
class EqualityBand(Reason):
    """The interval lies within the band of equality (`inside`), outside, or crosses its edge (None)."""

    low: float
    high: float
    inside: bool | None


# ---- verdicts on two kernel configurations ----


@dataclass(frozen=True)
class MoreThanConfig(Reason):
    """The two runs differ in more than CONFIG_RSEQ."""

    difference: Unlike


@dataclass(frozen=True)
class OtherOptions(Reason):
    """The configurations differ in a further option, and in so many `more`."""

    option: str
    more: int


@dataclass(frozen=True)
class OtherCommand(Reason):
    """The verdict by this command line, which is not the message's."""

    word: VerdictWord
    command: str
    stated: str


@dataclass(frozen=True)
class ProgramInstructions(Reason):
    """How many instructions a program takes with CONFIG_RSEQ: without over with is `ratio`.

    `outcome` is that of the run without it against the run with it, `reasons` say why no difference is resolved.
    """

    command: str
    ratio: Estimate
    outcome: Outcome
    reasons: Reasons


@dataclass(frozen=True)
class UnknownSizes(Reason):
    """A run booted no kernel whose size is known."""


@dataclass(frozen=True)
class KernelGrowth(Reason):
    """By how many bytes a kernel grew, by its symbols and by `size`; `costs` is None for as much as claimed."""

    by_symbol: int
    by_size: int
    source: str | None
    base: str | None
    costs_more: bool | None
