"""Which experiment answers each claim: the function of its name."""

from collections.abc import Callable, Mapping

from precision.claims.catalogue import CLAIMS
from precision.measure.claims.experiments import accuracy, kernels, origins, running, several, speed, storing
from precision.measure.claims.finding import Finding
from precision.measure.claims.subject import Subject

_FUNCTIONS = {
    name: function
    for module in (accuracy, kernels, origins, running, several, speed, storing)
    for name, function in vars(module).items()
}

EXPERIMENTS: Mapping[str, Callable[[Subject], Finding]] = {
    claim.id: _FUNCTIONS[claim.id.replace("-", "_")] for claim in CLAIMS
}
"""By the claim's id."""
