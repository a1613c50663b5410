"""What helps against infinities, NaNs and broken outputs, in words: what was tried, and what it gave."""

import math
from collections.abc import Sequence

from precision.findings.decisions_judged import Yardsticks
from precision.results import LayersResult
from precision.results.remedies import Remedies, Remedy, ScaleStep
from precision.spec.keep import Kept
from precision.text.names import plain
from precision.text.units import number_text

_HALVED_DB = 6.0
"""By which half the error raises a signal-to-noise ratio."""
_SAME_DB = 0.1
"""A smaller difference is none."""
_MAX_STEPS = 12
"""Of a scale, that are written out."""
_REASON_CHARACTERS = 80
"""That are shown of why a model does not run."""


def helps(remedies: Remedies, remedy: Remedy) -> bool:
    """Whether it was tried, and outputs are finite and no longer broken; if they were not, the error is halved."""
    if not remedy.tried or remedy.failure or remedy.nonfinite or remedy.sqnr_db is None:
        return False
    before, broken = remedies.before_db or 0.0, Yardsticks().broken_below_db
    if remedy.kind == "smallest finite":  # positions that do not count may have been NaN
        return remedy.sqnr_db >= max(before - _SAME_DB, broken)
    return remedy.sqnr_db >= (broken if before < broken else before + _HALVED_DB)


def helpful(result: LayersResult) -> list[Remedy]:
    """Those that help, in order of what they cost."""
    found = result.remedies
    return [remedy for remedy in found.tried if helps(found, remedy)] if found else []


def vain(result: LayersResult) -> list[Remedy]:
    """Those that were tried and do not help."""
    found = result.remedies
    return [remedy for remedy in found.tried if remedy.tried and not helps(found, remedy)] if found else []


def kept_by(remedy: Remedy) -> str:
    """The setting `keep` that does it; empty where that is something else."""
    if remedy.kind in ("module", "own code", "own code wide"):
        wide = remedy.kind == "own code wide"
        return str(Kept(remedy.fqn, own_code=remedy.kind != "module", stays_wide=wide))
    if remedy.kind in ("operator wide", "operator back"):
        return str(Kept(remedy.fqn, operator=remedy.operator, stays_wide=remedy.kind == "operator wide"))
    return ""


def remedies_texts(result: LayersResult, *, with_vain: bool = True) -> tuple[str, ...]:
    """A line for each remedy that helps, and each that was tried in vain if so asked; one for what is untried."""
    found = result.remedies
    if found is None:
        return ()
    good = [
        f"Remedy, tried: {remedy_text(result, each)}{_setting(each)}: {_decibels(each)}." for each in helpful(result)
    ]
    vain_ones = vain_texts(result)
    untried = [remedy_text(result, each) for each in found.tried if not each.tried]
    is_broken = (found.before_db or 0.0) < Yardsticks().broken_below_db
    none = ("None of the remedies tried helps.",) if vain_ones and not good and is_broken else ()
    return (
        *good,
        *none,
        *(f"Tried, without success: {text}." for text in vain_ones if with_vain),
        *((f"Not tried: {'; '.join(untried)}.",) if untried else ()),
    )


def vain_texts(result: LayersResult) -> tuple[str, ...]:
    """What was tried and does not help, each with what became of it."""
    return tuple(f"{remedy_text(result, each)} ({_outcome(each)})" for each in vain(result))


def remedy_text(result: LayersResult, remedy: Remedy) -> str:
    """What to change."""
    wide, low = result.spec.reference, result.spec.dtype
    module = plain(remedy.fqn, limit=None) if remedy.fqn else "the model"
    operator = f"{plain(remedy.operator)} of {module}"
    match remedy.kind:
        case "input":
            return f"leave the input {plain(remedy.input, limit=None)} uncast"
        case "operator wide":
            return f"run {operator} in {wide}, its result left wide"
        case "operator back":
            return f"run {operator} in {wide}, its result cast back"
        case "own code":
            return f"run all operators of {module} itself, outside the modules in it, in {wide}"
        case "own code wide":
            return f"run all operators of {module} itself in {wide}, and leave what it returns wide"
        case "module":
            return f"keep {module} in {wide}"
        case "format":
            return f"use {remedy.format} instead of {low}"
        case "autocast":
            return "use autocast instead of a cast of the whole model"
        case "scale":
            where = operator if remedy.operator else module
            return _scales_text(remedy.scales) or f"scale what {where} computes by a power of two, and back after it"
        case "clamp":
            return f"clamp at {operator} to what it can take, or to what {low} can hold"
        case "larger eps":
            return f"use an eps that is no 0 in {low} at {operator}"
        case "smallest finite":
            return f"use the smallest finite {low} number for the mask, not −inf, at {operator}"


def _scales_text(scales: Sequence[ScaleStep]) -> str:
    """What to do where; empty without scales."""
    shown = "; ".join(map(_scale_text, scales[:_MAX_STEPS]))
    more = (
        f"; and {len(scales) - _MAX_STEPS:,} more steps, which the result as JSON has"
        if len(scales) > _MAX_STEPS
        else ""
    )
    is_back = any(step.kind in ("back", "before", "output") for step in scales)
    return f"{shown}{more}{'' if is_back or not scales else '; after that, the factor cancels'}"


def _scale_text(step: ScaleStep) -> str:
    factor = f"{2 ** abs(step.bits):,}"
    module = plain(step.fqn, limit=None) if step.fqn else "the model"
    which = f" (call {step.call:,})" if step.call else ""
    operator = f"{plain(step.operator)}{which} of {module}" if step.operator else module
    down, up = ("divide", "multiply") if step.bits > 0 else ("multiply", "divide")
    match step.kind:
        case "first":
            return f"{down} the first input of {operator} by {factor}"
        case "all":
            return f"{down} the inputs of {operator} by {factor}"
        case "added":
            return f"{down} what {operator} adds by {factor} too"
        case "eps":
            return f"{down} the eps of {operator} by {factor} too"
        case "shift":
            sign = ("subtract", "from") if step.bits > 0 else ("add", "to")
            number = number_text(abs(step.bits) * math.log(2))
            return f"{sign[0]} {number} (ln {factor}) {sign[1]} what goes into {operator}"
        case "before":
            return f"{up} what goes into {operator} by {factor} again"
        case "back":
            return f"{up} {f'the result of {operator}' if step.operator else 'the output'} by {factor}"
        case "output":
            return f"store the output of {module} divided by {factor}, a scale of its own"


def _setting(remedy: Remedy) -> str:
    name, value = ("wide_inputs", remedy.input) if remedy.input else ("keep", kept_by(remedy))
    return f" ({name} {plain(value, limit=None)})" if value else ""


def _decibels(remedy: Remedy) -> str:
    return "not measured" if remedy.sqnr_db is None else f"{number_text(round(remedy.sqnr_db, 1))} dB"


def _outcome(remedy: Remedy) -> str:
    if remedy.failure:
        return f"does not run: {plain(remedy.failure, limit=_REASON_CHARACTERS).rstrip('.')}"
    if remedy.nonfinite:
        return f"{remedy.nonfinite:,} output elements still infinite or NaN"
    return _decibels(remedy)
