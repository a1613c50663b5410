"""Plans of real and of small models: what was predicted, beside the run."""

from __future__ import annotations

import pytest

import precision as px
from precision.findings.plan import doubts_text

FORMATS = {
    "digits": ("bfloat16", "int8", "mxfp4"),
    "bert-tiny": ("bfloat16", "float16"),
    "gpt2-tiny": ("bfloat16", "float16", "int8"),
    "t5-tiny": ("bfloat16", "float16"),
    "vit-tiny": ("bfloat16", "float8_e4m3fn"),
    "resnet-tiny": ("float16", "int8"),
}
SHARES = (0.55, 0.65, 0.8)
WITHIN = 1.25


@pytest.mark.slow
@pytest.mark.parametrize("model", FORMATS)
def test_plans_are_within_a_quarter_of_their_runs_or_flagged_before(model: str) -> None:
    found = px.sensitivity(px.load(model), formats=FORMATS[model], progress=False)
    report = found.result.report
    assert report is not None
    for share in SHARES:
        plan = found.plan(bytes_share=share)
        doubts = doubts_text(plan.plan, report)
        ratio = plan.verify().ratio
        assert ratio is not None
        assert 1 / WITHIN <= ratio <= WITHIN or doubts, (share, ratio)


def test_few_output_numbers_are_said() -> None:
    few = px.sensitivity(px.load("bert-tiny"), formats=("bfloat16", "float16"), progress=False)
    many = px.sensitivity(px.load("digits", batch=64), formats=("bfloat16", "float16"), progress=False)
    for found, is_few in ((few, True), (many, False)):
        assert found.result.report is not None
        plan = found.plan(bytes_share=0.55)
        assert ("numbers" in doubts_text(plan.plan, found.result.report)) == is_few
