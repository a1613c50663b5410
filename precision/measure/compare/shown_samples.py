"""The samples of a real input that say most: those that changed, then the closest calls."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from precision.measure.compare.shown_tokens import shown_tokens
from precision.measure.metrics.outputs import Flattened, paired
from precision.measure.models.loading import LoadedModel
from precision.results import ClassDecisions, Comparison, NeighbourDecisions, OutputComparison, Picture, ShownSample
from precision.spec.output_kinds import OutputKind

SHOWN = 10
MOST_PIXELS = 64
"""Of a side; a larger picture is made smaller."""
MOST_CHARACTERS = 300
MOST_ELEMENTS = 2**23
"""Of an output; of a larger one, no samples are shown."""


def shown_samples(
    comparison: Comparison, loaded: LoadedModel, reference: Flattened, candidate: Flattened
) -> tuple[ShownSample, ...]:
    """Up to ten, the worst first, by the first output that decides one thing for each picture or text.

    Of class scores, those that change class, then those whose first two classes are closest in the reference; of
    vectors, those of the lowest cosine similarity; of logits of tokens, see `shown_tokens`. None of an input that is
    not real, or is neither pictures nor texts.
    Samples with a value that is not finite are left out.
    """
    pictures = _pictures(loaded)
    count = len(pictures) if pictures is not None else len(loaded.texts)
    if not loaded.input.real or not count:
        return ()
    pairs = {pair[0].path: pair for pair in paired(reference, candidate).pairs}
    for output in comparison.outputs:
        if output.shape[:1] != (count,) or math.prod(output.shape) > MOST_ELEMENTS:
            continue
        if output.kind is OutputKind.TOKEN_LOGITS and isinstance(output.decisions, ClassDecisions):
            if found := shown_tokens(*pairs[output.path], loaded):
                return tuple(found)
            continue
        r, y = (leaf.padded().detach().cpu().double() for leaf in pairs[output.path])
        if isinstance(output.decisions, ClassDecisions) and r.dim() == 2:
            found = _of_classes(r, y, output, loaded.labels)
        elif isinstance(output.decisions, NeighbourDecisions):
            found = _of_vectors(r.flatten(1), y.flatten(1))
        else:
            continue
        seen = _seen(pictures, loaded.texts)
        return tuple(sample.model_copy(update=seen(sample.place)) for sample in found)
    return ()


def _of_classes(r: Tensor, y: Tensor, output: OutputComparison, labels: Tensor | None) -> list[ShownSample]:
    finite = _finite(r, y)
    if output.kind is not OutputKind.CLASS_PROBABILITIES:
        r, y = r.softmax(-1), y.softmax(-1)
    (most, first), (own, second) = r.max(-1), y.max(-1)
    closeness = r.topk(min(2, r.shape[1]), -1).values
    margin = closeness[:, 0] - closeness[:, -1]
    order = sorted(finite, key=lambda place: (bool(first[place] == second[place]), float(margin[place])))
    known = labels is not None and labels.shape == first.shape
    return [
        ShownSample(
            place=place,
            classes=(int(first[place]), int(second[place])),
            probabilities=(float(most[place]), float(own[place])),
            true_class=int(labels[place]) if known and labels is not None else None,
        )
        for place in order[:SHOWN]
    ]


def _of_vectors(r: Tensor, y: Tensor) -> list[ShownSample]:
    cosines = functional.cosine_similarity(r, y, dim=1)
    order = sorted(_finite(r, y), key=lambda place: float(cosines[place]))
    return [ShownSample(place=place, cosine=float(cosines[place])) for place in order[:SHOWN]]


def _finite(r: Tensor, y: Tensor) -> list[int]:
    found: list[int] = (torch.isfinite(r).all(1) & torch.isfinite(y).all(1)).nonzero().flatten().tolist()
    return found


def _seen(pictures: Tensor | None, texts: Sequence[str]) -> Callable[[int], dict[str, object]]:
    """What is shown of the sample at a place."""
    if pictures is None:
        return lambda place: {"text": texts[place][:MOST_CHARACTERS]}
    black, white = pictures.aminmax()
    return lambda place: {"picture": _picture(pictures[place], black, white)}


def _pictures(loaded: LoadedModel) -> Tensor | None:
    """The input `(samples, channels, height, width)` that can be seen as pictures; None without one."""
    given = [*loaded.args, *loaded.kwargs.values()]
    return next((each for each in given if isinstance(each, Tensor) and _are_pictures(each)), None)


def _are_pictures(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.dim() == 4 and tensor.shape[1] in (1, 3) and bool(tensor.numel())


def _picture(values: Tensor, black: Tensor, white: Tensor) -> Picture:
    side = max(values.shape[1:])
    if side > MOST_PIXELS:
        size = [max(1, round(each * MOST_PIXELS / side)) for each in values.shape[1:]]
        values = functional.interpolate(values[None], size, mode="area")[0]
    bright = ((values - black) / (white - black).clamp_min(1e-12)).nan_to_num().clamp(0, 1)
    pixels = (bright * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    height, width, channels = pixels.shape
    return Picture(height=height, width=width, channels=channels, pixels=base64.b64encode(pixels.tobytes()).decode())
