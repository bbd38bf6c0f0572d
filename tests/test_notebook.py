"""What a notebook shows: one figure, escaped text, equations that are valid LaTeX; and the notebook of the examples."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pytest

import izhigen as iz
from tests.conftest import ROOT

HOSTILE = '<script>alert(1)</script> & "x" $\\href{javascript:1}{y}$ \\(z\\)'
MANY = iz.Model(
    "Many_2",
    """
    dV_m/dt = (g_L*(E_L - V_m) - w**2 + I)/C + where(V_m > 0 and not w < 2, 1, -2)*floor(w) : mV
    dw/dt = -(w - tanh(V_m)**3)/tau + 1e-7*abs(w)*max(V_m, w, 1) + sign(w)*min(w, 2)      : uA/cm**2
    dx1/dt = -alpha_h*x1 + exprel(w)*sqrt(w**2 + 1) + expm1(w) + log1p(w**2) + heaviside(w) + erf(w) : 1
    alpha_h = exp(-(V_m + 2)/3)/(1 + exp(-V_m))**2                                         : 1/ms
    """,
    threshold="V_m >= 30 or w > 100",
    reset="V_m = c_2; w += 1",
    parameters={"g_L": 1.0, "E_L": -65.0, "C": 2.0, "tau": 20.0, "c_2": -60.0},
    inputs=["I"],
    description=HOSTILE,
).with_current("g*(E - V_m)", inputs=["g"], E=0.0)
MODELS = {name: iz.load(name) for name in ("IzhikevichRefLTC", "izhikevich2007")} | {
    "many": MANY,
    "liquid": MANY.with_liquid_time_constant(),
    "noisy": MANY.with_noise(V_m=2.0).with_refractory(3.0),
}


class Page(HTMLParser):
    """Reads a page: its tags, and its text outside of what MathJax leaves alone."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.formulas, self.texts = [], [], "", ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag != "img":
            self.open.append((tag, dict(attributes).get("class", "")))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if any("tex2jax_ignore" in kind for _, kind in self.open):
            self.texts += data + "\n"
        else:
            self.formulas += data


@pytest.mark.parametrize("name", MODELS)
def test_equations_are_valid_latex(name):
    convert = pytest.importorskip("latex2mathml.converter").convert
    for shown in (MODELS[name], MODELS[name].derive()):
        text = shown._repr_latex_()
        assert text.startswith("$$") and text.endswith("$$") and "$" not in text[2:-2]
        convert(text[2:-2])  # braces, sub- and superscripts, left and right, environments
        for formula in re.findall(r"\\\((.*?)\\\)", Page(shown._repr_html_()).formulas, re.DOTALL):
            convert(formula)
            assert formula.count("{") == formula.count("}")
        assert "operatorname{floor_}" not in text and "__" not in text


def test_a_model_is_shown_with_its_parts():
    page = Page(iz.load("IzhikevichRef")._repr_html_())
    assert r"\frac{dV}{dt} = p_{1} \, {V}^{2} + p_{2} \, V + p_{3} - u + I" in page.formulas
    assert r"V_{\mathrm{th}}" in page.formulas and r"u \leftarrow u + d" in page.formulas
    for text in ("0.04", "1/(mV*ms)", "tau_ref", "I (mV/ms)", "with a refractory period"):
        assert text in page.texts
    page = Page(iz.load("RS").derive()._repr_html_())
    assert "linear, parameter rate" in page.texts and "quadratic, linearized" in page.texts
    assert r"\varphi_{1}" in page.formulas


def test_text_of_a_model_or_a_file_stays_text():
    pop = MANY.population(3, backend="numpy")
    found = pop.run(1.0, I=0.1, record=["V_m", "spike"], check_finite=False)
    found.info.update(model=HOSTILE, method=HOSTILE, units={"V_m": HOSTILE})
    for shown in (MANY, MANY.derive(), found, pop):
        page = Page(shown._repr_html_())
        assert set(page.tags) <= {"div", "b", "span", "table", "thead", "tbody", "tr", "th", "td", "img"}
        assert "javascript" not in page.formulas and "<script>" not in page.formulas
    assert HOSTILE in Page(MANY._repr_html_()).texts
    found.plot().savefig("/dev/null", format="png")  # no formula for Matplotlib either
    plt.close("all")


def test_a_recording_shows_a_small_raster():
    pop = iz.load("RS").population(5, backend="numpy")
    before = plt.get_fignums()
    page = pop.run(50.0, I=np.linspace(0, 20, 5), record=["V", "spike"])._repr_html_()
    assert "data:image/png;base64," in page and len(page) < 60_000 and plt.get_fignums() == before
    assert "img" not in Page(pop.run(0.0)._repr_html_()).tags
    assert "img" not in Page(pop.run(1.0, record=["V"])._repr_html_()).tags
    assert "t = 51 ms" in Page(pop._repr_html_()).texts


CELLS = {
    "import izhigen as iz\nrec = iz.load('RS').population(2, backend='numpy').run(5.0, I=9.0, record=['V', 'spike'])\nrec.plot()": 1,
    "rec.plot();": 1,
    "rec.plot()\n1 + 1": 1,
    "figure = rec.plot()": 1,
    "figure": 1,
    "%matplotlib agg\nrec.plot()": 1,
    "figure = rec.plot(); 3": 0,
}


def test_a_cell_shows_one_figure(tmp_path):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    for cell, wanted in zip(book.cells, CELLS.values()):
        shown = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        assert len(shown) == wanted, cell.source


def test_the_example_notebook_runs_and_shows_what_is_stored(tmp_path):
    """The stored outputs are real: text is the same again, and every cell with a picture gives one."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    path = ROOT / "examples" / "first_steps.ipynb"
    stored, book = nbformat.read(path, 4), nbformat.read(path, 4)
    assert path.stat().st_size < 300_000
    nbclient.NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    for old, new in zip(stored.cells, book.cells, strict=True):
        if old.cell_type == "code":
            kinds = [[sorted(o.get("data", {"text": 0})) for o in cell.outputs] for cell in (old, new)]
            assert kinds[0] == kinds[1]
            texts = [
                ["".join(o.get("text", o.get("data", {}).get("text/plain", ""))) for o in cell.outputs]
                for cell in (old, new)
            ]
            assert texts[0] == texts[1]


def test_notebook_support_is_light():
    code = (
        "import sys, izhigen as iz; iz.load('RS')._repr_latex_; "
        "print([m for m in ('sympy', 'matplotlib', 'IPython') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
