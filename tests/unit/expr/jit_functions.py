"""Plain numeric functions, each with what Python has its own rules for."""

from __future__ import annotations

import math

import numpy as np

import fluxcore as fx

RATE = 1.25
FLOOR = 3


def clamp(x, low, high):  # type: ignore[no-untyped-def]
    if x < low:
        return low
    return high if x > high else x


@fx.udf
def sums(a: int, b: int) -> int:
    return a * b + a - b


@fx.udf
def products(a: int, b: int) -> int:
    c = a * b
    return c // 7 if c > 100 else -c


@fx.udf
def quotients(a: int, b: int) -> int:
    return a // b + a % b


@fx.udf
def ratios(a: int, b: int) -> float:
    return a / b


@fx.udf
def bits(a: int, b: int) -> int:
    return (a & b) ^ (a | ~b) ^ (a << (b & 7)) ^ (a >> (b % 70))


@fx.udf
def powers(a: int, b: int) -> int:
    return abs(a) ** (b % 5) + a**2 - pow(b, 3)


@fx.udf
def float_rests(x: float, y: float) -> float:
    return x % y + x // y


@fx.udf
def float_powers(x: float, y: float) -> float:
    return x**2 + abs(x) ** 0.5 + 2.0**y + x**y


@fx.udf
def waves(x: float, y: float) -> float:
    return (
        math.sin(x) * math.cos(y)
        + math.tan(x)
        + math.atan2(x, y)
        + math.tanh(y)
        + math.atan(x)
        + math.degrees(x)
        - math.radians(y)
    )


@fx.udf
def logs(x: float, y: float) -> float:
    return (
        math.log(x)
        + math.sqrt(x)
        + math.log10(x)
        + math.log2(x)
        + math.log(x, y)
        + math.exp(y)
        + math.fmod(x, y)
        + math.pow(x, y)
        + math.asin(1 / (1 + x))
        + math.acos(1 / (2 + x))
        + math.sinh(y / 1000)
        + math.cosh(y / 1000)
    )


@fx.udf
def rounded(x: float, y: float) -> int:
    return round(x) + math.floor(y) - math.ceil(x) + int(y) + math.trunc(x)


@fx.udf
def extremes(x: float, a: int) -> float:
    return max(x, a, FLOOR) - min(a, x) if not math.isnan(x) else math.copysign(RATE, a)


@fx.udf
def compared(x: float, a: int) -> bool:
    return x == a or (x < a <= 10) or a in (1, 2, 3) or not (x > 0 and a)


@fx.udf
def mixed(n: int, x: float) -> float:
    total = 0
    for i in range(n % 20):
        if i % 3 == 0:
            continue
        total += x * i
        if total > 1e6:
            break
    return total * RATE


@fx.udf
def whole_or_not(a: int, x: float) -> float:
    found = a
    if x > 0:
        found = found + 0.5
    return -(found * a) + found - clamp(x, -FLOOR, FLOOR)


@fx.udf
def fibonacci(n: int) -> int:
    if n < 0:
        raise ValueError("negative")
    a, b = 0, 1
    while n > 0:
        a, b = b, a + b
        n -= 1
        assert n < 200, "too many"
    return a


@fx.udf
def or_none(a: int | None, x: float | None) -> float | None:
    if a is None:
        return x
    if x is not None and x > a:
        return None
    return a * 2.0 if x is None else x + a


@fx.udf
def none_in_a_sum(a: int | None, b: int) -> int:
    return a + b  # type: ignore[operator]


@fx.udf
def small(a: np.int32, x: np.float32) -> np.int16:
    return a * 3 if x > 0.1 else a - 7


@fx.udf
def single(a: np.int32, x: np.float32) -> np.float32:
    return x * 1.1 + a


@fx.udf
def truths(a: bool, b: bool) -> bool:
    return (a and not b) ^ (a | b)


@fx.udf
def chosen(a: bool, b: int) -> int:
    return (b or 5) + a + (-a)
