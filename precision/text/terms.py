"""What every word of the product means, in plain text. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from precision.text.lookup import looked_up


@dataclass(frozen=True, kw_only=True)
class Term:
    """A word that the product uses in one meaning only."""

    word: str
    definition: str


TERMS: tuple[Term, ...] = (
    Term(
        word="reference",
        definition="The model in the trusted precision, float32 or float64. Errors are measured against its outputs.",
    ),
    Term(word="candidate", definition="The same model in the precision under test."),
    Term(
        word="format",
        definition="A number format: how many bits, how many of them for exponent and mantissa, and which special "
        "values. A torch dtype stores it where torch has one.",
    ),
    Term(word="cast", definition="Converting a model's stored floating-point values to another format by rounding."),
    Term(
        word="native",
        definition="The device computed in the format itself, with operators of that dtype.",
    ),
    Term(
        word="upcast",
        definition="Values were stored in the format and widened to a larger one to be computed with.",
    ),
    Term(
        word="simulated",
        definition="Values were rounded to the format and computed with in float32: the errors of storing are real, "
        "those of computing are not in it, and time says nothing about the format.",
    ),
    Term(word="unsupported", definition="The device has no operators for the format; nothing was computed in it."),
    Term(
        word="rounding floor",
        definition="The error of merely rounding the reference's output to the candidate's format. No computation "
        "in that format can do better on average. Elements beyond the format's range are counted as non-finite.",
    ),
    Term(
        word="repeat floor",
        definition="The difference between two runs of the reference that should be equal: the noise that is there "
        "without any cast.",
    ),
    Term(
        word="float64 truth",
        definition="The same model run once more in float64. The errors of reference and candidate against it tell "
        "how much of their difference is the reference's own.",
    ),
    Term(
        word="margin",
        definition="By how much a sample's largest score, or probability, exceeds the second in the reference. The "
        "smaller it is, the smaller an error makes another class the first.",
    ),
    Term(
        word="Wilson interval",
        definition="The 95 % interval of a share that was counted in some samples: where the share among all such "
        "samples may lie. With no flip in 73 samples, up to 5 % may flip.",
    ),
    Term(
        word="finite pair",
        definition="An element that is neither infinite nor NaN in either output. Errors are over these alone; the "
        "others are counted.",
    ),
    Term(
        word="ULP",
        definition="Unit in the last place: the distance between neighbouring values of a format at a given "
        "magnitude. Rounding to nearest moves a value by at most half of one.",
    ),
    Term(
        word="normal",
        definition="A value stored with all its mantissa bits. Below the smallest one precision fades away.",
    ),
    Term(
        word="subnormal",
        definition="A value below the smallest normal one, stored with fewer significant bits the closer it is to "
        "zero.",
    ),
    Term(
        word="underflow",
        definition="A non-zero value that becomes zero because it is too small for the format. Values that were zero "
        "before do not count.",
    ),
    Term(
        word="overflow",
        definition="A value beyond the largest one of the format. It becomes infinite, or NaN where the format has "
        "no infinities, or is saturated.",
    ),
    Term(
        word="saturated",
        definition="Beyond the format's range and stored as its largest finite value, with no infinity to give it "
        "away.",
    ),
    Term(word="tied", definition="Two names in a model for the same stored tensor. Its bytes count once."),
    Term(
        word="buffer",
        definition="A tensor that a module keeps besides its parameters; a non-persistent one is not saved with it.",
    ),
    Term(word="fqn", definition="Fully qualified name: a module's or tensor's path in the model, such as encoder.0."),
    Term(
        word="small-value domain",
        definition="The elements whose reference is below the smallest normal value of the candidate's format. A "
        "relative error has no meaning there, so their absolute error is reported instead.",
    ),
    Term(
        word="exponent histogram",
        definition="The values of a tensor counted by power of two: how many lie from 2^e up to 2^(e+1). Zeros, "
        "infinities and NaNs are counted apart. It tells how the values fit any number format.",
    ),
    Term(
        word="headroom",
        definition="log2(largest value of the format / largest magnitude of the values): how many times they may "
        "double before they overflow. Negative means beyond the range.",
    ),
    Term(
        word="overflow fraction",
        definition="Share of the finite non-zero values that round to beyond the format's largest value.",
    ),
    Term(
        word="underflow fraction",
        definition="Share of the finite non-zero values that become zero. Values that were zero before do not count.",
    ),
    Term(
        word="subnormal fraction",
        definition="Share of the finite non-zero values that lie below the format's smallest normal value and do not "
        "become zero.",
    ),
    Term(
        word="predicted SQNR",
        definition="Signal to noise ratio of rounding values once, told from their exponent histogram: in each power "
        "of two the squared error is taken as a twelfth of the squared spacing of the format there. Measured, it is "
        "never more than 4.8 dB lower. For formats with scales for parts of a tensor it is told from how far the "
        "values lie below the largest of those that share their scale; mostly within 1 dB.",
    ),
    Term(
        word="lowest safe format",
        definition="Of the formats in which all values of a tensor or module fit, without overflow, with little "
        "underflow, few subnormal values and a predicted SQNR above the limit, the one of fewest bits.",
    ),
    Term(
        word="real input",
        definition="Data that somebody could hand to the model. With random input or random weights, memory and time "
        "are real and errors are indicative only.",
    ),
)

_BY_WORD = {term.word: term for term in TERMS}


def term_named(word: str) -> Term:
    """The definition of that word.

    Raises:
        InputError: the glossary has no such word; the message names near ones, or all.
    """
    return looked_up(word, _BY_WORD, unknown="The glossary has no")
