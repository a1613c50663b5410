"""The code beside each claim runs by itself, and prints what was measured."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from precision.claims.catalogue import CLAIMS, claims_named
from precision.measure.claims.snippet import snippet
from precision.measure.claims.subject import Subject
from precision.measure.claims.table import EXPERIMENTS
from precision.measure.models.loading import load
from precision.spec import Analysis, RunSpec

COSTLY = ("cpu-throws", "twice-as-fast", "half-faster")
"""They time the model, or run many operators besides."""
ON_MODEL = [claim.id for claim in CLAIMS if claim.on_model and claim.id not in COSTLY]


def code_of(claim: str, spec: RunSpec) -> str:
    loaded = load(spec)
    return snippet(claims_named([claim])[0], spec, kind=type(loaded.module).__name__, given=loaded.input)


def printed_by(code: str) -> str:
    """What code prints that is run here, as if it were a file of its own."""
    said = io.StringIO()
    before = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()
    with contextlib.redirect_stdout(said), torch.random.fork_rng(devices=[]):
        exec(compile(code, "snippet", "exec"), {"__name__": "__main__"})  # noqa: S102, our own code
    assert (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()) == before
    return said.getvalue()


def test_every_snippet_runs_and_needs_nothing_of_the_product() -> None:
    for claim in CLAIMS:
        code = code_of(claim.id, RunSpec())
        assert "precision" not in code.replace("half-precision", "").replace("half precision", ""), claim.id
        assert printed_by(code).strip(), claim.id


@pytest.mark.parametrize("claim", ["half-casts-parameters", "modules-without-half"])
def test_a_snippet_runs_in_a_process_of_its_own(claim: str, tmp_path: Path) -> None:
    file = tmp_path / "snippet.py"
    file.write_text(code_of(claim, RunSpec()))
    done = subprocess.run(
        [sys.executable, "-I", file], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("model", ["t5-tiny", "digits"])
def test_every_snippet_runs_on_tied_tensors_islands_and_buffers(model: str) -> None:
    for claim in ON_MODEL:
        assert printed_by(code_of(claim, RunSpec(model=model))), claim


@pytest.mark.parametrize("model", ["linear-5-10", "bert-tiny", "resnet-tiny", "whisper-tiny"])
def test_a_model_of_every_kind_is_made_and_runs(model: str) -> None:
    assert printed_by(code_of("no-impact", RunSpec(model=model)))


@pytest.mark.parametrize("model", ["tinynet", "t5-tiny", "resnet-tiny"])
def test_a_snippet_prints_the_numbers_of_the_evidence(model: str) -> None:
    spec = RunSpec(model=model, analysis=Analysis.CLAIMS)
    on = Subject(spec, load(spec), torch.device("cpu"), lambda _done, _detail: None)
    for claim in ("memory-halved", "outputs-cast", "half-casts-parameters"):
        printed = printed_by(code_of(claim, spec))
        for fact in EXPERIMENTS[claim](on).evidence:
            if fact.number is not None and "tied" not in fact.label:
                assert f"{fact.number:.0f}" in printed, (claim, printed)


def test_a_snippet_reproduces_the_error_of_the_product() -> None:
    for model in ("tinynet", "linear-5-10"):
        spec = RunSpec(model=model, analysis=Analysis.CLAIMS)
        on = Subject(spec, load(spec), torch.device("cpu"), lambda _done, _detail: None)
        facts = {fact.label: fact.number for fact in EXPERIMENTS["small-error"](on).evidence}
        measured = float(printed_by(code_of("small-error", spec)).splitlines()[0].rpartition(" ")[2])
        assert measured == pytest.approx(facts["Root mean square error"], rel=1e-6)


def test_a_checkpoint_is_loaded_by_its_own_class_in_plain_code() -> None:
    given = load(RunSpec(model="bert-tiny")).input
    code = snippet(claims_named(["memory-halved"])[0], RunSpec(model="hf:some/model"), kind="BertModel", given=given)
    assert "model = BertModel.from_pretrained('some/model', dtype=torch.float32).eval()" in code
    assert "precision" not in code
    compile(code, "snippet", "exec")


def test_a_snippet_names_the_device_of_the_run() -> None:
    given = load(RunSpec()).input
    for claim in CLAIMS:
        code = snippet(claim, RunSpec(device="box/cuda:1"), kind="TinyNet", given=given)
        assert "box/" not in code
        assert not claim.on_model or "device = torch.device('cuda:1')" in code


def test_every_snippet_runs_on_a_checkpoint_of_ones_own(tmp_path: Path) -> None:
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        architectures=["BertForSequenceClassification"],
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    spec = RunSpec(model=f"hf:{tmp_path}", input="random", analysis=Analysis.CLAIMS)
    for claim in ON_MODEL:
        assert printed_by(code_of(claim, spec)), claim
    on = Subject(spec, load(spec), torch.device("cpu"), lambda _done, _detail: None)
    for fact in EXPERIMENTS["memory-halved"](on).evidence:
        assert fact.number is None or f"{fact.number:.0f}" in printed_by(code_of("memory-halved", spec))
