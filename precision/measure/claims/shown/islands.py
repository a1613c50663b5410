"""What a Transformers model wants kept in float32."""

import re

from torch import nn


def float32_islands(model: nn.Module) -> dict[str, list[str]]:
    """The modules that the classes inside `model` name for float32, each with the names of its parameters."""
    names = [
        name
        for module in model.modules()
        for kind in ("_keep_in_fp32_modules", "_keep_in_fp32_modules_strict")
        for name in getattr(module, kind, None) or ()
    ]
    parameters = [fqn for fqn, _ in model.named_parameters()]
    return {
        name: [fqn for fqn in parameters if re.search(rf"(^|\.){re.escape(name)}(\.|$)", fqn)]
        for name in dict.fromkeys(names)
    }
