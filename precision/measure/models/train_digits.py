"""Trains the digits network and stores its weights and the held-out images.

`python -m precision.measure.models.train_digits` does it. Needs scikit-learn.
The split, the seed and the thread count are fixed, so one machine gives the same weights twice.
"""

import sys

import torch
from safetensors.torch import save
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from precision.measure.models.digits import TEST_SET, WEIGHTS, DigitsNet, as_input

SEED = 0
EPOCHS = 30
BATCH = 64
LEARNING_RATE = 2e-3


def split() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Three quarters of the digits to train on, one to test: images and labels of each, uint8."""
    digits = load_digits()
    train_images, test_images, train_labels, test_labels = train_test_split(
        digits.images, digits.target, test_size=0.25, stratify=digits.target, random_state=SEED
    )
    parts = (train_images, train_labels, test_images, test_labels)
    images_a, labels_a, images_b, labels_b = (torch.from_numpy(part).to(torch.uint8) for part in parts)
    return images_a, labels_a, images_b, labels_b


def train(images: Tensor, labels: Tensor) -> DigitsNet:
    """The network after training on images `(N, 1, 8, 8)` and digits `(N,)`, in eval mode."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    network = DigitsNet()
    steps = EPOCHS * -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for chosen in torch.split(torch.randperm(len(images)), BATCH):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(images[chosen]), labels[chosen])
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    return network.eval()


def main() -> None:
    """Train, test, store."""
    images, labels, test_images, test_labels = split()
    network = train(as_input(images), labels.long())
    with torch.no_grad():
        right = int((network(as_input(test_images)).argmax(1) == test_labels).sum())
    WEIGHTS.write_bytes(save(network.state_dict()))
    TEST_SET.write_bytes(save({"images": test_images, "labels": test_labels}))
    sys.stdout.write(f"{right} of {len(test_labels)} held-out images right ({right / len(test_labels):.1%})\n")


if __name__ == "__main__":
    main()
