"""What a Transformers model wants kept in float32, after either call."""

from __future__ import annotations

import re
from dataclasses import dataclass

from torch import nn

from precision.measure.claims.experiments.finding import Finding, count, fact, listed
from precision.measure.claims.experiments.storage import StorageFacts


@dataclass(frozen=True, kw_only=True)
class IslandFacts:
    """The parameters of modules that a class names for float32."""

    names: tuple[str, ...]
    """Of modules, as the class has them."""
    parameters: int
    kept_by_half: int
    """Those of them that are still float32."""
    kept_by_to: int


def island_facts(module: nn.Module, storage: StorageFacts) -> IslandFacts:
    """Find the modules that the classes inside `module` name for float32, and what became of their parameters."""
    names = tuple(
        dict.fromkeys(
            name
            for child in module.modules()
            for kind in ("_keep_in_fp32_modules", "_keep_in_fp32_modules_strict")
            for name in getattr(child, kind, None) or ()
        )
    )
    wanted = [tensor for tensor in storage.parameters if any(_lies_in(tensor.fqn, name) for name in names)]
    return IslandFacts(
        names=names,
        parameters=len(wanted),
        kept_by_half=sum(tensor.half == "float32" for tensor in wanted),
        kept_by_to=sum(tensor.to == "float32" for tensor in wanted),
    )


def _lies_in(fqn: str, name: str) -> bool:
    return re.search(rf"(^|\.){re.escape(name)}(\.|$)", fqn) is not None


def half_islands(seen: IslandFacts) -> Finding:
    """Whether `half()` keeps in float32 what the class asks for, and `to()` does not."""
    evidence = (
        fact("Modules that the class names for float32", listed(seen.names)),
        count("Their parameters", seen.parameters),
        count("Still float32 after half()", seen.kept_by_half, of=seen.parameters),
        count("Still float32 after to(torch.float16)", seen.kept_by_to, of=seen.parameters),
    )
    if not seen.parameters:
        return Finding("not testable here", "The model names nothing to be kept in float32; one of T5 does.", evidence)
    if not seen.kept_by_half:
        sentence = f"half() casts them all; to(torch.float16) does {'not' if seen.kept_by_to else 'too'}."
        return Finding("false", sentence, evidence)
    both = seen.kept_by_to == seen.kept_by_half
    sentence = "Both calls keep them." if both else "half() keeps them; to(torch.float16) keeps others."
    return Finding("false" if both else "true", sentence, evidence)
