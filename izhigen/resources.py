"""Where templates and models lie: beside the package when installed, at the top level in a checkout; and what is found
by the name of its file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """The folder ``templates`` or ``models``; the packaged one, or in a checkout the top-level one."""
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"izhigen's folder {name!r} is missing; install izhigen again")


@cache
def modules_with(definition: str, folder: str) -> tuple[str, ...]:
    """Names of the modules in a folder of the package that have a line which begins so, without importing them."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(Path(folder).glob("*.py"))}
    return tuple(name for name, text in texts.items() if f"\n{definition}" in text and name != "__init__")
