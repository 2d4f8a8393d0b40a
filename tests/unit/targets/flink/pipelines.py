"""Pipelines of the Python API over the same small files: each as a function of a session's tables."""

from __future__ import annotations

import datetime as dt
import json
import random
from decimal import Decimal

import fluxcore as fx
from fluxcore.core import types as t
from fluxcore.core.schema import Column, Schema

START = dt.datetime(2024, 3, 1)
MILLISECONDS = t.TimestampType(precision=3)
ORDERS = Schema.of(
    [
        Column("id", t.BIGINT), Column("customer", t.STRING), Column("n", t.INT), Column("v", t.DOUBLE),
        Column("price", t.DecimalType(precision=8, scale=2)), Column("day", t.DATE), Column("ok", t.BOOLEAN),
        Column("tags", t.ArrayType(element=t.STRING)), Column("place", t.RowType(fields=(("city", t.STRING), ("zip", t.INT)))),
        Column("ts", MILLISECONDS),
    ]
)  # fmt: skip
RATES = Schema.of(
    [Column("customer", t.STRING), Column("rate", t.DOUBLE), Column("select", t.INT), Column("ts", MILLISECONDS)]
)


def write_inputs(folder, rows=120):
    """Write the orders as JSON lines and the rates as CSV, times a little out of order; return both paths."""
    chance = random.Random(5)
    customers = ["ann", "bob", "ché", "o'hara", None]
    lines = []
    for number in range(rows):
        moment = START + dt.timedelta(seconds=20 * number + chance.randrange(60), milliseconds=number)
        lines.append(
            {
                "id": number, "customer": chance.choice(customers), "n": chance.choice([None, 1, 2, 3]),
                "v": chance.choice([None, 0.5, -1.25, 8.0]), "price": float(Decimal(chance.randrange(10_000)) / 100),
                "day": f"{moment:%Y-%m-%d}", "ok": chance.random() < 0.6, "tags": ["a", "b"][: chance.randrange(3)],
                "place": {"city": chance.choice(["Köln", "Bonn"]), "zip": chance.randrange(3)},
                "ts": f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}",
            }
        )  # fmt: skip
    orders, rates = folder / "orders.jsonl", folder / "rates.csv"
    orders.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in lines), "utf-8")
    with rates.open("w", encoding="utf-8") as file:
        for number in range(rows // 3):
            moment = START + dt.timedelta(seconds=60 * number, milliseconds=7 * number % 1000)
            customer = customers[number % 3]
            file.write(f"{customer},{number % 7 / 4},{number % 4},{moment:%Y-%m-%d %H:%M:%S}.{7 * number % 1000:03d}\n")
    return orders, rates


def tables(session, folder):
    """Return the streams of both files, in which rows come up to two minutes late."""
    orders, rates = folder / "orders.jsonl", folder / "rates.csv"
    return (
        session.read(orders, schema=ORDERS, watermark=("ts", "2 minutes")),
        session.read(rates, schema=RATES, watermark=("ts", "0 s")),
    )


def columns(orders, rates):
    wide = orders.filter(fx.col("v") > 0, ~fx.col("ok") | fx.col("n").isin([1, 3]))
    return wide.select(
        "id", "day", "tags", "place", half=fx.col("v") / 2, dear=fx.col("price") * Decimal("1.19"), minus=-fx.col("n") - -2,
        name=fx.call("UPPER", fx.call("COALESCE", fx.col("customer"), "nobody")), later=fx.col("ts") + dt.timedelta(minutes=90),
        city=fx.call("FIELD", fx.col("place"), "city"), first=fx.call("ITEM", fx.col("tags"), 1),
        size=fx.call("CASE", fx.col("v").between(0, 1), "small", fx.col("n").is_null(), "?", "large"),
        like=fx.col("customer").like("%'%"), whole=fx.col("v").cast(t.BIGINT), text=fx.col("price").cast(t.STRING),
        month=fx.call("EXTRACT", "MONTH", fx.col("day")), hour=fx.call("FLOOR", fx.col("ts"), "HOUR"),
    )  # fmt: skip


def constants(orders, rates):
    return orders.filter(fx.col("id") < 2).select(
        "id", a=fx.lit(5), b=fx.lit(2**40), c=fx.lit(-1.5e-7), d=fx.lit(Decimal("12345678901234567890.123")), e=fx.lit("it's `x`\n é"),
        f=fx.lit(b"\x00\xff"), g=fx.lit(True), h=fx.lit(dt.date(2024, 2, 29)), i=fx.lit(dt.time(1, 2, 3, 4000)),
        j=fx.lit(dt.datetime(2024, 2, 29, 1, 2, 3, 456789)), k=fx.lit(dt.datetime(2024, 2, 29, 1, tzinfo=dt.UTC)),
        m=fx.lit(Decimal("0.05")), n=fx.lit(Decimal("-7.50")), o=fx.lit(None).cast(t.INT), p=fx.lit(-(2**31)), q=fx.lit(-(2**63)),
    )  # fmt: skip


def groups(orders, rates):
    aggregates = {
        "rows": fx.count(), "known": fx.count("n"), "kinds": fx.count("n").distinct(), "total": fx.sum("price"),
        "mean": fx.avg("v"), "least": fx.min("customer"), "most": fx.max("ts"), "good": fx.count().where(fx.col("ok")),
        "some": fx.sum(fx.col("n") * 2).where(fx.col("v") > 0), "spread": fx.stddev_pop("v"), "of_numbers": fx.var_samp("n"),
        "middle": fx.percentile("v", 0.5),
    }  # fmt: skip
    return orders.group_by("customer", fx.call("FIELD", fx.col("place"), "zip").alias("zip")).agg(**aggregates)


def one_group(orders, rates):
    return orders.group_by().agg(n=fx.count(), most=fx.max("price"))


def groups_of_groups(orders, rates):
    inner = orders.group_by("customer", "n").agg(rows=fx.count()).filter(fx.col("rows") > 3)
    return inner.group_by("customer").agg(groups=fx.count(), most=fx.max("rows"))


def lifetimes(orders, rates):
    best = rates.group_by("select").agg(top=fx.max("rate")).select(fx.col("select").alias("n"), "top")
    return orders.group_by("n", ttl="1 day").agg(rows=fx.count()).join(best, on=["n"], ttl=("1 day", "12 h"))


def tumbling(orders, rates):
    return orders.window(fx.tumble("ts", "5 minutes")).group_by("customer").agg(n=fx.count(), total=fx.sum("price"))


def sliding(orders, rates):
    rows = orders.filter(fx.col("ok")).window(fx.hop("ts", size="10 minutes", slide="150 s", offset="10 s"))
    return rows.group_by("customer").agg(n=fx.count(), last=fx.max("id"))


def growing(orders, rates):
    return orders.window(fx.cumulate("ts", size="10 minutes", step="5 minutes")).group_by().agg(n=fx.count())


def sessions(orders, rates):
    return orders.window(fx.session("ts", gap="70 s", per="customer")).group_by("customer").agg(n=fx.count())


def windowed_rows(orders, rates):
    rows = orders.window(fx.tumble("ts", "1 hour")).filter(fx.col("window_start") > dt.datetime(2023, 1, 1))
    return rows.select("id", "window_start", "window_end", fx.col("window_time").alias("moment"))


def late_groups(orders, rates):
    """Group by a column that is computed after the rows are in windows."""
    rows = orders.window(fx.tumble("ts", "5 minutes")).with_columns(half=fx.call("MOD", fx.col("id"), 2))
    return rows.group_by("half").agg(n=fx.count(), ok=fx.count().where(fx.col("ok")))


def windows_of_windows(orders, rates):
    small = orders.window(fx.tumble("ts", "2 minutes")).group_by("customer").agg(n=fx.count())
    return small.window(fx.tumble("window_time", "10 minutes")).group_by("customer").agg(most=fx.max("n"))


def joined(how):
    def pipeline(orders, rates):
        few = rates.filter(fx.col("select") > 0).select("customer", "rate", "select")
        return orders.select("id", "customer", "n").join(few, on=["customer"], how=how)

    return pipeline


def two_keys(orders, rates):
    right = rates.select("customer", fx.col("select").alias("n"), "rate")
    return orders.select("customer", "n", "id").join(right, on=["customer", "n"], how="anti")


def windows_joined(how):
    def pipeline(orders, rates):
        window = fx.tumble("ts", "5 minutes")
        few = rates.filter(fx.col("select") > 0).window(window)
        return orders.select("id", "customer", "ts").window(window).join(few, on=["customer"], how=how)

    return pipeline


def in_time(how):
    def pipeline(orders, rates):
        return orders.select("id", "customer", "ts").join(rates, on=["customer"], how=how, within=("90 s", "2 minutes"))

    return pipeline


def as_of(orders, rates):
    return orders.select("id", "customer", "ts").join_as_of(rates, on=["customer"], how="left")


def as_of_tolerant(orders, rates):
    return orders.select("id", "customer", "ts").join_as_of(rates, on=["customer"], tolerance="50 s")


def as_of_some(orders, rates):
    some = rates.filter(fx.col("select") < 3).select("ts", "customer", twice=fx.col("rate") * 2)
    return orders.select("id", "customer", "ts").join_as_of(some, on=["customer"])


def top(orders, rates):
    return orders.select("id", "customer", "price").top(2, by=["price", "id"], per=["customer"], rank="place")


def best(orders, rates):
    return orders.select("id", "customer", "price").top(1, by=["price", "id"])


def best_of_each(orders, rates):
    return (
        orders.group_by("customer", "n")
        .agg(rows=fx.count(), last=fx.max("id"))
        .top(1, by=["rows", "n"], per=["customer"])
    )


def top_of_windows(orders, rates):
    rows = orders.select("id", "customer", "price", "ts").window(fx.tumble("ts", "10 minutes"))
    return rows.top(3, by=["price", "id"], per=["customer"], ascending=True, rank="place")


def first_of_each(orders, rates):
    return orders.select("id", "customer", "ts").deduplicate("customer")


def last_of_each(orders, rates):
    return orders.select("id", "customer", "ts").deduplicate("customer", keep="last")


def last_of_windows(orders, rates):
    return (
        orders.select("id", "customer", "ts").window(fx.tumble("ts", "10 minutes")).deduplicate("customer", keep="last")
    )


def over(orders, rates):
    return orders.select("id", "customer", "n", "v", "ts", "ok").over(
        partition_by="customer", order_by="ts", number=fx.row_number(), before=fx.lag("id"), running=fx.sum("v"),
        three=fx.count("n").rows(2), minute=fx.sum("id").range("1 minute"), rank=fx.rank(),
        good=fx.count().where(fx.col("ok")), kinds=fx.count("n").distinct().rows(5),
        best=fx.max("v").where(fx.col("ok")).rows(3), own=fx.sum("id").rows(0),
    )  # fmt: skip


def over_all(orders, rates):
    return orders.select("id", "ts").over(order_by="ts", total=fx.sum("id"))


def first_rows(orders, rates):
    return orders.select("id", "customer", "price").sort("price", "id", ascending=False).limit(5)


def united(orders, rates):
    dear = orders.filter(fx.col("price") > 50).select("id", kind=fx.lit("dear"))
    good = orders.filter(fx.col("ok")).select("id", kind=fx.lit("good"))
    return dear.union(good, orders.select("id", kind=fx.lit("fine")).filter(fx.col("id") < 3))


def twins(orders, rates):
    """Join a stream with itself again and again: what is shared must not be written again and again."""
    found = orders.select("id", "n").filter(fx.col("n") == 1).group_by("id").agg(rows=fx.count())
    for _ in range(6):
        found = found.join(found, on=["id"]).select("id", fx.col("rows"))
    return found


def odd_names(orders, rates):
    odd = rates.select(
        fx.col("select").alias("order by"), fx.col("rate").alias("a`b"), fx.col("customer").alias("日本 'x'")
    )
    return odd.filter(fx.col("order by") > 1).group_by("日本 'x'").agg(**{"sum": fx.sum("a`b"), "from": fx.count()})


def same_names(orders, rates):
    return orders.select("id", "id", twice=fx.col("id") * 2).filter(fx.col("twice") < 10)


def updated_and_final(orders, rates):
    """Return streams of one column ``id`` by name: those whose rows Flink takes back, and those that only come."""
    some = rates.select("customer").filter(fx.col("customer") != "bob")
    groups = orders.window(fx.tumble("ts", "1 minute")).group_by("customer").agg(n=fx.count())
    updated = {
        "groups": orders.group_by("id").agg(n=fx.count()),
        "last": orders.deduplicate("id", keep="last"),
        "top": orders.top(2, by="v"),
        "first rows": orders.sort("v").limit(2),
        "left": orders.join(rates, on=["customer"], how="left"),
        "anti": orders.join(some, on=["customer"], how="anti"),
        "over": orders.select("v").over(order_by="v", id=fx.count()),
    }
    final = {
        "plain": orders,
        "first": orders.deduplicate("id"),
        "some": orders.limit(3),
        "inner": orders.join(rates, on=["customer"]),
        "semi": orders.join(some, on=["customer"], how="semi"),
        "windows": groups.select(id=fx.col("n")),
        "in time": orders.join(rates, on=["customer"], how="left", within=("1 s", "1 s")),
        "as of": orders.join_as_of(rates, on=["customer"]),
        "arrival": orders.select("id").deduplicate("id"),
    }
    return tuple({name: stream.select("id") for name, stream in each.items()} for each in (updated, final))


PIPELINES = {
    each.__name__: each
    for each in (
        columns, constants, groups, one_group, groups_of_groups, lifetimes, tumbling, sliding, growing, sessions, windowed_rows,
        late_groups, windows_of_windows, two_keys, as_of, as_of_tolerant, as_of_some, top, best, best_of_each, top_of_windows, first_of_each,
        last_of_each, last_of_windows, over, over_all, first_rows, united, twins, odd_names, same_names,
    )
}  # fmt: skip
for _how in ("inner", "left", "right", "full", "semi", "anti"):
    PIPELINES[f"joined_{_how}"] = joined(_how)
    PIPELINES[f"windows_joined_{_how}"] = windows_joined(_how)
for _how in ("inner", "left", "right", "full"):
    PIPELINES[f"in_time_{_how}"] = in_time(_how)
