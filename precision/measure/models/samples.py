"""Samples for a model to read, see or hear: those that ship, and a user's own files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from precision import models

_SHIPPED = Path(models.__file__).parent / "samples"

SENTENCES = (
    "The train to the coast leaves at seven in the morning.",
    "She measured the table twice before she cut the board.",
    "Prices rose by three percent over the past year.",
    "I would not buy this kettle again, it broke within a week.",
    "A small error at the start can grow with every step that follows.",
    "The museum is closed on Mondays, but the garden stays open.",
    "What a wonderful concert, we stayed until the last song.",
    "Heavy rain is expected in the north this weekend.",
)
"""What a model reads where the user writes nothing."""
_SEEN = {
    "chelsea.jpg": "A photograph of a cat.",
    "coffee.jpg": "A cup of coffee on a table.",
    "rocket.jpg": "A rocket on its launch pad.",
}
_HEARD = {
    "not-ill-disposed.flac": "He was not an ill disposed young man.",
    "amiable-himself.flac": "He might even have been made amiable himself.",
}


@dataclass(frozen=True)
class Samples:
    """One text, picture or recording for each sample, or several of these."""

    texts: tuple[str, ...] = ()
    pictures: tuple[Path, ...] = ()
    recordings: tuple[Path, ...] = ()
    labels: tuple[str, ...] = ()
    """True classes, by number or name; empty where they are not known."""

    def __len__(self) -> int:
        return max(map(len, (self.texts, self.pictures, self.recordings)))

    def first(self, count: int | None) -> Self:
        """The first so many; all for None."""
        return self._part(slice(count))

    def in_batches(self, count: int) -> list[Self]:
        """All, so many at a time."""
        return [self._part(slice(start, start + count)) for start in range(0, len(self), count)]

    def _part(self, part: slice) -> Self:
        return type(self)(self.texts[part], self.pictures[part], self.recordings[part], self.labels[part])


def shipped(*, pictures: bool, sound: bool) -> Samples:
    """Sentences; or pictures or recordings, each with what is to be seen or heard."""
    if pictures:
        return Samples(texts=tuple(_SEEN.values()), pictures=tuple(_SHIPPED / name for name in _SEEN))
    if sound:
        return Samples(texts=tuple(_HEARD.values()), recordings=tuple(_SHIPPED / name for name in _HEARD))
    return Samples(texts=SENTENCES)


def lines_of(text: str) -> tuple[str, ...]:
    """The lines that are not empty."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())
