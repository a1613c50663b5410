"""All claims on models of every kind, as the facts have it; progress, cancelling, failures."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from precision.analyses import run
from precision.claims.catalogue import CLAIMS, claims_named
from precision.errors import InputError, JobCancelledError
from precision.measure.claims import measure_claims as measure
from precision.measure.claims import table
from precision.progress import Silent
from precision.results import ClaimsResult, ClaimWord, MeasuredClaim
from precision.spec import Analysis, CastMethod, RunSpec
from tests.measure.claims.subjects import SPEC
from tests.runs import Recorder, measure_claims, with_model
from tests.zoo.awkward_models import Rotary

TIMED = ("twice-as-fast", "half-faster")
COSTLY = ("modules-without-half", "small-error", "no-impact", "most-models", *TIMED)
"""Of the device, or of whole comparisons."""
EVERYWHERE: dict[str, ClaimWord] = {
    "loaded-in-float32": "depends",
    "half-casts-parameters": "true",
    "cpu-throws": "false",
    "article-numbers": "true",
    "half-from-transformers": "false",
    "half-only-transformers": "false",
    "quantization": "false",
    "internal-state": "false",
    "activations-cast": "true",
    "inputs-cast": "false",
    "memory-halved": "true",
}
"""What holds of every model below."""
ALIKE: dict[str, ClaimWord] = {
    "to-casts-more": "false",
    "interchangeable": "false",
    "outputs-cast": "false",
    "half-optimized": "false",
}
"""What holds of models without complex tensors."""


def verdicts(result: ClaimsResult) -> dict[str, ClaimWord]:
    return {claim.id: claim.verdict for claim in result.claims}


def measured(result: ClaimsResult, claim: str) -> MeasuredClaim:
    return next(row for row in result.claims if row.id == claim)


def numbers(claim: MeasuredClaim) -> dict[str, float | None]:
    return {fact.label: fact.number for fact in claim.evidence}


def quick(model: str) -> ClaimsResult:
    only = [claim.id for claim in CLAIMS if claim.id not in COSTLY]
    return measure_claims(RunSpec(model=model, analysis=Analysis.CLAIMS), only=only)


def test_tinynet_has_a_verdict_on_every_claim() -> None:
    result = run(SPEC, Silent())
    assert isinstance(result, ClaimsResult)
    assert [claim.id for claim in result.claims] == [claim.id for claim in CLAIMS]
    assert result.of == len(CLAIMS)
    expected = EVERYWHERE | ALIKE | {"named-parameters": "true", "no-impact": "depends", "small-error": "true"}
    expected |= {"half-faster": "false", "modules-without-half": "true"}
    assert {claim: verdicts(result)[claim] for claim in expected} == expected
    assert all(claim.finding and claim.snippet for claim in result.claims)
    assert numbers(measured(result, "article-numbers"))["Largest here"] == 0.00022590160369873047
    assert numbers(measured(result, "memory-halved")) == {
        "Before": 120, "After half()": 60, "Change": None, "Not in 16 bits": None
    }  # fmt: skip
    assert ClaimsResult.model_validate_json(result.model_dump_json()) == result


def test_batch_norm_has_buffers_of_both_kinds() -> None:
    result = quick("resnet-tiny")
    expected = EVERYWHERE | ALIKE | {"named-parameters": "depends"}
    assert {claim: verdicts(result)[claim] for claim in expected} == expected
    assert numbers(measured(result, "to-casts-more"))["Floating-point buffers of the model"] == 24
    assert "num_batches_tracked (int64)" in measured(result, "to-casts-more").evidence[-1].text
    assert measured(result, "inputs-cast").evidence[0].text == "the model"


def test_t5_loses_its_float32_islands_by_either_call() -> None:
    result = quick("t5-tiny")
    expected = EVERYWHERE | ALIKE
    assert {claim: verdicts(result)[claim] for claim in expected} == expected
    names, *counts = measured(result, "half-optimized").evidence[-4:]
    assert names.text == "wo"
    assert [fact.number for fact in counts] == [4, 0, 0]


def test_tied_tensors_count_once() -> None:
    result = quick("t5-tiny")
    assert numbers(measured(result, "to-casts-more"))["Cast by half()"] == 47
    returned = measured(result, "half-casts-parameters").evidence[-1]
    assert returned.text.endswith("; 47 tensors of the original changed")
    facts = [fact.text for claim in result.claims for fact in claim.evidence]
    parts = [part for text in facts for part in re.findall(r"([\d,]+) of ([\d,]+)", text)]
    assert parts
    assert all(int(part.replace(",", "")) <= int(whole.replace(",", "")) for part, whole in parts)


def test_a_bert_classifier_keeps_its_integer_buffers() -> None:
    result = quick("bert-tiny")
    expected = EVERYWHERE | ALIKE | {"named-parameters": "depends"}
    assert {claim: verdicts(result)[claim] for claim in expected} == expected
    assert "position_ids (int64)" in measured(result, "to-casts-more").evidence[-1].text


def test_a_complex_buffer_is_the_one_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    with_model(monkeypatch, Rotary(), torch.randn(2, 4))
    only = [claim.id for claim in CLAIMS if claim.id not in COSTLY]
    result = measure_claims(SPEC, only=[*only, "half-faster"])
    expected = EVERYWHERE | {
        "to-casts-more": "depends", "interchangeable": "depends", "half-optimized": "depends",
        "named-parameters": "depends", "memory-halved": "depends", "outputs-cast": "depends",
    }  # fmt: skip
    assert {claim: verdicts(result)[claim] for claim in expected} == expected
    more = {fact.label: fact.text for fact in measured(result, "to-casts-more").evidence}
    assert more["Cast by to(torch.float16) alone"] == "freqs_cis (complex64)"
    assert "discards the imaginary part" in more["Warning of to(torch.float16)"]
    sizes = [fact.number for fact in measured(result, "half-faster").evidence if fact.unit == "bytes"]
    assert sizes == [2 * 20 + 2 * 8, 2 * 20 + 2 * 2]


@pytest.mark.parametrize(("factor", "verdict"), [(1, "depends"), (-1, "false")])
def test_results_that_change_may_decide_the_same(
    factor: int, verdict: ClaimWord, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = nn.Module.half

    def half(module: nn.Module) -> nn.Module:
        usual(module)
        for parameter in module.parameters():
            parameter.data = parameter.data * factor
        return module

    monkeypatch.setattr(nn.Module, "half", half)
    result = measure_claims(RunSpec(model="linear-5-10", analysis=Analysis.CLAIMS), only=["no-impact"])
    assert verdicts(result) == {"no-impact": verdict}
    changed = numbers(result.claims[0])["Samples that change class"]
    assert changed is not None
    assert (changed > 0) == (factor == -1)


def test_progress_names_each_claim_and_partial_results_grow() -> None:
    recorder = Recorder()
    only = ["named-parameters", "half-casts-parameters", "quantization"]
    result = measure_claims(SPEC, recorder, only=only)
    claims = [claim.id for claim in result.claims]
    assert claims == only
    assert [list(verdicts(partial)) for partial in partials(recorder)] == [only[:1], only[:2], only]
    assert all(partial.of == 3 for partial in partials(recorder))
    assert recorder.fractions == sorted(recorder.fractions)
    assert recorder.stages[1:] == [claim.question for claim in result.claims]


def partials(recorder: Recorder) -> list[ClaimsResult]:
    return [partial for partial in recorder.partials if isinstance(partial, ClaimsResult)]


def test_it_can_be_cancelled_between_claims_and_inside_one() -> None:
    for claim in claims_named(["half-casts-parameters", "small-error"]):
        recorder = Recorder(claim.question)
        with pytest.raises(JobCancelledError):
            measure_claims(SPEC, recorder, only=["half-casts-parameters", "small-error"])
    inside = Recorder("Running the float32 reference head")
    with pytest.raises(JobCancelledError):
        measure_claims(SPEC, inside, only=["half-casts-parameters", "twice-as-fast"])
    assert [list(verdicts(partial)) for partial in partials(inside)] == [["half-casts-parameters"]]


class Refusing(nn.Module):
    """Runs in no dtype."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("not today")


