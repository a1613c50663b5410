"""How names from a user or a model are shown: layers, tensors, files, labels.

Such names are text, never markup: `![x](http://…)` in a layer's name would otherwise make a browser fetch
that address, and `weight_norm__x*y*z` would lose its characters to emphasis.
"""

import html
import re
import unicodedata
from collections.abc import Container

NAME_CHARACTERS = 60
"""Longest name in a chart or a sentence; tables show names whole (`plain(name, limit=None)`)."""
UNNAMED = "(unnamed)"

_SPACES = frozenset({"Zs", "Zl", "Zp"})
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Control, format (bidirectional overrides and zero-width characters among them), surrogate, private, unassigned."""
_BACKTICKS = re.compile("`+")


def plain(name: str, *, limit: int | None = NAME_CHARACTERS) -> str:
    """`name` as harmless text, for places that interpret no markup.

    Unicode NFC. Line breaks and tabs become spaces; other control, bidirectional and zero-width characters are removed.
    Names longer than `limit` characters lose their middle. An empty name becomes `(unnamed)`.

    >>> plain("a\\u202eb\\nc")
    'ab c'
    >>> plain("encoder.layer.11.attention.weight", limit=20)
    'encoder…ntion.weight'
    """
    visible = "".join(_shown(character) for character in unicodedata.normalize("NFC", name))
    text = " ".join(visible.split()) or UNNAMED
    if limit is None or len(text) <= limit:
        return text
    # Names of sibling modules differ at the end, so the end keeps the larger part.
    head = (limit - 1) * 2 // 5
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if category in _SPACES or character in "\t\n\r":
        return " "
    return "" if category in _INVISIBLE else character


def enclosing(fqn: str, known: Container[str]) -> str:
    """The innermost of the `known` modules that contains `fqn`; "", the model itself, where there is none.

    >>> enclosing("encoder.layers.0.weight", {"encoder", "encoder.layers.0"})
    'encoder.layers.0'
    >>> enclosing("weight", {"encoder"})
    ''
    """
    while "." in fqn:
        fqn = fqn.rpartition(".")[0]
        if fqn in known:
            return fqn
    return ""


def for_plotly(name: str, *, limit: int | None = NAME_CHARACTERS) -> str:
    """`name` for a chart's titles, labels and hover texts, where plotly interprets tags and `%{…}`.

    >>> for_plotly("<b>%{y}</b>")
    '&lt;b&gt;&#37;{y}&lt;/b&gt;'
    """
    return escape_plotly(plain(name, limit=limit))


def escape_plotly(text: str) -> str:
    """Any text with everything escaped that plotly would interpret."""
    return html.escape(text).replace("%{", "&#37;{")


def for_markdown(name: str, *, limit: int | None = NAME_CHARACTERS) -> str:
    """`name` as a code span: there, no renderer looks for links, emphasis, colours, maths or emoji.

    Not for cells of a markdown table, where a `|` still ends the cell.

    >>> for_markdown("x*y")
    '`x*y`'
    >>> for_markdown("a`b")
    '`` a`b ``'
    """
    text = plain(name, limit=limit)
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{text}{pad}{fence}"


_MARKDOWN_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def escape_markdown(text: str) -> str:
    """A whole message, including names in it, so that markdown shows it literally.

    Every ASCII punctuation character gets a backslash, which CommonMark takes back out.

    >>> escape_markdown("layer ![t](x)")
    'layer \\\\!\\\\[t\\\\]\\\\(x\\\\)'
    """
    return _MARKDOWN_PUNCTUATION.sub(r"\\\1", plain(text, limit=None))
