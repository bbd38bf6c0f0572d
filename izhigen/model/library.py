"""Finding models: the library in ``models/``, or a user's file. Models are loaded by path, found by name."""

from __future__ import annotations

import ast
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from izhigen.errors import IzhigenError, ModelError, ModelNotFoundError, shown, suggest
from izhigen.model.model import Declaration
from izhigen.resources import resource_dir


def _library_files() -> list[Path]:
    return sorted(path for path in resource_dir("models").glob("*.py") if not path.name.startswith("_"))


def _public_names(path: Path) -> list[str]:
    """Names that a file assigns at its top level, in order, read without running it."""
    names: list[str] = []
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except (SyntaxError, ValueError) as problem:
        raise ModelError(f"{path} is not valid Python ({problem})") from problem
    for node in body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names += [target.id for target in targets if isinstance(target, ast.Name) and not target.id.startswith("_")]
    return names


def _execute(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"izhigen_models_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ModelNotFoundError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))  # so that the file may import its neighbours
    try:
        spec.loader.exec_module(module)
    except IzhigenError:
        raise
    except (Exception, SystemExit) as problem:
        lines = [frame.lineno for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == str(path)]
        place = f"{path}, line {lines[-1]}" if lines else str(path)
        raise ModelError(f"{place}: the file failed with {type(problem).__name__}: {problem}") from problem
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def _models_of(path: Path) -> dict[str, Declaration]:
    module = _execute(path)
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, Declaration) and not name.startswith("_")
    }


def list_models() -> list[str]:
    """Names of the library's models, file by file, in the order they are declared."""
    return [name for path in _library_files() for name in _models_of(path)]


def load(name: str) -> Declaration:
    """Load a model by its library name, or as ``"file.py:NAME"`` (``"file.py"`` when it holds one model).

    Raises
    ------
    ModelNotFoundError
        No such file, or no such model in it; names the nearest one.
    """
    if not isinstance(name, str):
        raise ModelNotFoundError(f"a model's name is text, not {type(name).__name__}")
    path_text, colon, model_name = name.rpartition(":")
    if not colon and name.endswith(".py"):
        path_text, model_name = name, ""
    if path_text:
        try:
            path = Path(path_text).expanduser()
        except RuntimeError:  # the home of nobody
            path = Path(path_text)
        return _load_from_file(path, model_name)
    for path in _library_files():
        if name in _public_names(path):
            return _models_of(path)[name]
    known = list_models()
    raise ModelNotFoundError(
        f"no model {shown(name)} in the library{suggest(name, known)} "
        f"(models: {', '.join(known)}; or a file as path/to/file.py:NAME)"
    )


def _load_from_file(path: Path, name: str) -> Declaration:
    try:
        there = path.is_file()
    except OSError:  # a name too long, or a folder that may not be entered
        there = False
    if not there:
        raise ModelNotFoundError(f"no file '{path}' to load a model from")
    models = _models_of(path)
    if not models:
        raise ModelNotFoundError(f"{path} declares no izhigen.Model at its top level")
    if not name:
        if len(models) > 1:
            raise ModelNotFoundError(f"{path} holds several models ({', '.join(models)}); name one as {path}:NAME")
        return next(iter(models.values()))
    if name not in models:
        raise ModelNotFoundError(
            f"{path} holds no model {shown(name)}{suggest(name, models)} (models: {', '.join(models)})"
        )
    return models[name]
