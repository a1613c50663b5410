"""What a model that transformers itself quantized by torchao does when it is cast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from precision.errors import UnsupportedError
from precision.formats import any_format_named
from precision.measure.casting.methods import cast
from precision.measure.models.loading import load
from precision.measure.models.quiet import quiet_transformers
from precision.spec import RunSpec
from precision.spec.cast_methods import CastMethod


@pytest.fixture
def quantized(tmp_path: Path) -> Any:
    plain: Any = load(RunSpec(model="bert-tiny")).module
    with quiet_transformers():
        import transformers
        from torchao.quantization import Int8WeightOnlyConfig

        plain.save_pretrained(tmp_path)
        config = transformers.TorchAoConfig(Int8WeightOnlyConfig())
        return type(plain).from_pretrained(tmp_path, quantization_config=config, dtype=torch.float32)


def test_half_and_float_are_refused_and_the_other_casts_are_not(quantized: Any) -> None:
    for name in ("half", "float"):
        with pytest.raises(ValueError, match=rf"`\.{name}\(\)` is not supported for quantized model"):
            getattr(quantized, name)()
    quantized.to(torch.float16)
    assert quantized.dtype == torch.float16
    assert {parameter.dtype for parameter in quantized.parameters()} == {torch.float16, torch.float32}
    quantized.bfloat16()
    assert quantized.dtype == torch.bfloat16


def test_it_is_no_model_to_cast(quantized: Any) -> None:
    with pytest.raises(UnsupportedError, match="is a Int8Tensor, which wraps other tensors"):
        cast(quantized, any_format_named("float16"), method=CastMethod.TO, device=torch.device("cpu"))
