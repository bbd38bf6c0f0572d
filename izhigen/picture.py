"""The figure that pictures are drawn on: a notebook shows it once."""

from __future__ import annotations

import io
from typing import Any

import matplotlib
from matplotlib.figure import Figure


class Picture(Figure):
    """A Matplotlib figure. As the last line of a notebook's cell it is shown once, whether or not Matplotlib's inline
    backend shows it too.
    """

    def _ipython_display_(self) -> None:
        import matplotlib.pyplot as plt
        from IPython import display

        show: Any = display.display
        backend = matplotlib.get_backend().lower()
        if "inline" in backend or backend in ("agg", "svg", "pdf", "ps", "cairo", "template"):
            show({"image/png": self.png(), "text/plain": repr(self)}, raw=True)
            if "inline" in backend:
                plt.close(self)  # the backend shows every figure that is still open when the cell is done
        else:
            show({"text/plain": repr(self)}, raw=True)  # it has a window

    def png(self, dpi: float | None = None) -> bytes:
        """The picture as a PNG file."""
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=dpi or self.dpi)
        return file.getvalue()
