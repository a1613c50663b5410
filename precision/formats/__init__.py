"""Number formats: the table, formats that are typed, formats with scales, and one number in a format."""

from precision.formats.look import Look
from precision.formats.numeric import NumericFormat
from precision.formats.scaled import Grouping, IntegerGrid, Scale, ScaledFormat
from precision.formats.table import (
    ALL_FORMATS,
    FORMATS,
    GROUPINGS,
    SCALED_FORMATS,
    AnyFormat,
    any_format_named,
    default_formats,
    format_named,
    formats_with,
    ulp_format,
)
