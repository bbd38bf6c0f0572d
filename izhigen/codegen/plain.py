"""Text of a model in generated files: the one place that makes it harmless where it stands.

A model's description, equations and units are its author's, and a file made from them is compiled and read by others.
Names are C identifiers already (:func:`izhigen.codegen.identifiers.c_name`), and JSON is written by its own library.
"""

from __future__ import annotations

import html
import re
import unicodedata

_SHOWN = ("L", "M", "N", "P", "S")
"""Categories of Unicode that stay: letters, marks, numbers, punctuation, symbols.

No controls stay, and nothing that turns the direction of text.
"""
_APART = re.compile(r"(?<=\*)(?=/)|(?<=/)(?=\*)|(?<=\?)(?=\?)")
_EDGE = re.compile(r"\A(?=[*/?])|(?<=[*/?])\Z")
_MARKDOWN = re.compile(r"([\\`*_\[\]|~])")


def plain_line(text: str) -> str:
    """One line of text that is shown as it is read: white space and controls become spaces."""
    return "".join(c if unicodedata.category(c)[0] in _SHOWN else " " for c in text)


def plain_comment(text: str) -> str:
    """Text for one line of a comment in C, C++ or CUDA, which it neither ends nor begins, in any phase of translation.

    A preprocessor replaces trigraphs and joins lines that end in a backslash before it looks for comments; so pairs of
    question marks are set apart, and a backslash stays only before a letter. What stands beside the text cannot
    complete such a pair either.
    """
    plain = _APART.sub(" ", re.sub(r"\\(?![A-Za-z])", "/", plain_line(text)))
    return _EDGE.sub(" ", plain)


def plain_markdown(text: str) -> str:
    """Text for a paragraph of Markdown, without mark-up of its own."""
    escaped = _MARKDOWN.sub(r"\\\1", html.escape(" ".join(plain_line(text).split()), quote=False))
    return escaped if not escaped or escaped[0].isalnum() or escaped[0] in "\\&(" else "\\" + escaped


def plain_html(text: str) -> str:
    """Text for HTML, in an element or in a quoted attribute."""
    return html.escape(plain_line(text), quote=True)
