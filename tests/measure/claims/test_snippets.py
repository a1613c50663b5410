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

from precision.claims.catalogue import CLAIMS
from precision.claims.claim import Claim
from precision.claims.snippets import snippet
from precision.claims.snippets.alone import ALONE
from precision.claims.snippets.on_model import ON_MODEL
from precision.measure.claims.experiments.subject import Subject
from precision.measure.claims.experiments.table import EXPERIMENTS
from precision.measure.models.loading import load
from precision.spec import Analysis, RunSpec


def code_of(claim: str, spec: RunSpec) -> str:
    loaded = load(spec)
    return snippet(claim, spec, kind=type(loaded.module).__name__, given=loaded.input)


def printed_by(code: str) -> str:
    """What code prints that is run here, as if it were a file of its own."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), torch.random.fork_rng(devices=[]):
        exec(compile(code, "snippet", "exec"), {"__name__": "__main__"})  # noqa: S102, our own code
    return said.getvalue()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_snippet_runs_in_a_process_of_its_own(claim: Claim, tmp_path: Path) -> None:
    code = code_of(claim.id, RunSpec())
    assert "precision" not in code.replace("half-precision", "")
    file = tmp_path / "snippet.py"
    file.write_text(code)
    done = subprocess.run(
        [sys.executable, "-I", file], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("model", ["linear-5-10", "bert-tiny", "t5-tiny", "resnet-tiny", "whisper-tiny", "digits"])
def test_every_snippet_runs_on_models_of_every_kind(model: str) -> None:
    for claim in ON_MODEL:
        if "faster" not in claim and "fast" not in claim:
            assert printed_by(code_of(claim, RunSpec(model=model))), claim


@pytest.mark.parametrize("model", ["tinynet", "linear-5-10", "bert-tiny", "t5-tiny", "resnet-tiny"])
def test_a_snippet_prints_the_numbers_of_the_evidence(model: str) -> None:
    spec = RunSpec(model=model, analysis=Analysis.CLAIMS)
    on = Subject(spec, load(spec), torch.device("cpu"), lambda _done, _detail: None)
    for claim in ("memory-halved", "precision-kept", "same-goal"):
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


def test_every_claim_has_one_snippet() -> None:
    assert set(ALONE) | set(ON_MODEL) == {claim.id for claim in CLAIMS}
    assert not set(ALONE) & set(ON_MODEL)


def test_a_checkpoint_is_loaded_by_its_own_class_in_plain_code() -> None:
    given = load(RunSpec(model="bert-tiny")).input
    code = snippet("memory-halved", RunSpec(model="hf:some/model"), kind="BertModel", given=given)
    assert "model = BertModel.from_pretrained('some/model', dtype=torch.float32).eval()" in code
    assert "import precision" not in code
    compile(code, "snippet", "exec")


def test_a_snippet_names_the_device_of_the_run() -> None:
    given = load(RunSpec()).input
    for claim in CLAIMS:
        code = snippet(claim.id, RunSpec(device="box/cuda:1"), kind="TinyNet", given=given)
        assert "box/" not in code
        assert "DEVICE" not in code
        if claim.id in ON_MODEL:
            assert ".to('cuda:1')" in code


def test_every_snippet_runs_on_a_checkpoint_of_ones_own(tmp_path: Path) -> None:
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        architectures=["BertForSequenceClassification"],
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    spec = RunSpec(model=f"hf:{tmp_path}", input="random", analysis=Analysis.CLAIMS)
    for claim in ON_MODEL:
        if "faster" not in claim and "fast" not in claim:
            assert printed_by(code_of(claim, spec)), claim
    on = Subject(spec, load(spec), torch.device("cpu"), lambda _done, _detail: None)
    for fact in EXPERIMENTS["memory-halved"](on).evidence:
        assert fact.number is None or f"{fact.number:.0f}" in printed_by(code_of("memory-halved", spec))
