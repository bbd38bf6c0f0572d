"""A stage imports only from the stages above it; read from the imports themselves."""

import ast

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "izhigen"
ORDER = [
    ["errors", "_version", "resources", "scalars", "files", "signals"],
    ["units"],
    ["timegrid"],
    ["memory"],
    ["model"],
    ["importers"],
    ["derive"],
    ["exporters"],
    ["codegen"],
    ["backends"],
    ["inputs"],
    ["standalone"],
    ["recorded"],
    ["picture"],
    ["plot"],
    ["notebook"],
    ["derivation"],
    ["recording"],
    ["moments", "rates"],
    ["population"],
    ["cluster"],
    ["api"],
    ["loading"],
    ["layers"],
    ["synapses", "network"],
    ["sweeps", "fits"],
    ["bench"],
    ["verification"],
    ["__init__"],
    ["torch", "jax", "patterns"],
    ["options"],
    ["list_command", "verify_command", "patterns_command", "sweep_command"],
    ["run_command"],
    ["cli"],
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}


def stage(path):
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "izhigen":
            parts = node.module.split(".")
            yield from (
                [parts[1]] if len(parts) > 1 else [a.name if a.name in RANK else "__init__" for a in node.names]
            )
        elif isinstance(node, ast.Import):
            yield from (
                a.name.split(".")[1] if "." in a.name else "__init__"
                for a in node.names
                if a.name.split(".")[0] == "izhigen"
            )


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_upwards(path):
    own = stage(path)
    assert own in RANK, f"{own} has no place in the order of stages"
    for other in imports(path):
        allowed = other == own or RANK[other] <= RANK[own]
        assert allowed, f"{path.name} (stage {own}) imports {other}, which comes later"


def test_the_pages_say_where_everything_is():
    """docs/internals.md names every file of the package and every folder of templates; files found by name count as their folder."""
    text = (ROOT / "docs" / "internals.md").read_text()
    named = ("derive/schemes", "derive/surrogates", "codegen/printers", "codegen/targets")
    found_by_name = {PACKAGE / folder for folder in named}
    files = {path.parent.name if path.parent in found_by_name else path.stem for path in PACKAGE.rglob("*.py")}
    folders = {path.name for path in (ROOT / "templates").iterdir() if path.is_dir()}
    lacking = {name for name in files | folders if not name.startswith("_") and f"`{name}`" not in text}
    assert not lacking, f"docs/internals.md does not say where {sorted(lacking)} is"


def test_printers_know_no_word_of_a_template():
    """What a target's templates call things stands in its words, so strings of printers reach for no field."""
    for path in (PACKAGE / "codegen" / "printers").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert "->" not in node.value and "step_now" not in node.value, f"{path.name}: {node.value}"


def test_no_template_has_grown_too_long_or_too_wide():
    for path in (ROOT / "templates").rglob("*.j2"):
        lines = path.read_text().splitlines()
        assert len(lines) <= 210, path
        wide = [f"{path.relative_to(ROOT)}:{n}" for n, line in enumerate(lines, 1) if len(line) > 120]
        assert not wide, f"lines of more than 120 columns: {wide}"


def test_no_file_or_function_has_grown_too_long():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 600, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                documented = ast.get_docstring(node) is not None
                before = node.body[0].end_lineno if documented else node.body[0].lineno - 1
                length = (node.end_lineno or 0) - (before or 0)
                assert length <= 60, f"{path.name}: {node.name} has {length} lines"


def imported_files(path):
    """The files that a file imports, at its top, within functions, or for types only."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            place = ROOT.joinpath(*name.split("."))
            for file in (place.with_suffix(".py"), place / "__init__.py", place.parent.with_suffix(".py")):
                if file.is_relative_to(PACKAGE) and file.is_file():
                    yield file
                    break


def test_no_files_import_each_other_in_a_circle():
    left = {path: set(imported_files(path)) - {path} for path in PACKAGE.rglob("*.py")}
    assert any(left.values())
    while True:  # take away what imports nothing that is left
        ready = {path for path, needs in left.items() if not needs & left.keys()}
        if not ready:
            break
        left = {path: needs for path, needs in left.items() if path not in ready}
    assert not left, f"in or behind a circle of imports: {sorted(str(path.relative_to(PACKAGE)) for path in left)}"


def private_names(tree):
    """Names with an underscore that a file defines: functions, classes, and what is assigned to."""
    for node in ast.walk(tree):
        is_assigned = isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store)
        name = getattr(node, "attr", getattr(node, "id", None)) if is_assigned else getattr(node, "name", None)
        if isinstance(name, str) and name.startswith("_") and not name.endswith("__"):
            yield name


def test_no_file_uses_what_is_private_to_another():
    """``x._name`` only of the file's own things."""
    trees = {path: ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}
    own = {path: set(private_names(tree)) for path, tree in trees.items()}
    everything = set().union(*own.values())
    assert "_neurons" in everything
    for path, tree in trees.items():
        for node in ast.walk(tree):
            taken = isinstance(node, ast.Attribute) and node.attr in everything - own[path]
            if taken and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                raise AssertionError(f"{path.relative_to(PACKAGE)}:{node.lineno} reads {node.attr} of another file")
