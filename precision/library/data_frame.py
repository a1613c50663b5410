"""Tables as data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from precision.findings.tables import Table

if TYPE_CHECKING:
    import pandas as pd


def frame_of(table: Table) -> pd.DataFrame:
    """The same rows and columns; what is missing is None or NaN, and numbers stay numbers."""
    import pandas as pd

    return pd.DataFrame(list(table.rows), columns=list(table.names))
