"""Text of a model in generated files: whatever it holds, the file means what it means without it."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import izhigen as iz
from izhigen.codegen.plain import plain_comment, plain_html, plain_line, plain_markdown
from izhigen.codegen.request import KernelRequest
from izhigen.codegen.targets import target_names
from izhigen.errors import IzhigenError
from izhigen.standalone.project import build_project, project_targets

FRAGMENTS = (
    "*/ #error out /*|/* nested|*/*/*|**//**|*\\\n/|*\\ \n/|*\\\t\x0c\n/|*??/\n/|??/|???/|????/|*??/|/??/|\\|\\\\|\\\n|\\ |ends in \\|"
    "ends in ??/|//|// comment \\\n #error|\r|\r\n|\v|\f|\0|\u2028 #error|\u2029|\x85|\ufeff|\u202e */ \u202d|\u2066|\u200f|\u200b|"
    '%:error|<%|??=error|#error|_Pragma("GCC error \\"x\\"")|{{ 7*7 }}|{% raw %}|"|\'|`|$(id)|%s%n|\\u002a\\u002f|\\N{ASTERISK}/|'
    "\\u202e|\\x2a/|é µ 数 ∂|e\u0301|a\u0327*\u0327/|*\u0327/|*\u200b/|*\x00/|*\x1b/|/\u200b*|?\u200b?/|\U0001f600|\ud800|\udfff|"
    "C:\\temp\\|\\tau|/|*|?|-->|]]>|</script>|<img src=x onerror=alert(1)>|[a](javascript:x)|# head|- item|```"
).split("|")
COMPILERS = [
    [name, *flags]
    for name, flags in (
        ("gcc", ["-std=c99", "-x", "c"]),
        ("g++", ["-std=c++17", "-x", "c++"]),
        ("clang", ["-std=c99", "-x", "c"]),
        ("clang++", ["-std=c++17", "-x", "c++"]),
    )
    if shutil.which(name)
]
STRICT = ["-trigraphs", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O0"]


def texts():
    piece = st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=6), st.sampled_from(list("*/\\?\n \r")))
    return st.lists(piece, max_size=8).map("".join)


def file_of(lines):
    """A program in which each text is a comment of its own, a line of a longer one, and the end of one."""
    body = [f"    /* {line} */ count++; /*\n *{line}\n * {line}\n */ count++; /* {line}*/ count++;" for line in lines]
    head, tail = (
        "#include <stdio.h>\nint main(void)\n{\n    int count = 0;",
        '    printf("%d", count);\n    return 0;\n}\n',
    )
    return "\n".join([head, *body, tail])


def run(lines, compiler, folder):
    source = folder / "plain.c"
    source.write_text(file_of(lines), encoding="utf-8", newline="")
    program = folder / "plain"
    done = subprocess.run(
        [*compiler, *STRICT, str(source), "-o", str(program)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[:2000]
    return int(subprocess.run([program], capture_output=True, text=True, check=True).stdout)


@pytest.mark.tools
@pytest.mark.parametrize("compiler", COMPILERS, ids=lambda c: c[0])
def test_comments_of_nasty_text_leave_the_program_as_it_is(compiler, tmp_path):
    nasty = [plain_comment(a + b) for a in FRAGMENTS for b in ("", "/", *FRAGMENTS[::11])]
    assert run(nasty, compiler, tmp_path) == 3 * len(nasty)


@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, *HealthCheck],
)
@given(lines=st.lists(texts(), min_size=100, max_size=200))
def test_comments_of_any_text_leave_the_program_as_it_is(lines, tmp_path):
    for compiler in COMPILERS[:2]:
        assert run([plain_comment(line) for line in lines], compiler, tmp_path) == 3 * len(lines)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=texts())
def test_plain_text_holds_no_line_end_no_control_and_no_turn_of_direction(text):
    for plain in (plain_line(text), plain_comment(text), plain_markdown(text), plain_html(text)):
        assert len(plain.splitlines()) <= 1
        assert all(c == " " or unicodedata.category(c)[0] in "LMNPS" for c in plain)
        assert plain.encode("utf-8").decode("utf-8") == plain
    comment = plain_comment(text)
    assert not re.search(r"\*/|/\*|\?\?|\\(?![A-Za-z])", comment)
    assert plain_comment(comment) == comment
    assert "<" not in plain_markdown(text) and "<" not in plain_html(text) and '"' not in plain_html(text)


def test_ordinary_text_stays_as_it_is():
    for text in (
        "Izhikevich (2003), doi.org/10.1",
        "see https://example.org/a?b",
        "2*a/(b*c)",
        "\\tau of Müller, 数 µ ∂",
        "  V' = V    (x)",
    ):
        assert plain_comment(text) == text


def hostile(description):
    return iz.load("IzhikevichRef").variant("Hostile", description=description)


def code(text):
    """What a compiler sees of a file: line splices and trigraphs done, comments gone."""
    trigraphs = {"=": "#", "/": "\\", "'": "^", "(": "[", ")": "]", "!": "|", "<": "{", ">": "}", "-": "~"}
    text = re.sub(r"\?\?([=/'()!<>-])", lambda m: trigraphs[m.group(1)], text)
    text = re.sub(r"\\[ \t\v\f]*(?:\r\n|\n|\r)", "", text)
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


@pytest.mark.parametrize("target", target_names())
def test_a_description_changes_no_code_of_any_target(target):
    plain = code(hostile("").source(target))
    for fragment in FRAGMENTS:
        try:
            model = hostile(fragment)
        except IzhigenError:
            continue
        assert code(model.source(target)) == plain, fragment


@pytest.mark.parametrize("target", project_targets())
def test_a_description_changes_no_file_of_a_project_but_its_comment_and_readme(target):
    plain = build_project(KernelRequest(hostile("")), target).files
    description = "".join(f for f in FRAGMENTS if "\ud800" not in f and "\udfff" not in f)
    nasty = build_project(KernelRequest(hostile(description)), target).files
    assert plain.keys() == nasty.keys()
    for path, text in nasty.items():
        if path == "README.md":
            assert "<" not in text.split("## Equations")[0]
        elif path != "manifest.json":
            assert code(text) == code(plain[path]), path


def test_the_source_of_a_hostile_description_compiles(tmp_path):
    description = "".join(f for f in FRAGMENTS if "\ud800" not in f and "\udfff" not in f)
    path = tmp_path / "hostile.c"
    path.write_text(hostile(description).source("c"), encoding="utf-8")
    flags = ["-std=c99", "-trigraphs", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-fsyntax-only"]
    subprocess.run([shutil.which("gcc") or "cc", *flags, str(path)], check=True)


def test_text_of_equations_is_what_was_parsed():
    model = iz.Model("T", {"V": "(V # */ int evil; /*\n + 1)"})
    assert model.equations[0].expression.text == "(V   + 1)"
    for text in ("V + \\\n1", "V\x0c + 1", "V +\r 1", "(V +\0 1)"):
        with pytest.raises(IzhigenError):
            iz.Model("T", {"V": text})


def test_a_sympy_symbol_is_a_name():
    import sympy as sp

    V = sp.Symbol("V")
    with pytest.raises(IzhigenError, match="is not a name"):
        iz.Model("T", {V: 2 * sp.Symbol("V) + (1") - V})
