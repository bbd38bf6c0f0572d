"""Elementary functions that generated sources carry with them: what each needs, and the numbers of each precision.

The text of a function is its template in ``templates/math``; the numbers are here. ``exp``, ``expm1`` and the phi functions
share one argument reduction, z = n ln 2 + r with |r| <= ln(2)/2, and one minimax polynomial for phi1(r); the reduction is
that of Cody and Waite (1980), "Software Manual for the Elementary Functions". All are branch-free, so that loops over
neurons become vector code, and pass NaN on. Functions without a template come from the C library.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FloatFormat:
    """A precision: C spellings, and constants that the templates print.

    Attributes
    ----------
    real, suffix : str
        C type and suffix of literals and of C library functions.
    lane_int : str
        Signed integer type as wide as ``real``, for masks and exponent bits.
    round_shift : str
        1.5 * 2^(mantissa bits): adding it rounds to an integer and leaves that in the low bits.
    mantissa_bits, exponent_bias : int
    ln2_high, ln2_low : str
        ln 2 in two parts; the high one has trailing zero bits, so that n * ln2_high is exact.
    exp_lowest, exp_highest : str
        Arguments outside which the reduction saturates.
    tanh_limit : str
        tanh rounds to 1 from here on.
    phi1 : tuple of str
        Coefficients c0... of the minimax polynomial of phi1 on |r| <= ln(2)/2.
    series_terms : int
        Terms of the Taylor series of the phi functions for |z| <= 1.
    exp_huge : str
        A value beside which 1 vanishes.
    """

    real: str
    suffix: str
    lane_int: str
    lane_uint: str
    round_shift: str
    mantissa_bits: int
    exponent_bias: int
    inverse_ln2: str
    ln2_high: str
    ln2_low: str
    exp_lowest: str
    exp_highest: str
    tanh_limit: str
    phi1: tuple[str, ...]
    phi1_near: tuple[str, ...]
    series_terms: int
    exp_huge: str


@dataclass(frozen=True)
class NormalFormat:
    """Constants of the normal variates in one precision.

    ``to_real`` turns an unsigned integer of at most ``mantissa_bits`` bits into a number; ``word_a`` and ``word_b`` are the bits of a random
    word that are used, ``unit`` their place value. The polynomials, fitted by Chebyshev interpolation in 50 digits, are those of
    2 atanh(s)/s in s*s, of sin(2 pi y)/y and of cos(2 pi y) in y*y for |y| <= 1/8.
    """

    to_real: str
    word_a: str
    word_b: str
    unit: str
    sqrt_half_bits: str
    mantissa_mask: str
    minus_two_ln2: str
    log: tuple[str, ...]
    sin: tuple[str, ...]
    cos: tuple[str, ...]


NORMAL: dict[str, NormalFormat] = {
    "float32": NormalFormat(
        to_real="(float)(int32_t)(%s)", word_a="a >> 8", word_b="b >> 8", unit="5.9604644775390625e-8f", sqrt_half_bits="0x3F3504F3u",
        mantissa_mask="0x007FFFFFu", minus_two_ln2="-1.38629436f",
        log=("2.0f", "0.66666815f", "0.39974845f", "0.29924530f"),
        sin=("6.28318529f", "-41.3416626f", "81.5925429f", "-75.4016127f"),
        cos=("1.0f", "-19.7392087f", "64.9393161f", "-85.4428447f", "59.2201690f")),
    "float64": NormalFormat(
        to_real="(iz_from_bits(0x4330000000000000u | (uint64_t)(%s)) - 4503599627370496.0)", word_a="a", word_b="b",
        unit="2.3283064365386962890625e-10", sqrt_half_bits="0x3FE6A09E667F3BCDu", mantissa_mask="0x000FFFFFFFFFFFFFu",
        minus_two_ln2="-1.3862943611198906",
        log=("2.0", "0.66666666666666658", "0.40000000000007499", "0.2857142856881753", "0.22222222677162275", "0.18181773719732663",
             "0.15387161717062043", "0.13248745359882565", "0.13262264293006117"),
        sin=("6.2831853071795865", "-41.34170224039976", "81.605249276074931", "-76.705859752998127", "42.058693928988783",
             "-15.094640403891546", "3.8197881201632114", "-0.7116358090781666"),
        cos=("1.0", "-19.739208802178717", "64.939394022668291", "-85.45681720669355", "60.244641371818105", "-26.426256772545438",
             "7.9035351947629579", "-1.7143161879285278", "0.27945867147528962")),
}

FORMATS: dict[str, FloatFormat] = {
    "float32": FloatFormat(
        real="float", suffix="f", lane_int="int32_t", lane_uint="uint32_t", round_shift="12582912.0f", mantissa_bits=23,
        exponent_bias=127, inverse_ln2="1.44269504f", ln2_high="0.693359375f", ln2_low="-2.12194440e-4f", exp_lowest="-87.0f",
        exp_highest="88.37f", tanh_limit="9.02f", series_terms=9, exp_huge="1e15f",
        phi1=("1.0f", "0.499999970f", "0.166665465f", "0.0416674428f", "0.00836625230f", "0.00138699776f"),
        phi1_near=("1.0f", "0.5f", "0.16666667f", "0.041666728f", "0.008333293f", "0.0013885493f", "0.00019847647f", "2.5355966e-05f",
                   "2.7518306e-06f")),
    "float64": FloatFormat(
        real="double", suffix="", lane_int="int64_t", lane_uint="uint64_t", round_shift="6755399441055744.0", mantissa_bits=52,
        exponent_bias=1023, inverse_ln2="1.4426950408889634", ln2_high="0.693147180369123816490",
        ln2_low="1.90821492927058770002e-10", exp_lowest="-708.0", exp_highest="709.08", tanh_limit="19.1", series_terms=17, exp_huge="1e30",
        phi1=("1.0", "0.5", "0.16666666666666602", "0.041666666666620035",
              "0.008333333333388286", "0.0013888888920481728", "0.00019841269709548222", "2.480151638829875e-05",
              "2.7557424918318637e-06", "2.7622208758576354e-07", "2.5045938483093173e-08"),
        phi1_near=("1.0", "0.5", "0.1666666666666666", "0.04166666666666595", "0.008333333333334744", "0.0013888888889003236",
                   "0.00019841269840329236", "2.480158723655217e-05", "2.755731949908759e-06", "2.7557336879852074e-07",
                   "2.505207016760373e-08", "2.0874278446201445e-09", "1.6061265218548595e-10", "1.1644306434255526e-11",
                   "7.640891745385695e-13")),
}

NEEDS: dict[str, tuple[str, ...]] = {
    "maximum": (),
    "minimum": (),
    "signum": (),
    "bits": (),
    "reduction": ("bits",),
    "exp": ("reduction",),
    "expm1": ("reduction",),
    "phi1": ("reduction",),
    "phi1_near": (),
    "phi2": ("phi1",),
    "phi3": ("phi2",),
    "tanh": ("expm1",),
    "sinh": ("expm1",),
    "cosh": ("exp",),
    "normal": ("bits",),
}
"""Templates in ``templates/math`` and the ones that must stand before them."""


def in_order(wanted: set[str]) -> list[str]:
    """The templates of the wanted functions and of all they need, needs first."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        for need in NEEDS[name]:
            visit(need)
        if name not in ordered:
            ordered.append(name)

    for name in NEEDS:
        if name in wanted:
            visit(name)
    return ordered
