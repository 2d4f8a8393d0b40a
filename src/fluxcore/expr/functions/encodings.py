"""Hashes, base64, character sets and URLs."""

from __future__ import annotations

import base64
import codecs
import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import pyarrow as pa

from fluxcore.core.types import BIGINT, BYTES, INT, STRING, BytesType, DataType, IntegerType, NullType, StringType
from fluxcore.errors import DataError
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rowwise import each
from fluxcore.expr.rules import any_null, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str

_HASHES = {"MD5": 32, "SHA1": 40, "SHA224": 56, "SHA256": 64, "SHA384": 96, "SHA512": 128}
_SHA2_BITS = (224, 256, 384, 512)


def _text_or_bytes(args: Sequence[Expr]) -> bool:
    return bool(args) and isinstance(args[0].type, StringType | BytesType | NullType)


def _hash_rule(length: int) -> Callable[[Sequence[Expr]], Resolved]:
    def rule(args: Sequence[Expr]) -> Resolved:
        if len(args) != 1 or not _text_or_bytes(args):
            return "one STRING or BYTES"
        return _known(args), StringType(length=length, fixed=True, nullable=any_null(args))

    return rule


def _known(args: Sequence[Expr]) -> list[Expr]:
    return [to(arg, STRING) if isinstance(arg.type, NullType) else arg for arg in args]


def _sha2_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 2 or not _text_or_bytes(args) or not isinstance(args[1].type, IntegerType | NullType):
        return "a STRING or BYTES, and 224, 256, 384 or 512"
    return [*_known(args[:1]), to(args[1], INT)], StringType(length=128, nullable=True)


def _hashed(name: str) -> Callable[[Inputs], pa.Array]:
    def digest(value: str | bytes) -> str:
        return hashlib.new(name.lower(), _bytes_of(value), usedforsecurity=False).hexdigest()

    return lambda inputs: each(inputs, digest, pa.string())


