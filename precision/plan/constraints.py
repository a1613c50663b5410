"""The constraints of a plan besides its budget, and the formats that they allow."""

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from precision.errors import InputError
from precision.results.plan import Resource, sum_of
from precision.results.sensitivity import LayerSensitivity, SensitivityReport
from precision.spec.keep import Kept
from precision.text.names import plain


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """The constraints of a plan."""

    keep: tuple[str, ...] = ()
    """fqns of layers, or of modules around them, that stay in the reference's precision."""
    keep_norms: bool = False
    """Whether normalization layers stay in the reference's precision."""
    formats: tuple[str, ...] | None = None
    """The only formats to use, such as the native ones; None for all formats of the sensitivity."""
    tied_together: bool = True
    """Whether layers that share a weight get one format, so that it is stored once."""


class Option(NamedTuple):
    """One format for a group of layers."""

    format: str
    squared_error: float
    stored_bytes: int
    time_s: float | None

    def cost(self, resource: Resource) -> float | None:
        """Bytes or seconds; None where the time was not measured."""
        return self.stored_bytes if resource == "bytes" else self.time_s


@dataclass(frozen=True, kw_only=True)
class Group:
    """Layers that get the same format."""

    layers: tuple[int, ...]
    """Places in the sensitivity's layers."""
    options: tuple[Option, ...]
    """The allowed formats, the reference's precision first."""


def groups_of(report: SensitivityReport, constraints: Constraints, *, reference: str) -> tuple[Group, ...]:
    """The layers of `report` in groups with one format each, and the formats that each group may have.

    Formats in which a layer's output is not finite, or has no prediction, are excluded. The reference's precision is
    always allowed, without an error.

    Raises:
        InputError: a constraint names an unknown module or format.
    """
    unknown = [name for name in constraints.formats or () if name not in report.formats]
    if unknown:
        raise InputError(
            f"The sensitivity was not measured in {', '.join(unknown)}. Measured: {', '.join(report.formats)}."
        )
    kept = kept_layers(report, constraints)
    groups = _tied(report.layers) if constraints.tied_together else [(at,) for at in range(len(report.layers))]
    return tuple(
        Group(layers=group, options=tuple(_options(report, group, constraints, kept, reference))) for group in groups
    )


def shared_bytes(sizes: Iterable[int]) -> int:
    """Bytes of layers that share a weight, in one format; the smallest layer is taken as the shared part."""
    listed = list(sizes)
    if len(listed) == 1:
        return listed[0]
    return sum(listed) - (len(listed) - 1) * min(listed)


def kept_layers(report: SensitivityReport, constraints: Constraints) -> frozenset[int]:
    """Places of the layers that the constraints keep in the reference's precision.

    Raises:
        InputError: they name an unknown module.
    """
    kept = {at for at, layer in enumerate(report.layers) if constraints.keep_norms and layer.is_norm}
    for part in map(Kept.parse, constraints.keep):
        if part.operator:
            raise InputError(f"A plan keeps modules and their own code, no single operator: {part.fqn}:code.")
        name = part.fqn
        inside = {
            at
            for at, layer in enumerate(report.layers)
            if layer.fqn == name or (not part.own_code and layer.fqn.startswith(f"{name}."))
        }
        if not inside:
            near = difflib.get_close_matches(name, [layer.fqn for layer in report.layers], n=2)
            hint = f" Did you mean {' or '.join(map(plain, near))}?" if near else ""
            raise InputError(f"There is no layer {plain(name)} to keep, nor one inside it.{hint}")
        kept |= inside
    return frozenset(kept)


def _tied(layers: tuple[LayerSensitivity, ...]) -> list[tuple[int, ...]]:
    """Places of layers that share weights, directly or through other layers; ordered by the first of each group."""
    places = {layer.fqn: at for at, layer in enumerate(layers)}
    group_of = list(range(len(layers)))
    for at, layer in enumerate(layers):
        for other in layer.tied_to:
            old, new = sorted((group_of[at], group_of[places[other]]), reverse=True) if other in places else (at, at)
            group_of = [new if group == old else group for group in group_of] if old != new else group_of
    members: dict[int, list[int]] = {}
    for at, group in enumerate(group_of):
        members.setdefault(group, []).append(at)
    return [tuple(group) for group in members.values()]


def _options(
    report: SensitivityReport, group: tuple[int, ...], constraints: Constraints, kept: frozenset[int], reference: str
) -> Iterable[Option]:
    layers = [report.layers[at] for at in group]
    wide = Option(
        format=reference,
        squared_error=0.0,
        stored_bytes=shared_bytes(layer.reference_bytes for layer in layers),
        time_s=sum_of(layer.reference_time_s for layer in layers),
    )
    yield wide
    if kept.intersection(group):
        return
    for column, name in enumerate(report.formats):
        chosen = [layer.contributions[column] for layer in layers]
        error = sum_of(None if choice.nonfinite else choice.best_squared_error() for choice in chosen)
        allowed = constraints.formats is None or name in constraints.formats
        if name != reference and allowed and error is not None and math.isfinite(error):
            option = Option(
                format=name,
                squared_error=error,
                stored_bytes=shared_bytes(choice.stored_bytes for choice in chosen),
                time_s=sum_of(choice.time_s for choice in chosen),
            )
            if _saves(option, wide):
                yield option


def _saves(option: Option, wide: Option) -> bool:
    """Whether it needs fewer bytes or less time than the reference's format, which has no error."""
    is_quicker = option.time_s is not None and wide.time_s is not None and option.time_s < wide.time_s
    return option.stored_bytes < wide.stored_bytes or is_quicker
