"""What is recorded is asked here, not what a compiler makes of a kernel."""

from tests.helpers import lightly_compiled

__all__ = ["lightly_compiled"]
