"""Every layer in a format, alone: what is run on the inputs that the reference hands it."""

from collections.abc import Collection

from torch import nn

from precision.formats import AnyFormat, NumericFormat
from precision.measure.casting.forward import is_leaf
from precision.measure.casting.precisions import Precisions


def lowered_layers(precisions: Precisions, layers: Collection[str], fmt: AnyFormat) -> dict[str, nn.Module]:
    """Every layer in the format by fqn; the modules inside one are in the reference's precision."""
    modules = {fqn: precisions.module.get_submodule(fqn) for fqn in layers}
    leaves = precisions.planned({fqn: fmt for fqn, module in modules.items() if is_leaf(module)}).prepared().module
    return {
        fqn: (leaves if is_leaf(module) else precisions.planned({fqn: fmt}).prepared().module).get_submodule(fqn)
        for fqn, module in modules.items()
    }


def crossed_layers(precisions: Precisions, layers: Collection[str], fmt: AnyFormat) -> dict[str, nn.Module]:
    """The layers with modules inside, in the reference's precision, but given values of the format from all around.

    None for formats with scales, which round only what matrices are multiplied with.
    """
    if not isinstance(fmt, NumericFormat):
        return {}
    return {
        fqn: precisions.crossed(fqn, fmt).prepared().module.get_submodule(fqn)
        for fqn in layers
        if not is_leaf(precisions.module.get_submodule(fqn))
    }
