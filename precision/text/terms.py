"""The glossary: what every word of the product means, in plain text."""

from dataclasses import dataclass

from precision.text.lookup import looked_up

_DEFINITIONS = {
    "reference": "The model in the trusted precision, float32 or float64. Errors are measured against its outputs.",
    "candidate": "The same model in the precision under test.",
    "format": "A number format: how many bits, how many of them for exponent and mantissa, and which special values. "
    "Where torch has a dtype for it, the dtype stores it.",
    "cast": "Converting a model's stored floating-point values to another format by rounding.",
    "native": "The device computed in the format itself, with operators of that dtype.",
    "upcast": "Values were stored in the format and widened to a larger one for computing.",
    "simulated": "Values were rounded to the format. The arithmetic was in float32, or in float64 where float32 does "
    "not hold every value of the format. Rounding errors of stored values are real, rounding errors inside operators "
    "are missing, and times say nothing about the format.",
    "unsupported": "The device has no operators for the format; nothing was computed in it.",
    "rounding floor": "The error of only rounding the reference's output to the candidate's format. On average, no "
    "computation in that format can be better. Elements beyond the format's range are counted as non-finite.",
    "repeat floor": "The difference between two runs of the reference that should be equal: noise without any cast.",
    "float64 truth": "The same model run once more in float64. The errors of reference and candidate against it show "
    "how much of their difference is the reference's own error.",
    "margin": "The reference's largest score (or probability) of a sample minus its second largest. The smaller the "
    "margin, the smaller the error that changes the class.",
    "Wilson interval": "The 95 % interval of a share that was counted in some samples: where the share among all such "
    "samples may lie. With no flip in 73 samples, up to 5 % may flip.",
    "finite pair": "An element that is finite (not infinite or NaN) in both outputs. Errors are computed over finite "
    "pairs only; the other elements are counted.",
    "ULP": "Unit in the last place: the distance between neighbouring values of a format at a given magnitude. "
    "Rounding to nearest moves a value by at most half a ULP.",
    "normal": "A value stored with all its mantissa bits. Below the smallest normal value, precision decreases.",
    "subnormal": "A value below the smallest normal value. The closer to zero, the fewer significant bits it has.",
    "underflow": "A non-zero value that becomes zero because it is too small for the format. Values that were zero "
    "before do not count.",
    "overflow": "A value beyond the largest value of the format. It becomes infinite, or NaN where the format has no "
    "infinities, or it is saturated.",
    "saturated": "A value beyond the format's range that is stored as the largest finite value. No infinity shows that "
    "this happened.",
    "tied": "Two names in a model for the same stored tensor. Its bytes count once.",
    "buffer": "A tensor that a module keeps in addition to its parameters. A non-persistent buffer is not saved with "
    "the model.",
    "fqn": "Fully qualified name: a module's or tensor's path in the model, such as encoder.0.",
    "small-value domain": "The elements whose reference is below the smallest normal value of the candidate's format. "
    "A relative error has no meaning there, so their absolute error is reported instead.",
    "exponent histogram": "The values of a tensor counted by power of two: how many lie from 2^e up to 2^(e+1). Zeros, "
    "infinities and NaNs are counted separately. It shows how the values fit any number format.",
    "headroom": "log2(largest value of the format / largest magnitude of the values): how many times the values can "
    "double before they overflow. Negative: they are beyond the range.",
    "overflow fraction": "Share of the finite non-zero values that round beyond the format's largest value.",
    "underflow fraction": "Share of the finite non-zero values that become zero. Values that were zero before do not "
    "count.",
    "subnormal fraction": "Share of the finite non-zero values below the format's smallest normal value that do "
    "not become zero.",
    "predicted SQNR": "Signal-to-noise ratio of rounding the values once, computed from their exponent histogram: in "
    "each power of two, the squared error is a twelfth of the squared spacing of the format there. The measured SQNR "
    "is never more than 4.8 dB lower. For formats with scales for parts of a tensor, it is computed from how far the "
    "values lie below the largest value with the same scale, and is mostly within 1 dB.",
    "smallest format": "The format with the fewest bits that holds all values of a tensor or module: without "
    "overflow, and with a predicted SQNR above the limit. It says nothing of the error at the model's end.",
    "real input": "Data that somebody could give to the model. With random input or random weights, memory and time "
    "are real, and errors are indicative only.",
}


@dataclass(frozen=True, kw_only=True)
class Term:
    """A word that the product uses with one meaning only."""

    word: str
    definition: str


TERMS = {word: Term(word=word, definition=definition) for word, definition in _DEFINITIONS.items()}


def term_named(word: str) -> Term:
    """The definition of that word.

    Raises:
        InputError: the glossary has no such word; the message lists similar words, or all.
    """
    return looked_up(word, TERMS, unknown="The glossary has no")
