"""Every claim, in the order in which the articles make them. Needs no torch."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from precision.claims.claim import Claim
from precision.claims.half_or_to_article import HALF_OR_TO_CLAIMS
from precision.claims.loading_article import LOADING_CLAIMS
from precision.errors import InputError

CLAIMS: tuple[Claim, ...] = (*LOADING_CLAIMS, *HALF_OR_TO_CLAIMS)


def claims_named(ids: Collection[str]) -> tuple[Claim, ...]:
    """The claims of these ids, in the catalogue's order; all where none is named.

    Raises:
        InputError: no such claim; the message names the nearest.
    """
    known = [claim.id for claim in CLAIMS]
    for name in ids:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
            raise InputError(f"Unknown claim {name[:80]!r}. {hint}")
    return tuple(claim for claim in CLAIMS if not ids or claim.id in ids)
