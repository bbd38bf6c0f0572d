"""The numbers of each precision: layout of its bits, and the coefficients of its elementary functions.

The polynomials were fitted in 60 digits: weighted minimax fits by iterated reweighting, rounded one coefficient after
the other, low orders first, the higher ones fitted anew after each.
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
    lane_int, lane_uint : str
        Integer types as wide as ``real``, for masks and exponent bits.
    width : int
        Bits of ``real``.
    round_shift, round_shift_bits : str
        1.5 * 2^(mantissa bits), and its bits: adding it rounds to an integer and leaves that in the low bits.
    round_shift_biased : str
        The same plus ``exponent_bias``: the low bits are the exponent of a power of two.
    mantissa_bits, exponent_bias : int
    to_real : str
        Turns an unsigned integer of at most ``mantissa_bits`` bits into a number.
    mantissa_mask, head_mask, sqrt_half_bits : str
        The mantissa's bits; the sign, the exponent and the leading half of the mantissa; the bits of sqrt(1/2).
    smallest_normal, subnormal_scale : str
        The smallest normal number, and 2^(mantissa bits + 1), which makes subnormal numbers normal.
    ln2_high, ln2_low : str
        ln 2 in two parts; the high one has trailing zero bits, so that n * ln2_high is exact.
    exp_lowest, exp_highest : str
        Arguments outside which the reduction saturates.
    tanh_limit : str
        tanh rounds to 1 from here on.
    phi1, phi1_near, phi1_wide : tuple of str
        Coefficients c0... of the minimax polynomials of phi1 on |r| <= ln(2)/2, on |z| <= 1 and on |z| <= 2.
    phi2_near, phi2_wide : tuple of str
        Those of phi2 on |z| <= 1 and on |z| <= 2; in error by less than a unit in the last place before rounding.
    series_terms : int
        Terms of the Taylor series of the phi functions for |z| <= 1.
    root_terms : int
        Terms of the Taylor series of cosh(sqrt(x)) and sinh(sqrt(x))/sqrt(x) for -2.5 <= x <= 0.
    exp_huge : str
        A value beside which 1 vanishes.
    """

    real: str
    suffix: str
    lane_int: str
    lane_uint: str
    width: int
    round_shift: str
    round_shift_bits: str
    round_shift_biased: str
    mantissa_bits: int
    exponent_bias: int
    to_real: str
    mantissa_mask: str
    head_mask: str
    sqrt_half_bits: str
    smallest_normal: str
    subnormal_scale: str
    inverse_ln2: str
    ln2_high: str
    ln2_low: str
    exp_lowest: str
    exp_highest: str
    tanh_limit: str
    phi1: tuple[str, ...]
    phi1_near: tuple[str, ...]
    phi1_wide: tuple[str, ...]
    phi2_near: tuple[str, ...]
    phi2_wide: tuple[str, ...]
    series_terms: int
    root_terms: int
    exp_huge: str

    @property
    def unlimited(self) -> int:
        """The reduction needs no limits on arguments of at most this size."""
        return -int(float(self.exp_lowest.removesuffix("f")))


@dataclass(frozen=True)
class NormalFormat:
    """Constants of the normal variates in one precision.

    ``word_a`` and ``word_b`` are the bits of a random word that are used, ``unit`` their place value. The polynomials,
    fitted by Chebyshev interpolation in 50 digits, are those of 2 atanh(s)/s in s*s, of sin(2 pi y)/y and of cos(2 pi
    y) in y*y for |y| <= 1/8.
    """

    word_a: str
    word_b: str
    unit: str
    minus_two_ln2: str
    log: tuple[str, ...]
    sin: tuple[str, ...]
    cos: tuple[str, ...]


