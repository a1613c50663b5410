"""What an experiment found: a verdict, a sentence and the facts under it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from precision.results import ClaimWord, Evidence, Scope, Timing
from precision.text.units import bytes_text, number_text, seconds_text

_NAMES_SHOWN = 10


@dataclass(frozen=True)
class Finding:
    """What a claim's experiment says."""

    verdict: ClaimWord
    sentence: str
    evidence: tuple[Evidence, ...] = ()
    scope: Scope | None = None
    """Set where it differs from the claim's, because something else stood in for the model."""


def true_if(condition: bool) -> ClaimWord:
    """The verdict on a claim that a condition decides."""
    return "true" if condition else "false"


def together(one: Finding, other: Finding) -> Finding:
    """Both statements of a claim: their common verdict, else "depends"; one that cannot be tested is left out."""
    told: set[ClaimWord] = {each.verdict for each in (one, other) if each.verdict != "not testable here"}
    verdict: ClaimWord = "not testable here" if not told else told.pop() if len(told) == 1 else "depends"
    return Finding(verdict, f"{one.sentence} {other.sentence}", (*one.evidence, *other.evidence))


def fact(label: str, text: str) -> Evidence:
    """A fact in words."""
    return Evidence(label=label, text=text)


def count(label: str, number: int, *, of: int | None = None) -> Evidence:
    """A count, where given of how many."""
    text = f"{number:,}" if of is None else f"{number:,} of {of:,}"
    return Evidence(label=label, text=text, number=number)


def size(label: str, number: int) -> Evidence:
    """Bytes, exactly and as people read them."""
    text = bytes_text(number) if number < 1024 else f"{bytes_text(number)} ({number:,} B)"
    return Evidence(label=label, text=text, number=number, unit="bytes")


def error(label: str, number: float | None) -> Evidence:
    """An error, to its last digit."""
    return Evidence(label=label, text=number_text(number) if number is None else repr(number), number=number)


def counted(label: str, names: Iterable[str]) -> Evidence:
    """How often each name occurs, the most frequent first."""
    return fact(label, listed([f"{number:,} × {name}" for name, number in Counter(names).most_common()]))


def duration(label: str, timing: Timing) -> Evidence:
    """A median time with its spread."""
    text = f"{seconds_text(timing.median_s)} ± {seconds_text(timing.iqr_s / 2)} (half the interquartile range)"
    return Evidence(label=label, text=text, number=timing.median_s, unit="s")


def listed(names: Sequence[str]) -> str:
    """Names with commas between, a long list cut; none: "none"."""
    more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more if names else "none"
