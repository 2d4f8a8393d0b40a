"""Payloads of each kind go to bytes and come as what a handler wants."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Any

import msgspec
import pydantic
import pytest

from fluxcore.bus.errors import BusError
from fluxcore.bus.payloads import convert, decoder, encode, field


class Struct(msgspec.Struct):
    amount: float
    note: str = ""


@dataclasses.dataclass
class Data:
    amount: float
    note: str = ""


class Model(pydantic.BaseModel):
    amount: float
    note: str = ""


KINDS = [Struct, Data, Model]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wanted", KINDS)
def test_records_become_each_other(kind: Any, wanted: Any) -> None:
    found = convert(kind(amount=2.5, note="né"), wanted)
    assert isinstance(found, wanted)
    assert (found.amount, found.note) == (2.5, "né")
    assert decoder(wanted)(encode(kind(amount=2.5, note="né"))) == found


@pytest.mark.parametrize("kind", KINDS)
def test_dicts_become_records_and_back(kind: Any) -> None:
    assert convert({"amount": 1, "note": "x"}, kind) == kind(amount=1.0, note="x")
    assert convert(kind(amount=1.0), dict) == {"amount": 1.0, "note": ""}
    assert convert(b'{"amount":1}', kind) == kind(amount=1.0)


def test_plain_values_stay_as_they_are() -> None:
    value = {"when": dt.date(2024, 1, 2), "sum": Decimal("1.10")}
    assert convert(value, Any) is value
    assert convert(value, None) is value
    assert convert([1, 2], list) == [1, 2]
    assert encode(value) == b'{"when":"2024-01-02","sum":"1.10"}'
    assert encode(b"\x00\xff") == b"\x00\xff"
    assert convert(b"\x00\xff", bytes) == b"\x00\xff"


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(BusError) as caught:
        convert({"amount": "much"}, Struct)
    assert caught.value.code == "FX-BUS-0201"
    assert "amount" in caught.value.message
    with pytest.raises(BusError, match="Model"):
        convert({}, Model)
    with pytest.raises(BusError) as caught:
        encode(object())
    assert caught.value.code == "FX-BUS-0202"


def test_fields_are_found_in_all_kinds() -> None:
    for data in ({"a": 1}, dataclasses.make_dataclass("D", ["a"])(1), b'{"a":1}'):
        assert field(data, "a") == 1
        assert field(data, "b") is None
