"""Finding models and parts: the library in ``models/``, or a user's file. They are loaded by path, found by name."""

from __future__ import annotations

import ast
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from izhigen.errors import IzhigenError, ModelError, ModelNotFoundError, shown, suggest
from izhigen.files import at_home, is_file
from izhigen.model.composition import Composable
from izhigen.model.expressions import parse_expression, renamed
from izhigen.model.model import Declaration
from izhigen.resources import resource_dir

C = TypeVar("C", bound=Composable)


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
        found = (part for target in targets for part in getattr(target, "elts", [target]))  # of "A, B = ..." both
        names += [target.id for target in found if isinstance(target, ast.Name) and not target.id.startswith("_")]
    return names


def _file_of(name: str) -> Path | None:
    """The file of the library that assigns a name at its top level; only those in which it stands are parsed."""
    files = (path for path in _library_files() if name in path.read_text(encoding="utf-8"))
    return next((path for path in files if name in _public_names(path)), None)


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
    return {name: value for name, value in _public(path).items() if isinstance(value, Declaration)}


def _public(path: Path) -> dict[str, Any]:
    """What a file defines at its top level."""
    return {name: value for name, value in vars(_execute(path)).items() if not name.startswith("_")}


def list_models() -> list[str]:
    """Names of the library's models, file by file, in the order they are declared."""
    return [name for models in library_families().values() for name in models]


def library_families() -> dict[str, dict[str, Declaration]]:
    """The library's models by the file that they stand in, a family each; files without models are left out."""
    found = {family: family_members(family)[0] for family in list_families()}
    return {family: models for family, models in found.items() if models}


def list_families() -> list[str]:
    """Names of the library's files; each holds a family of models, or parts."""
    return [path.stem for path in _library_files()]


def family_members(family: str) -> tuple[dict[str, Declaration], dict[str, dict[str, Any]]]:
    """The models and the parts of one of the library's files.

    Raises
    ------
    ModelNotFoundError
        No such family; names the nearest one.
    """
    path = next((path for path in _library_files() if path.stem == family), None)
    if path is None:
        known = list_families()
        raise ModelNotFoundError(
            f"no family {shown(family)} in the library{suggest(family, known)} (families: {', '.join(known)})"
        )
    found = _public(path)
    models = {name: value for name, value in found.items() if isinstance(value, Declaration)}
    return models, {name: value for name, value in found.items() if isinstance(value, dict)}


def load(name: str) -> Declaration:
    """Load a model by its library name, or as ``"file.py:NAME"`` (``"file.py"`` when it holds one model).

    Raises
    ------
    ModelNotFoundError
        No such file, or no such model in it; names the nearest one.
    """
    if not isinstance(name, str):
        raise ModelNotFoundError(f"a model's name is text, not {type(name).__name__}")
    path_text, _, model_name = (name, "", "") if name.endswith(".py") else name.rpartition(":")
    if path_text:
        return _load_from_file(at_home(path_text), model_name)
    path_of_name = _file_of(name)
    if path_of_name is not None:
        found = _public(path_of_name).get(name)
        if isinstance(found, Declaration):
            return found
        raise ModelNotFoundError(
            f"{shown(name)} is a part, not a model; iz.part({name!r}) gives it for model.with_part(**...)"
        )
    known = [each for path in _library_files() for each in _public_names(path)]
    raise ModelNotFoundError(
        f"no model {shown(name)} in the library{suggest(name, known)} (`izhigen list` prints its models; "
        "or give a file as path/to/file.py:NAME)"
    )


def _load_from_file(path: Path, name: str) -> Declaration:
    if not is_file(path):
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


