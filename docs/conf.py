"""Sphinx configuration."""

import sys
from pathlib import Path

from izhigen import __version__

sys.path.insert(0, str(Path(__file__).parent))

project = "izhigen"
author = "The izhigen developers"
copyright = "2026, the izhigen developers"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
autodoc_typehints = "description"
autodoc_mock_imports = ["dask", "distributed"]
exclude_patterns = ["_build"]
# the word "shape" of "array, shape (n,)" is an attribute of two classes, and means neither
suppress_warnings = ["myst.xref_missing", "ref.python"]


def setup(app: object) -> None:
    """Draw the pictures that are made from text, and write the cards of all models."""
    from cards import write
    from stages import PICTURE, draw

    draw(PICTURE)
    write()
