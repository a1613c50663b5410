"""Every claim, in the order of the articles."""

from collections.abc import Collection

from precision.claims.claim import Claim
from precision.claims.half_or_to_article import HALF_OR_TO_CLAIMS
from precision.claims.loading_article import LOADING_CLAIMS
from precision.text.lookup import looked_up

CLAIMS: tuple[Claim, ...] = (*LOADING_CLAIMS, *HALF_OR_TO_CLAIMS)


def claims_named(ids: Collection[str]) -> tuple[Claim, ...]:
    """The claims with these ids, in the catalogue's order; all claims without ids.

    Raises:
        InputError: no such claim; the message lists similar ids, or all.
    """
    by_id = {claim.id: claim for claim in CLAIMS}
    named = [looked_up(name, by_id, unknown="Unknown claim") for name in ids]
    return tuple(claim for claim in CLAIMS if not ids or claim in named)
