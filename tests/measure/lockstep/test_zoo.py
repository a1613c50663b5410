"""Every awkward model runs side by side with its cast self, or explains why it does not."""

from __future__ import annotations

import threading

import pytest
import torch

from precision.results.layers import LayersReport
from tests.measure.lockstep.side_by_side import lockstep
from tests.zoo.cases import ZOO

STOPS = {
    ("float32 mask", "float16"): ("inner.1", "linear"),
    ("float32 mask", "bfloat16"): ("inner.1", "linear"),
    ("mask of -1e9", "float16"): ("", "masked_fill"),
    ("fft", "float16"): ("", "fft_rfft"),
    ("fft", "bfloat16"): ("", "fft_rfft"),
    ("no kernel", "float16"): ("", "linalg_inv"),
    ("no kernel", "bfloat16"): ("", "linalg_inv"),
}
"""Where and at which operator a model cannot go on; all others compare."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("observed", ["modules", "everything"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ZOO)
def test_it_compares_or_explains_itself(name: str, dtype: str, observed: str) -> None:
    torch.manual_seed(11)
    exhibit = ZOO[name]
    everything = observed == "everything"
    report = lockstep(
        exhibit.build(),
        *exhibit.inputs,
        name=dtype,
        kwargs=exhibit.kwargs,
        operators=everything,
        decompose=everything,
        verify=True,
        timeout_s=30.0,
    )
    if (name, dtype) in STOPS:
        assert report.stopped is not None
        assert (report.stopped.fqn, report.stopped.operator) == STOPS[name, dtype]
    else:
        assert report.stopped is None
        assert report.observer is not None
        assert not report.observer.changed or (everything and name == "transformer encoder")
        assert all(row.finished is not None for row in report.rows)
    assert all(divergence.resumed for divergence in report.divergences) or report.stopped
    assert LayersReport.model_validate_json(report.model_dump_json()) == report
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lockstep")]