def _bytes_of(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _sha2(value: str | bytes, bits: int) -> str:
    if bits not in _SHA2_BITS:
        raise DataError("FX-RUN-0107", f"SHA2 has no hash of {bits} bits", hint="224, 256, 384 or 512")
    return hashlib.new(f"sha{bits}", _bytes_of(value)).hexdigest()


def _to_base64_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not _text_or_bytes(args):
        return "one STRING or BYTES"
    return _known(args), STRING.with_nullable(any_null(args))


_BASE64 = re.compile("[A-Za-z0-9+/]*={0,2}")


def _from_base64(value: str | bytes) -> str:
    """Return decoded text. Padding may be left out, but not be wrong."""
    text = value if isinstance(value, str) else value.decode("latin-1")
    digits = text.rstrip("=")
    padding = len(text) - len(digits)
    if not _BASE64.fullmatch(text) or len(digits) % 4 == 1 or (padding and len(text) % 4):
        raise DataError("FX-RUN-0108", f"'{text}' is not in base64", hint="a row with such text fails the job")
    return java_decoded(base64.b64decode(digits + "=" * (-len(digits) % 4)), "utf-8")


_CHARSETS = {"us-ascii": "ascii", "ascii": "ascii", "iso-8859-1": "latin-1", "latin1": "latin-1", "utf-8": "utf-8", "utf8": "utf-8",
             "utf-16": "utf-16", "utf-16be": "utf-16-be", "utf-16le": "utf-16-le", "utf-32": "utf-32-be"}  # fmt: skip
_SURROGATE = re.compile(b"\xed[\xa0-\xbf][\x80-\xbf]")


def _charset(name: str) -> str:
    """Return Python's name of one of Java's character sets. Raises ``DataError`` FX-RUN-0109."""
    known = _CHARSETS.get(name.lower())
    try:
        return known or codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        hint = "such as UTF-8, UTF-16, ISO-8859-1 or US-ASCII"
        raise DataError("FX-RUN-0109", f"there is no character set '{name}'", hint=hint) from error


def _encode(text: str, name: str) -> bytes:
    charset = _charset(name)
    if charset == "utf-16":  # Java writes big-endian behind a mark
        return b"\xfe\xff" + text.encode("utf-16-be") if text else b""
    return text.encode(charset, "replace")


def _decode(data: bytes, name: str) -> str:
    charset = _charset(name)
    if charset == "utf-16" and data[:2] not in (b"\xfe\xff", b"\xff\xfe"):
        charset = "utf-16-be"
    return java_decoded(data, charset)


def java_decoded(data: bytes, charset: str) -> str:
    """Return bytes as text as Java does: what is no text becomes U+FFFD, a surrogate in UTF-8 one of them."""
    if charset == "utf-8":
        data = _SURROGATE.sub("\ufffd".encode(), data)
    return data.decode(charset, "replace")


def _charset_rule(kind: type, result: DataType, wanted: str) -> Callable[[Sequence[Expr]], Resolved]:
    def rule(args: Sequence[Expr]) -> Resolved:
        if len(args) != 2 or not all(
            isinstance(arg.type, (each_kind, NullType)) for arg, each_kind in zip(args, (kind, StringType), strict=True)
        ):
            return wanted
        types = (BYTES if kind is BytesType else STRING, STRING)
        cast = [
            to(arg, type_) if isinstance(arg.type, NullType) else arg for arg, type_ in zip(args, types, strict=True)
        ]
        return cast, result.with_nullable(any_null(args))

    return rule


def _texts_rule(least: int, most: int, wanted: str) -> Callable[[Sequence[Expr]], Resolved]:
    def rule(args: Sequence[Expr]) -> Resolved:
        if not least <= len(args) <= most or not all(isinstance(arg.type, StringType | NullType) for arg in args):
            return wanted
        return _known(args), STRING

    return rule


def _url_encode(text: str) -> str:
    return quote_plus(text, safe="*-._").replace("~", "%7E")


_ESCAPE = re.compile("%([0-9a-fA-F]{2})?")


def _url_decode(text: str) -> str | None:
    if any(found[1] is None for found in _ESCAPE.finditer(text)):
        return None

    def part(piece: str) -> str:
        return java_decoded(bytes.fromhex(piece.replace("%", "")), "utf-8")

    return re.sub("(?:%[0-9a-fA-F]{2})+", lambda found: part(found[0]), text.replace("+", " "))


_PROTOCOLS = ("http", "https", "ftp", "file", "jar", "mailto")
_URL = re.compile(r"(?s)\s*([A-Za-z][A-Za-z0-9+.-]*):(.*?)\s*")


def _url_parts(url: str) -> dict[str, str | None] | None:
    """Return a URL's parts as ``java.net.URL`` cuts it, or None for what it does not take."""
    whole = _URL.fullmatch(url)
    if whole is None or whole[1].lower() not in _PROTOCOLS:
        return None
    rest, _, reference = whole[2].partition("#")
    path, asked, query = rest.partition("?")
    authority: str | None = None
    host, user = "", None
    if path.startswith("//"):
        authority, slash, path = path[2:].partition("/")
        path = slash + path
        front, at, behind = authority.rpartition("@")
        user = front if at else None
        host, colon, port = behind.rpartition(":") if not behind.endswith("]") else (behind, "", "")
        if not colon:
            host = behind
        elif port and not port.isdecimal():
            return None
    return {
        "PROTOCOL": whole[1].lower(),
        "HOST": host,
        "PATH": path,
        "QUERY": query if asked else None,
        "REF": reference if "#" in whole[2] else None,
        "AUTHORITY": authority,
        "FILE": f"{path}{asked}{query}",
        "USERINFO": user,
    }


def _parse_url(url: str, part: str, key: str | None = None) -> str | None:
    parts = _url_parts(url)
    if parts is None:
        return None
    if key is None:
        return parts.get(part)
    query = parts["QUERY"]
    if part != "QUERY" or query is None:
        return None
    found = re.search(f"(?:&|^){re.escape(key)}=([^&]*)", query)
    return found[1] if found else None


def _inet_aton(address: str) -> int | None:
    """Return an IPv4 address as a number; of fewer than four parts the last one is the lowest byte."""
    parts = address.split(".")
    if len(parts) > 4 or not all(re.fullmatch("[0-9]{1,3}", part) and int(part) < 256 for part in parts):
        return None
    *high, low = (int(part) for part in parts)
    return sum(part << 8 * (3 - place) for place, part in enumerate(high)) + low


def _inet_ntoa(number: int) -> str | None:
    if not 0 <= number < 2**32:
        return None
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def _aton_rule(args: Sequence[Expr]) -> Resolved:
    return (
        ([to(args[0], STRING)], BIGINT)
        if len(args) == 1 and isinstance(args[0].type, StringType | NullType)
        else "one STRING"
    )


def _ntoa_rule(args: Sequence[Expr]) -> Resolved:
    whole = len(args) == 1 and isinstance(args[0].type, IntegerType | NullType)
    return ([to(args[0], BIGINT)], STRING) if whole else "one whole number"


for _name, _length in _HASHES.items():
    register(Function(_name, "Hash", _hash_rule(_length), _hashed(_name),
                      f"The {_name} hash in hexadecimal digits.", (f"CHAR_LENGTH({_name}('a'))", str(_length))))  # fmt: skip
register(Function("SHA2", "Hash", _sha2_rule, lambda i: each(i, _sha2, pa.string()), "The SHA-2 hash of so many bits in hexadecimal digits.",
                  ("CHAR_LENGTH(SHA2('a', 256))", "64"), total=False))  # fmt: skip
register(Function("TO_BASE64", "Text", _to_base64_rule, lambda i: each(i, lambda v: base64.b64encode(_bytes_of(v)).decode(), pa.string()),
                  "Text or bytes in base64.", ("TO_BASE64('ab')", "YWI=")))  # fmt: skip
register(Function("FROM_BASE64", "Text", _to_base64_rule, lambda i: each(i, _from_base64, pa.string()), "Text that was in base64.",
                  ("FROM_BASE64('YWI=')", "ab"), total=False))  # fmt: skip
register(Function("ENCODE", "Text", _charset_rule(StringType, BYTES, "a STRING and the name of a character set"),
                  lambda i: each(i, _encode, pa.binary()), "Text as bytes in a character set.",
                  ("CHAR_LENGTH(CAST(ENCODE('ab', 'UTF-16BE') AS STRING))", "4"), total=False))  # fmt: skip
register(Function("DECODE", "Text", _charset_rule(BytesType, STRING, "BYTES and the name of a character set"),
                  lambda i: each(i, _decode, pa.string()), "Bytes in a character set as text.",
                  ("DECODE(X'6162', 'UTF-8')", "ab"), total=False))  # fmt: skip
register(Function("URL_ENCODE", "Text", _texts_rule(1, 1, "one STRING"), lambda i: each(i, _url_encode, pa.string()),
                  "Text as part of a URL.", ("URL_ENCODE('a b&c')", "a+b%26c")))  # fmt: skip
register(Function("URL_DECODE", "Text", _texts_rule(1, 1, "one STRING"), lambda i: each(i, _url_decode, pa.string()),
                  "The text of a part of a URL, NULL where it is none.", ("URL_DECODE('a+b%26c')", "a b&c")))  # fmt: skip
register(Function("PARSE_URL", "Text", _texts_rule(2, 3, "a URL, a part such as HOST and, if wanted, a key of QUERY"),
                  lambda i: each(i, _parse_url, pa.string()),
                  "A part of a URL: HOST, PATH, QUERY, REF, PROTOCOL, AUTHORITY, FILE, USERINFO, or what a key of QUERY stands for.",
                  ("PARSE_URL('http://x.org/p?a=1', 'QUERY', 'a')", "1")))  # fmt: skip
register(Function("INET_ATON", "Text", _aton_rule, lambda i: each(i, _inet_aton, pa.int64()),
                  "An IPv4 address as a number, NULL where it is none.", ("INET_ATON('1.2.3.4')", "16909060")))  # fmt: skip
register(Function("INET_NTOA", "Text", _ntoa_rule, lambda i: each(i, _inet_ntoa, pa.string()),
                  "The IPv4 address of a number, NULL where there is none.", ("INET_NTOA(16909060)", "1.2.3.4")))  # fmt: skip