def test_a_model_that_raises_does_not_lose_the_other_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Refusing(), torch.randn(2, 3))
    result = measure_claims(SPEC, only=["small-error", "activations-cast", "half-faster", "half-casts-parameters"])
    assert verdicts(result) == {
        "small-error": "not testable here",
        "half-casts-parameters": "true",
        "activations-cast": "not testable here",
        "half-faster": "not testable here",
    }
    for claim in result.claims:
        assert claim.id == "half-casts-parameters" or "not today" in claim.finding


def test_an_experiment_that_raises_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_subject: object) -> object:
        raise ZeroDivisionError("never mind")

    monkeypatch.setattr(measure, "EXPERIMENTS", {**table.EXPERIMENTS, "quantization": broken})
    result = measure_claims(SPEC, only=["half-casts-parameters", "quantization"])
    assert verdicts(result) == {"half-casts-parameters": "true", "quantization": "not testable here"}
    assert result.claims[1].finding == "The experiment could not be carried out: never mind"


def test_torchs_global_state_is_left_as_it_was() -> None:
    def state() -> tuple[object, ...]:
        return (
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.is_warn_always_enabled(),
            torch.backends.cuda.matmul.allow_tf32,
            torch.random.get_rng_state().tolist(),
        )

    torch.manual_seed(5)
    before = state()
    quick("tinynet")
    assert state() == before


def test_the_callers_model_is_never_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with_model(monkeypatch, model, torch.randn(2, 3))
    measure_claims(SPEC, only=[claim.id for claim in CLAIMS if claim.id not in COSTLY])
    assert all(torch.equal(tensor, kept[name]) for name, tensor in model.state_dict().items())
    assert {tensor.dtype for tensor in model.state_dict().values()} == {torch.float32, torch.int64}
    assert not any(child._forward_hooks or child._forward_pre_hooks for child in model.modules())


def test_unknown_claims_are_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"Unknown claim 'intrenal-state'. Did you mean internal-state"):
        measure_claims(SPEC, only=["intrenal-state"])
    with pytest.raises(InputError, match=r"Known: loaded-in-float32, "):
        claims_named(["xyz"])


def test_every_claim_has_an_experiment_and_words_of_its_own() -> None:
    assert set(table.EXPERIMENTS) == {claim.id for claim in CLAIMS}
    assert len({claim.question for claim in CLAIMS}) == len(CLAIMS)


def test_settings_that_claims_do_not_read_need_no_new_run() -> None:
    other = RunSpec(analysis=Analysis.CLAIMS, dtype="bfloat16", method=CastMethod.BFLOAT16, keep=("head",))
    assert other.measured == SPEC
    assert RunSpec(analysis=Analysis.CLAIMS, seed=1).measured != SPEC
