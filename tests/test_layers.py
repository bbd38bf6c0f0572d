"""A stage imports only from the stages above it; read from the imports themselves."""

import ast

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "izhigen"
ORDER = [
    ["errors", "_version", "resources", "scalars", "timegrid", "files", "signals"],
    ["memory"],
    ["model"],
    ["derive"],
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
    ["api"],
    ["__init__"],
    ["bench", "options"],
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
    found_by_name = {PACKAGE / "derive" / "schemes", PACKAGE / "codegen" / "printers", PACKAGE / "codegen" / "targets"}
    files = {path.parent.name if path.parent in found_by_name else path.stem for path in PACKAGE.rglob("*.py")}
    folders = {path.name for path in (ROOT / "templates").iterdir() if path.is_dir()}
    lacking = {name for name in files | folders if not name.startswith("_") and f"`{name}`" not in text}
    assert not lacking, f"docs/internals.md does not say where {sorted(lacking)} is"


def test_no_file_or_function_has_grown_too_long():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 600, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.body[0].lineno + 1
                assert length <= 60, f"{path.name}: {node.name} has {length} lines"
