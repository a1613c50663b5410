"""What a model's outputs decide: which class, which nearest sample, and whether that is right."""

from typing import Literal

from precision.results.base import Result
from precision.results.intervals import Interval, discordant_p, samples_to_tell_apart, wilson


class SampleMean(Result):
    """The mean of one number over all samples, its uncertainty and its spread."""

    samples: int
    mean: float
    standard_error: float | None
    """Standard deviation (n - 1) / sqrt(n), or that of the means of clusters; None of a single sample or cluster."""
    low: float | None
    """Of the 95 % interval of the mean: by bootstrap, or by Student's t over clusters. None where there is no standard
    error, as is `high`."""
    high: float | None
    minimum: float
    p1: float
    p10: float
    p50: float
    p90: float
    p99: float
    maximum: float


class MarginBins(Result):
    """Samples by the reference's margin between its first and second class, and how many of them flipped."""

    edges: tuple[float, ...]
    """Powers of two, ascending, one more than the bins; empty where no margin is positive."""
    samples: tuple[int, ...]
    flips: tuple[int, ...]
    below_samples: int
    """Under the first edge; ties among them."""
    below_flips: int


class Accuracy(Result):
    """How many samples with a true class each of the two models has right."""

    both_right: int
    reference_only: int
    """Right in the reference and wrong in the candidate."""
    candidate_only: int
    """Wrong in the reference and right in the candidate."""
    both_wrong: int

    @property
    def samples(self) -> int:
        """With a true class, finite on both sides."""
        return self.both_right + self.reference_only + self.candidate_only + self.both_wrong

    @property
    def reference(self) -> float:
        """Share that the reference has right."""
        return (self.both_right + self.reference_only) / self.samples

    @property
    def candidate(self) -> float:
        """Share that the candidate has right."""
        return (self.both_right + self.candidate_only) / self.samples

    @property
    def candidate_interval(self) -> Interval | None:
        """Wilson's, 95 %."""
        return wilson(self.both_right + self.candidate_only, self.samples)

    @property
    def p_value(self) -> float:
        """McNemar's, exact: below `SIGNIFICANT_P` one of the two is right more often."""
        return discordant_p(self.reference_only, self.candidate_only)

    @property
    def samples_needed(self) -> int | None:
        """About how many samples would show which model is better, by `p_value`; None where both are equally good."""
        return samples_to_tell_apart(self.reference_only, self.candidate_only, self.samples)


class Counted(Result):
    """Samples of which some changed; where they come in clusters, such as the tokens of texts, no two samples of one
    cluster are independent.
    """

    samples: int
    """Samples whose values are all finite on both sides; all numbers here are over these."""
    nonfinite_samples: int
    """Left out."""
    clusters: int | None = None
    """How many clusters the samples come from; None where each sample is independent of the others."""
    effective: float | None = None
    """The number of independent samples that would tell as much; None without clusters."""
    unit: str = "sample"
    """What a sample is: a token, a position, or a sample of the input."""
    cluster_unit: str = "sample"
    """What a cluster is."""

    @property
    def changed_samples(self) -> int:
        """Those that the candidate decides differently."""
        raise NotImplementedError

    @property
    def agreement_interval(self) -> Interval | None:
        """Of the share of samples that did not change: Wilson's, 95 %, over the effective samples."""
        return self._interval(self.samples - self.changed_samples)

    @property
    def flips_interval(self) -> Interval | None:
        """Of the share of samples that changed: Wilson's, 95 %, over the effective samples."""
        return self._interval(self.changed_samples)

    def _interval(self, samples: int) -> Interval | None:
        if self.effective is None or not self.samples:
            return wilson(samples, self.samples)
        return wilson(self.effective * samples / self.samples, self.effective)


class ClassDecisions(Counted):
    """Decisions of an output of class scores: the class with the largest score, and its margin."""

    kind: Literal["classes"] = "classes"
    classes: int
    flips: int
    """Samples whose class differs in the candidate; of equal scores, the first counts as the largest."""
    kl: SampleMean | None
    """KL divergence of the candidate's probabilities from the reference's, in nats. None without samples."""
    delta_p: SampleMean | None
    """The candidate's minus the reference's probability of the reference's class. None without samples."""
    score_margins: MarginBins
    probability_margins: MarginBins
    accuracy: Accuracy | None
    """None where the input has no true classes."""

    @property
    def choice(self) -> str:
        """What a sample has: a class, or a token the first choice of what follows."""
        return "first choice" if self.unit == "token" else "class"

    @property
    def top1_agreement(self) -> float | None:
        """Share of samples with the same class; None without samples."""
        return 1 - self.flips / self.samples if self.samples else None

    @property
    def changed_samples(self) -> int:
        """The flips."""
        return self.flips

    @property
    def mean_kl(self) -> float | None:
        """In nats."""
        return self.kl.mean if self.kl else None

    @property
    def p99_kl(self) -> float | None:
        """In nats."""
        return self.kl.p99 if self.kl else None

    @property
    def mean_delta_p(self) -> float | None:
        """Below 0, the candidate is less sure."""
        return self.delta_p.mean if self.delta_p else None

    @property
    def candidate_accuracy(self) -> float | None:
        """Share that the candidate has right."""
        return self.accuracy.candidate if self.accuracy else None


class CrossingDecisions(Counted):
    """Decisions of an output of probabilities, each for itself: whether it is above one half.

    A sample is a row, and changes where any of its values crosses one half.
    """

    kind: Literal["crossings"] = "crossings"
    values: int
    crossed: int
    """Values that are on the other side of one half in the candidate."""
    changed: int
    """Samples with such a value."""

    @property
    def changed_samples(self) -> int:
        """Those with a value that crosses one half."""
        return self.changed


class NeighbourDecisions(Counted):
    """Decisions of an output with one vector per sample: which other sample is nearest, by cosine similarity."""

    kind: Literal["neighbours"] = "neighbours"
    left_out: int
    """Samples beyond the largest number that is compared."""
    changed: int
    """Samples whose nearest other sample differs in the candidate."""
    cosine: SampleMean
    """Of each sample's vector in the candidate with its own in the reference."""

    @property
    def neighbour_agreement(self) -> float:
        """Share of samples with the same nearest other sample."""
        return 1 - self.changed / self.samples

    @property
    def mean_cosine(self) -> float:
        """Of the samples' vectors."""
        return self.cosine.mean

    @property
    def changed_samples(self) -> int:
        """Those with another nearest neighbour."""
        return self.changed


Decisions = ClassDecisions | CrossingDecisions | NeighbourDecisions
