"""What outputs are taken for: by what the caller says, by name, by values; and never without a reason."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from precision.errors import InputError
from precision.measure.metrics.output_kinds import Known
from precision.measure.metrics.outputs import flatten
from precision.spec.output_kinds import OutputKind, kinds_of

SCORES = torch.tensor([[2.0, -1.0, 0.5], [-3.0, 1.0, 4.0], [0.1, 0.2, 5.0]])


def taken(output: object, known: Known | None = None) -> OutputKind:
    found = (known or Known()).taken(flatten(output).leaves[0])
    assert found.why.endswith(".")
    return found.kind


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ({"logits": SCORES}, "class-scores"),
        ({"start_logits": SCORES}, "class-scores"),
        ({"logits": SCORES.expand(2, 3, 3)}, "token-logits"),
        ({"logits": torch.randn(2, 5, 16, 16)}, "other"),
        ({"logits": SCORES.softmax(1)}, "class-probabilities"),
        (SCORES.softmax(1), "class-probabilities"),
        (torch.randn(2, 5, 16, 16).softmax(1), "class-probabilities"),
        (torch.randn(2, 5, 7).softmax(1), "class-probabilities"),
        (SCORES.sigmoid(), "probabilities"),
        (torch.rand(1, 200), "probabilities"),
        ({"pooler_output": SCORES}, "embedding"),
        ({"pooler_output": SCORES.expand(2, 3, 3)}, "embedding"),
        ({"pred_boxes": 100 * torch.rand(2, 5, 4)}, "boxes"),
        ({"waveform": torch.randn(2, 800)}, "audio"),
        (torch.randn(2, 3, 16, 16), "image"),
        (torch.rand(2, 1, 16, 16), "image"),
        (torch.randn(5), "regression"),
        (torch.randn(5, 1), "regression"),
        (SCORES, "other"),
        (SCORES[:1], "other"),
        (SCORES.relu(), "other"),
        ({"hidden": torch.randn(2, 3, 8)}, "other"),
        (torch.zeros(4, 2, dtype=torch.int64), "other"),
        (torch.zeros(4, 2, dtype=torch.complex64), "other"),
        ({"logits": torch.zeros(0, 4)}, "other"),
    ],
)
def test_a_guess_rests_on_the_name_or_the_values(output: object, kind: str) -> None:
    assert taken(output) == kind


def test_labels_and_the_name_of_the_last_layer_are_evidence_of_classes() -> None:
    assert taken(SCORES, Known(labels=torch.zeros(3))) is OutputKind.CLASS_SCORES
    net = nn.Sequential()
    net.add_module("fc", nn.Linear(8, 3))
    known = Known.of(net, (), None)
    assert taken(SCORES, known) is OutputKind.CLASS_SCORES
    assert taken(SCORES[:1], known) is OutputKind.OTHER, "one row is no evidence"
    assert taken(torch.randn(3, 4), known) is OutputKind.OTHER


def test_what_the_caller_says_wins_where_the_shape_allows_it() -> None:
    known = Known.of(nn.Identity(), ("embedding", "logits=regression"), None)
    assert taken({"logits": SCORES}, known) is OutputKind.REGRESSION
    assert taken({"scores": SCORES}, known) is OutputKind.EMBEDDING
    assert taken(torch.randn(5), known) is OutputKind.REGRESSION, "no vectors in one dimension"


def test_an_output_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"no such output. It has: a, b\."):
        Known(chosen=kinds_of(("c=image",))).require(flatten({"a": Tensor([1.0]), "b": Tensor([1.0])}).leaves)


def test_unknown_and_contradicting_kinds_are_refused() -> None:
    with pytest.raises(InputError, match=r"Unknown kind of output 'picture'"):
        kinds_of(("picture",))
    with pytest.raises(InputError, match="two kinds"):
        kinds_of(("a=image", "a=audio"))
