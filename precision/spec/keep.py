"""What a candidate keeps in the reference's precision, written `gate`, `gate:wide`, `block:code` or `block:exp`."""

from __future__ import annotations

from typing import NamedTuple

_CODE, _WIDE = ":code", ":wide"


class Kept(NamedTuple):
    """One part of a model that is kept in the reference's precision."""

    fqn: str
    own_code: bool = False
    """Whether only the module's own operators and weights are kept, and not the modules inside it."""
    operator: str = ""
    """The one operator of the module's own code that is kept, and nothing else of it; empty without."""
    stays_wide: bool = False
    """Whether its output is left in the reference's precision, rather than cast back."""

    @classmethod
    def parse(cls, text: str) -> Kept:
        """The part that a setting names: the fqn of a module, then `:code` or an operator, `:wide`, or both.

        >>> Kept.parse("layers.0.gate:wide")
        Kept(fqn='layers.0.gate', own_code=False, operator='', stays_wide=True)
        >>> str(Kept.parse(":wide:code"))
        ':code:wide'
        >>> Kept.parse("layers.0:exp").operator
        'exp'
        """
        found: set[str] = set()
        while (end := next((end for end in (_CODE, _WIDE) if text.endswith(end)), None)) is not None:
            found.add(end)
            text = text.removesuffix(end)
        fqn, _, operator = text.partition(":")
        return cls(fqn, own_code=_CODE in found and not operator, operator=operator, stays_wide=_WIDE in found)

    def __str__(self) -> str:
        operator = f":{self.operator}" if self.operator else ""
        return f"{self.fqn}{operator}{_CODE * self.own_code}{_WIDE * self.stays_wide}"