def forms(model: C, what: str | None = None, **initial: Any) -> tuple[C, C, C]:
    """A neuron with a liquid time constant, with a refractory period, and with both: BrainPy has these of its classes.

    Parameters
    ----------
    model : Model
        Its description ends with its source in parentheses; what is added is said before that.
    what : str, optional
        What the forms are called in their descriptions; by default what the model's own says before its source.
    **initial
        Initial values that a refractory period brings: ``t_last_spike``, in ms.

    Returns
    -------
    tuple of Model
        ``<name>LTC``, ``<name>Ref`` (``tau_ref`` is 0 at first) and ``<name>RefLTC``.
    """
    own, _, source = model.description.rpartition(" (")

    def named(base: C, suffix: str, added: str) -> C:
        return base.variant(f"{model.name}{suffix}", description=f"{what or own} with {added} ({source}")

    period, constant = "a refractory period", "a liquid time constant"
    refractory = named(model, "Ref", period).with_refractory(tau_ref=0.0).variant(initial=initial)
    both = named(refractory, "RefLTC", f"{period} and {constant}").with_liquid_time_constant()
    return named(model, "LTC", constant).with_liquid_time_constant(), refractory, both


# -- parts ------------------------------------------------------------------------------------------------------------

OUTPUTS = ("COBA", "CUBA", "MgBlock")
"""Parts that make a current of the ``g`` of a synapse."""


def list_parts() -> list[str]:
    """Names of the library's parts (synapses, their outputs, channels), file by file."""
    return [name for family in list_families() for name in family_members(family)[1]]


def part(name: str, output: str | None = None) -> dict[str, Any]:
    """A part of the library, as arguments of ``model.with_part``.

    >>> import izhigen as iz
    >>> iz.load("Lif").with_part(**iz.part("Expon", output="COBA"), prefix="ampa").states
    ('V', 'ampa_g')

    Parameters
    ----------
    name : str
        One of :func:`list_parts`.
    output : {"COBA", "CUBA", "MgBlock"}, optional
        Of a synapse: what makes a current of its ``g``, ``weight`` times g, g (E - V), or that with a block by
        magnesium. Where a parameter of it is called like one of the synapse, it becomes ``<output>_<parameter>``.

    Returns
    -------
    dict
        A new one in each call; entries can be changed or left out before it is used. Its ``"description"`` says what
        it is, with its source.

    Raises
    ------
    ModelNotFoundError
        No such part.
    ModelError
        No such output, or a part that has a current already.
    """
    if output is None:
        return _find_part(name)
    if output not in OUTPUTS:
        raise ModelError(f"no output {shown(output)}{suggest(str(output), OUTPUTS)} (outputs: {', '.join(OUTPUTS)})")
    found = _find_part(name)
    if "current" in found:
        raise ModelError(f"part {name!r} has a current of its own, so there is nothing that {output} could make one of")
    return _joined(found, _find_part(output), output)


def is_part(name: str) -> bool:
    """Whether the library has a part of that name."""
    path = _file_of(name)
    return path is not None and isinstance(_public(path).get(name), dict)


def _find_part(name: str) -> dict[str, Any]:
    if not isinstance(name, str):
        raise ModelNotFoundError(f"a part's name is text, not {type(name).__name__}")
    path = _file_of(name)
    if path is not None:
        found = _public(path).get(name)
        if isinstance(found, dict):
            return found
        raise ModelNotFoundError(f"{shown(name)} is a model, not a part; iz.load({name!r}) gives it")
    known = list_parts()
    raise ModelNotFoundError(f"no part {shown(name)} in the library{suggest(name, known)} (parts: {', '.join(known)})")


def _joined(synapse: dict[str, Any], output: dict[str, Any], prefix: str) -> dict[str, Any]:
    """A synapse with the current of an output, whose parameters are renamed where the synapse has such."""
    names = {name: f"{prefix}_{name}" for name in output["parameters"] if name in synapse["parameters"]}
    added = {
        key: {names.get(name, name): value for name, value in output.get(key, {}).items()}
        for key in ("parameters", "units")
    }
    return {
        **synapse,
        "current": renamed(parse_expression(output["current"]), names).text,
        **{key: {**synapse.get(key, {}), **value} for key, value in added.items()},
    }
