import pytest
import torch

from precision.measure.models.digits import test_set as held_out
from precision.measure.models.loading import load
from precision.measure.models.train_digits import split
from precision.spec import RunSpec


def test_the_accuracy_is_the_catalogues() -> None:
    model = load(RunSpec(model="digits"))
    assert model.labels is not None
    with torch.no_grad():
        right = int((model.module(*model.args).argmax(1) == model.labels).sum())
    total = len(model.labels)
    assert model.description.accuracy == (
        f"{100 * right / total:.1f} % ({right} of the {total} held-out images right, in float32)"
    )
    assert model.input.real


def test_the_stored_images_are_those_the_training_held_out() -> None:
    train_images, train_labels, test_images, test_labels = split()
    images, labels = held_out()
    assert len(train_images) == len(train_labels) == 1797 - 450
    assert torch.equal((images.squeeze(1) * 16).to(torch.uint8), test_images)
    assert torch.equal(labels, test_labels.long())


def test_no_held_out_image_was_trained_on() -> None:
    train_images, _, test_images, _ = split()
    seen = {image.numpy().tobytes() for image in train_images}
    assert not any(image.numpy().tobytes() in seen for image in test_images)


@pytest.mark.parametrize("batch", [1, 7])
def test_batch_takes_the_first_images(batch: int) -> None:
    model = load(RunSpec(model="digits", batch=batch))
    images, labels = held_out()
    assert model.labels is not None
    assert torch.equal(model.labels, labels[:batch])
    assert model.input.tensors == (("images", "float32", (batch, 1, 8, 8)),)
    (loaded,) = model.args
    assert isinstance(loaded, torch.Tensor)
    assert torch.equal(loaded, images[:batch])


def test_random_pixels_have_no_labels() -> None:
    model = load(RunSpec(model="digits", input="random", batch=2))
    assert model.labels is None
    assert not model.input.real


def test_it_has_integer_buffers() -> None:
    model = load(RunSpec(model="digits"))
    assert torch.int64 in {buffer.dtype for buffer in model.module.buffers()}
