"""Every cast method with every format, of those that take any module."""

from __future__ import annotations

from precision.formats import FORMATS
from precision.spec.cast_methods import TORCHAO_FORMATS, CastMethod, formats_of

NEEDS_MORE = {CastMethod.FROM_PRETRAINED, CastMethod.DEFAULT_DTYPE, *TORCHAO_FORMATS}
"""A model of transformers, a constructor without arguments, or linear layers."""
EVERY_CAST = [
    (method, fmt)
    for method in CastMethod
    for fmt in FORMATS
    if formats_of(method, (fmt.name,)) and method not in NEEDS_MORE
]