NORMAL: dict[str, NormalFormat] = {
    "float32": NormalFormat(
        word_a="a >> 8",
        word_b="b >> 8",
        unit="5.9604644775390625e-8f",
        minus_two_ln2="-1.38629436f",
        log=("2.0f", "0.66666815f", "0.39974845f", "0.29924530f"),
        sin=("6.28318529f", "-41.3416626f", "81.5925429f", "-75.4016127f"),
        cos=("1.0f", "-19.7392087f", "64.9393161f", "-85.4428447f", "59.2201690f"),
    ),
    "float64": NormalFormat(
        word_a="a",
        word_b="b",
        unit="2.3283064365386962890625e-10",
        minus_two_ln2="-1.3862943611198906",
        log=(
            "2.0",
            "0.66666666666666658",
            "0.40000000000007499",
            "0.2857142856881753",
            "0.22222222677162275",
            "0.18181773719732663",
            "0.15387161717062043",
            "0.13248745359882565",
            "0.13262264293006117",
        ),
        sin=(
            "6.2831853071795865",
            "-41.34170224039976",
            "81.605249276074931",
            "-76.705859752998127",
            "42.058693928988783",
            "-15.094640403891546",
            "3.8197881201632114",
            "-0.7116358090781666",
        ),
        cos=(
            "1.0",
            "-19.739208802178717",
            "64.939394022668291",
            "-85.45681720669355",
            "60.244641371818105",
            "-26.426256772545438",
            "7.9035351947629579",
            "-1.7143161879285278",
            "0.27945867147528962",
        ),
    ),
}

