"""Whether the candidate is faster than the reference, said only where the measured times can tell."""

from typing import NamedTuple

from precision.findings.device_speed import times_text
from precision.results import Cost, Timing

_DISTURBED = 0.25
"""Interquartile range over median, above which `torch.utils.benchmark` suspects its surroundings, and so do we."""

_OVERLAP = "the times overlap"


class Speed(NamedTuple):
    """The candidate's speed against the reference's."""

    ratio: float | None
    """The reference's median time over the candidate's, above 1 where the candidate is faster; None without a
    measurable difference."""
    text: str
    """Goes before the reference's name, such as "2.0 × faster than" or "not measurably faster or slower than"."""
    reason: str = ""
    """Why there is no measurable difference, such as "the times overlap"; empty where there is one."""

    is_known: bool = True
    """Whether the times tell anything: a machine that was busy with something else, or a clock too coarse, does not."""

    @property
    def alone(self) -> str:
        """The same without a name to follow, such as "2.0 × faster"."""
        if not self.is_known:
            return "speed not known"
        return self.text.removesuffix(" than") if self.ratio else "no measurable difference in speed"


def compare_speed(cost: Cost) -> Speed:
    """The ratio of the median times, and its words.

    There is no measurable difference where the medians differ by at most half the sum of the interquartile ranges: the
    spread alone may cause that. The same holds where the machine was busy with something else (other processes took
    cores, or the spread is wide), and where a median is zero, too short for the clock.
    """
    reference, candidate = cost.reference_time, cost.candidate_time
    reason = _reason(reference, candidate)
    if reason:
        return Speed(None, "not measurably faster or slower than", reason, is_known=reason == _OVERLAP)
    return Speed(reference.median_s / candidate.median_s, _speed_text(reference.median_s, candidate.median_s))


def _reason(reference: Timing, candidate: Timing) -> str:
    if not (reference.median_s and candidate.median_s):
        return "the times are too short for the clock"
    if reference.crowded or candidate.crowded:
        return "other programs kept the cores busy"
    if are_disturbed(reference, candidate):
        return "the times of equal runs differ too much"
    overlap = abs(reference.median_s - candidate.median_s) <= (reference.iqr_s + candidate.iqr_s) / 2
    return _OVERLAP if overlap else ""


def are_disturbed(*times: Timing) -> bool:
    """Whether the machine was busy with something else, by the cores that other processes took or by a wide spread."""
    return any(time.crowded or time.iqr_s > _DISTURBED * time.median_s for time in times)


def _speed_text(reference_s: float, candidate_s: float) -> str:
    """How much faster than the reference the candidate is; a small difference is not rounded to a larger one.

    >>> _speed_text(2.0, 1.0), _speed_text(1.0, 1.06), _speed_text(1.0, 1.004), _speed_text(1.0, 19.0)
    ('2.0 × faster than', '1.06 × slower than', '< 1.01 × slower than', '19 × slower than')
    """
    faster = candidate_s < reference_s
    ratio = reference_s / candidate_s if faster else candidate_s / reference_s
    times = "< 1.01 ×" if ratio < 1.005 else times_text(ratio)
    return f"{times} {'faster' if faster else 'slower'} than"
