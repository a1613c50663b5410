"""Progress as a bar, in a notebook or a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from precision.progress import Progress, Silent
from precision.text.names import plain


class Bar(Silent):
    """Progress that moves a bar of tqdm, which has 100 parts."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def step(self, stage: str, fraction: float, detail: str = "") -> None:
        """Move the bar."""
        self._bar.set_description_str(f"{stage} {plain(detail)}".rstrip(), refresh=False)
        self._bar.update(max(0.0, 100 * fraction - self._bar.n))


@contextmanager
def bar(shown: bool | None) -> Iterator[Progress]:
    """A bar that is gone at the end, if it is to be `shown`; None: in a notebook or a terminal alone."""
    if shown is None:
        shown = "ipykernel" in sys.modules or sys.stderr.isatty()
    if not shown:
        yield Silent()
        return
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    form = "{percentage:3.0f}%|{bar}| {desc} [{elapsed}]"
    with tqdm(total=100, leave=False, bar_format=form) as made:
        yield Bar(made)
