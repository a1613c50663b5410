"""The cast of a run as plain PyTorch, to paste into one's own program."""

from precision.results import RunResult
from precision.spec import CastMethod

_OWN_CALLS = (CastMethod.TO, CastMethod.HALF, CastMethod.BFLOAT16)
_CAST = """\
import torch

model = model{call}
inputs = [each.to(torch.{fmt}) if each.is_floating_point() else each for each in inputs]
with torch.inference_mode():
    output = model(*inputs)
"""
_AUTOCAST = """\
import torch

with torch.inference_mode(), torch.autocast("{device}", dtype=torch.{fmt}):
    output = model(*inputs)
"""


def cast_code(result: RunResult) -> str:
    """The candidate of a run as a few lines of PyTorch, for a `model` and its `inputs`, a list of tensors.

    Empty where it takes more than a call: formats that are simulated, methods of other libraries, plans, and casts that
    leave modules or inputs out.
    """
    spec = result.spec
    is_partial = spec.keep or spec.wide_inputs or spec.plan or spec.weights or spec.candidate_weights
    if is_partial or not spec.analysis.info.has_candidate or result.execution.label != "native":
        return ""
    if spec.method is CastMethod.AUTOCAST:
        return _AUTOCAST.format(fmt=spec.dtype, device=result.device.id.rpartition("/")[2].partition(":")[0])
    if spec.method not in _OWN_CALLS:
        return ""
    return _CAST.format(fmt=spec.dtype, call=spec.method.row.call.format(fmt=spec.dtype))