FORMATS: dict[str, FloatFormat] = {
    "float32": FloatFormat(
        real="float",
        suffix="f",
        lane_int="int32_t",
        lane_uint="uint32_t",
        width=32,
        round_shift="12582912.0f",
        round_shift_bits="0x4B400000u",
        round_shift_biased="12583039.0f",
        mantissa_bits=23,
        exponent_bias=127,
        to_real="(float)(int32_t)(%s)",
        mantissa_mask="0x007FFFFFu",
        head_mask="0xFFFFF000u",
        sqrt_half_bits="0x3F3504F3u",
        smallest_normal="1.17549435e-38f",
        subnormal_scale="16777216.0f",
        inverse_ln2="1.44269504f",
        ln2_high="0.693359375f",
        ln2_low="-2.12194440e-4f",
        exp_lowest="-87.0f",
        exp_highest="88.37f",
        tanh_limit="9.02f",
        series_terms=9,
        root_terms=8,
        exp_huge="1e15f",
        phi1=("1.0f", "0.499999970f", "0.166665465f", "0.0416674428f", "0.00836625230f", "0.00138699776f"),
        phi1_near=(
            "1.0f",
            "0.50000006f",
            "0.16666713f",
            "0.041666213f",
            "0.008330364f",
            "0.0013896234f",
            "0.00020366682f",
            "2.4724779e-05f",
        ),
        phi1_wide=(
            "1.0f",
            "0.5f",
            "0.166666642f",
            "0.0416666195f",
            "0.00833339803f",
            "0.00138899405f",
            "0.000198365189f",
            "2.47262215e-05f",
            "2.76734909e-06f",
            "2.97099035e-07f",
            "2.48512269e-08f",
        ),
        phi2_near=(
            "0.5f",
            "0.16666667f",
            "0.041666713f",
            "0.008333304f",
            "0.0013885936f",
            "0.00019844976f",
            "2.5325708e-05f",
            "2.7673573e-06f",
        ),
        phi2_wide=(
            "0.5f",
            "0.16666666f",
            "0.04166663f",
            "0.008333366f",
            "0.0013889786f",
            "0.00019838611f",
            "2.473258e-05f",
            "2.7618623e-06f",
            "2.962953e-07f",
            "2.535066e-08f",
        ),
    ),
    "float64": FloatFormat(
        real="double",
        suffix="",
        lane_int="int64_t",
        lane_uint="uint64_t",
        width=64,
        round_shift="6755399441055744.0",
        round_shift_bits="0x4338000000000000u",
        round_shift_biased="6755399441056767.0",
        mantissa_bits=52,
        exponent_bias=1023,
        to_real="(iz_from_bits(0x4330000000000000u | (uint64_t)(%s)) - 4503599627370496.0)",
        mantissa_mask="0x000FFFFFFFFFFFFFu",
        head_mask="0xFFFFFFFFF8000000u",
        sqrt_half_bits="0x3FE6A09E667F3BCDu",
        smallest_normal="2.2250738585072014e-308",
        subnormal_scale="9007199254740992.0",
        inverse_ln2="1.4426950408889634",
        ln2_high="0.693147180369123816490",
        ln2_low="1.90821492927058770002e-10",
        exp_lowest="-708.0",
        exp_highest="709.08",
        tanh_limit="19.1",
        series_terms=17,
        root_terms=12,
        exp_huge="1e30",
        phi1=(
            "1.0",
            "0.5",
            "0.16666666666666602",
            "0.041666666666620035",
            "0.008333333333388286",
            "0.0013888888920481728",
            "0.00019841269709548222",
            "2.480151638829875e-05",
            "2.7557424918318637e-06",
            "2.7622208758576354e-07",
            "2.5045938483093173e-08",
        ),
        phi1_near=(
            "1.0",
            "0.5",
            "0.1666666666666666",
            "0.04166666666666595",
            "0.008333333333334744",
            "0.0013888888889003236",
            "0.00019841269840329236",
            "2.480158723655217e-05",
            "2.755731949908759e-06",
            "2.7557336879852074e-07",
            "2.505207016760373e-08",
            "2.0874278446201445e-09",
            "1.6061265218548595e-10",
            "1.1644306434255526e-11",
            "7.640891745385695e-13",
        ),
        phi1_wide=(
            "1.0",
            "0.5",
            "0.16666666666666666",
            "0.04166666666666666",
            "0.008333333333333333",
            "0.001388888888888976",
            "0.00019841269841270253",
            "2.4801587301283017e-05",
            "2.755731922384145e-06",
            "2.755731927176626e-07",
            "2.505210840812441e-08",
            "2.0876753010996743e-09",
            "1.6059041948691098e-10",
            "1.147093322535863e-11",
            "7.647252828412149e-13",
            "4.7744431721110966e-14",
            "2.8090660296871496e-15",
            "1.633329863609043e-16",
            "8.560036320335164e-18",
        ),
        phi2_near=(
            "0.5",
            "0.16666666666666666",
            "0.041666666666666276",
            "0.00833333333333369",
            "0.0013888888888965",
            "0.00019841269840966574",
            "2.480158725211631e-05",
            "2.755731932303392e-06",
            "2.755733401063548e-07",
            "2.505209473810374e-08",
            "2.087452398446866e-09",
            "1.605957565206288e-10",
            "1.1636374472593975e-11",
            "7.686429166786303e-13",
        ),
        phi2_wide=(
            "0.5",
            "0.16666666666666657",
            "0.041666666666666866",
            "0.008333333333334652",
            "0.0013888888888876788",
            "0.00019841269840767796",
            "2.4801587304076576e-05",
            "2.7557319307318294e-06",
            "2.755731898527947e-07",
            "2.5052101160455735e-08",
            "2.087676875035476e-09",
            "1.605939577322126e-10",
            "1.1470457731418484e-11",
            "7.637473351348769e-13",
            "4.781888712315123e-14",
            "2.9518792667820454e-15",
            "1.5861147441187642e-16",
        ),
    ),
}


PHI1_SATURATES = {dtype: float(form.exp_highest.rstrip("f")) for dtype, form in FORMATS.items()}
"""Arguments above which phi1 keeps its value."""


@dataclass(frozen=True)
class LogarithmFormat:
    """Coefficients of the minimax polynomial of (2 atanh(s) - 2s)/s^3 in s*s.

    s = g/(2 + g) for sqrt(1/2) <= 1 + g <= sqrt(2).
    """

    series: tuple[str, ...]


