"""Code that shows the evidence of a claim by itself, in plain PyTorch and Transformers. Needs no torch."""

from __future__ import annotations

from precision.claims.snippets.alone import ALONE
from precision.claims.snippets.on_model import ON_MODEL
from precision.claims.snippets.setup import setup
from precision.results import InputDescription
from precision.spec import RunSpec


def snippet(claim_id: str, spec: RunSpec, *, kind: str, given: InputDescription) -> str:
    """The code of one claim, to be saved as a file and run.

    Args:
        claim_id: of the catalogue.
        spec: names model, device and seed.
        kind: the class of the model.
        given: the model's input.
    """
    if claim_id in ALONE:
        return ALONE[claim_id].replace("DEVICE", repr(_device(spec)))
    made, shown = setup(spec, kind=kind, given=given, device=_device(spec)), ON_MODEL[claim_id]
    copies = "import copy\n\n" if "copy." in shown else ""
    run = f"{made.run}\n\n" if "run(" in shown else "\n"
    return f"{copies}{made.imports}{made.model}{run}{shown}"


def _device(spec: RunSpec) -> str:
    return spec.device.rsplit("/", 1)[-1]
