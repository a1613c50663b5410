"""Models without values: every tensor on torch's `meta` device, where it has a shape and takes no memory."""

from torch import nn

from precision.measure.models.loading import function_named, load
from precision.models.catalogue import entry_of
from precision.spec import RunSpec


def skeleton(model_id: str) -> nn.Module:
    """The module that `load` would give, on `meta`; only a checkpoint's configuration is read.

    Models of this package's own are so small that they are built and then moved.

    Raises:
        InputError: no such model, or no configuration for it.
    """
    path = entry_of(model_id).skeleton
    module: nn.Module = function_named(path)(model_id) if path else load(RunSpec(model=model_id)).module.to("meta")
    return module