LOGARITHM: dict[str, LogarithmFormat] = {
    "float32": LogarithmFormat(series=("0.66666776f", "0.3997762f", "0.2986921f")),
    "float64": LogarithmFormat(
        series=(
            "0.6666666666666734",
            "0.3999999999941499",
            "0.28571428742466076",
            "0.22222198561297865",
            "0.1818356498415107",
            "0.15314033628884405",
            "0.1479611803212711",
        )
    ),
}


@dataclass(frozen=True)
class PowerFormat:
    """Constants of ``pow``.

    Attributes
    ----------
    c1, c1_low, c3, c3_low : str
        2/ln 2 and 2/(3 ln 2), each in two parts.
    log2 : tuple of str
        Minimax polynomial in s*s of what follows them in 2 atanh(s)/ln 2, divided by s^5.
    log2_bits : int
        Bits to which the logarithm holds.
    exp2 : tuple of str
        Minimax polynomial of (2^r - 1)/r on |r| <= 1/2.
    exp2_limit, y_limit : str
        Exponents beyond which 2^n is 0 or infinity, and so is x^y for every x but 1.
    """

    c1: str
    c1_low: str
    c3: str
    c3_low: str
    log2: tuple[str, ...]
    log2_bits: int
    exp2: tuple[str, ...]
    exp2_limit: str
    y_limit: str


POWER: dict[str, PowerFormat] = {
    "float32": PowerFormat(
        c1="2.88539f",
        c1_low="3.851926e-08f",
        c3="0.9617967f",
        c3_low="-7.028462e-09f",
        log2_bits=34,
        log2=("0.577078f", "0.41220582f", "0.32002282f", "0.28146914f"),
        exp2=("0.6931472f", "0.2402265f", "0.05550358f", "0.009618074f", "0.0013391669f", "0.00015457981f"),
        exp2_limit="160.0f",
        y_limit="6.8719477e10f",
    ),
    "float64": PowerFormat(
        c1="2.8853900817779268",
        c1_low="4.0710547481862066e-17",
        c3="0.9617966939259756",
        c3_low="5.0577616648125907e-17",
        log2_bits=65,
        log2=(
            "0.5770780163555851",
            "0.4121985831113454",
            "0.3205988979129123",
            "0.26230819863974714",
            "0.22195227163359527",
            "0.19240127459386927",
            "0.16845242416700384",
            "0.17281031703731908",
        ),
        exp2=(
            "0.6931471805599453",
            "0.24022650695910133",
            "0.05550410866482296",
            "0.00961812910759318",
            "0.0013333558146157226",
            "0.00015403530458361087",
            "1.5252734044843996e-05",
            "1.3215434647620477e-06",
            "1.0177982026334222e-07",
            "7.073893159161253e-09",
            "4.4661047250655733e-10",
        ),
        exp2_limit="1100.0",
        y_limit="7.378697629483821e19",
    ),
}


@dataclass(frozen=True)
class AngleFormat:
    """Constants of the reduction by pi/2 and of sine and cosine after it.

    Attributes
    ----------
    two_over_pi : str
    exact_parts, kept_parts : tuple of str
        Leading parts of pi/2, of 8 bits (float32) and 30 bits (float64): those whose multiples are subtracted without
        rounding, and those where the rounding is kept.
    last_part : str
        The rest of pi/2.
    exact_limit, limit : str
        Arguments up to which multiples of the parts are exact, and from which on every argument counts as 0.
    reach : str
        The largest magnitude left by the reduction; above pi/4 as n is rounded from a rounded product.
    sine, cosine : tuple of str
        Minimax polynomials of (sin r - r)/r^3 and (cos r - 1 + r*r/2)/r^4 in r*r.
    """

    two_over_pi: str
    exact_parts: tuple[str, ...]
    kept_parts: tuple[str, ...]
    last_part: str
    exact_limit: str
    limit: str
    reach: str
    sine: tuple[str, ...]
    cosine: tuple[str, ...]


ANGLE: dict[str, AngleFormat] = {
    "float32": AngleFormat(
        two_over_pi="0.63661977f",
        exact_parts=("1.5703125f", "0.00048828125f", "-4.4107437e-06f"),
        kept_parts=("-4.377216e-08f", "6.002665e-11f", "7.4606987e-13f"),
        last_part="-1.7151245e-15f",
        exact_limit="1e5f",
        limit="6.5e6f",
        reach="1.28f",
        sine=("-0.16666666f", "0.008333268f", "-0.00019828469f", "2.659297e-06f"),
        cosine=("0.041666664f", "-0.0013888784f", "2.4786337e-05f", "-2.6620341e-07f"),
    ),
    "float64": AngleFormat(
        two_over_pi="0.6366197723675814",
        exact_parts=("1.5707963276654482",),
        kept_parts=("-8.705515700674349e-10", "5.17018297889025e-19"),
        last_part="2.9038559739793605e-28",
        exact_limit="1e7",
        limit="1e14",
        reach="0.8",
        sine=(
            "-0.16666666666666624",
            "0.008333333333320304",
            "-0.00019841269828052932",
            "2.755731306575335e-06",
            "-2.5050657853247314e-08",
            "1.589087697360435e-10",
        ),
        cosine=(
            "0.041666666666666574",
            "-0.001388888888886977",
            "2.480158728678669e-05",
            "-2.7557313580321357e-07",
            "2.0875619205175364e-09",
            "-1.135430221518963e-11",
        ),
    ),
}


@dataclass(frozen=True)
class ErrorFormat:
    """Constants of erf: minimax polynomials of erf(z)/z - 1 in z*z for |z| <= 1 (``near``), and of -log erfc in z -
    ``centre`` from 1 to ``limit`` (``far``), beyond which erf rounds to 1.
    """

    near: tuple[str, ...]
    far: tuple[str, ...]
    centre: str
    limit: str


ERROR: dict[str, ErrorFormat] = {
    "float32": ErrorFormat(
        near=(
            "0.12837917f",
            "-0.37612626f",
            "0.11283583f",
            "-0.026853696f",
            "0.0051880893f",
            "-0.0008008082f",
            "7.8469835e-05f",
        ),
        far=(
            "5.364941f",
            "4.4181595f",
            "0.92375255f",
            "0.01648578f",
            "-0.0035445313f",
            "0.00071318465f",
            "-0.00018516774f",
        ),
        centre="2.0f",
        limit="3.93f",
    ),
    "float64": ErrorFormat(
        near=(
            "0.1283791670955126",
            "-0.3761263890318392",
            "0.11283791670961049",
            "-0.02686617064604544",
            "0.005223977633075764",
            "-0.00085483274081742",
            "0.00012055345393143625",
            "-1.4925913579539996e-05",
            "1.6465779370457838e-06",
            "-1.6398056137596175e-07",
            "1.4964049899174975e-08",
            "-1.249216572775797e-09",
            "7.765720054399377e-11",
        ),
        far=(
            "5.364941264616636",
            "4.418160805994414",
            "0.9237508418239575",
            "0.01646511813740834",
            "-0.0035707563479844304",
            "0.0007323993777265161",
            "-0.0001353093300483735",
            "2.070647174058994e-05",
            "-1.95218834947765e-06",
            "-2.037294186906015e-07",
            "1.7317344458861387e-07",
            "-5.7694082127816114e-08",
            "1.3988584756911446e-08",
            "-2.6105616007387226e-09",
            "2.575937000511902e-10",
            "7.1681656849285e-11",
            "-3.6785370274459425e-11",
            "4.89229867063713e-12",
        ),
        centre="2.0",
        limit="5.95",
    ),
}
