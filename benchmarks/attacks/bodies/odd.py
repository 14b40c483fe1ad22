"""Small requests that are odd: values at the edge of JSON, other encodings, methods, queries and headers, on every route.

None is expensive by its size: each must be read for what it is, or refused, and none may be a fault of the server.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies.routes import BATCH, CONTACTS, CSV, INFER, INVOCATIONS, JSON, OUTCOMES, PREDICT, post

MOMENT = "2026-01-01T00:00:00Z"
CANDIDATES = "/campaign/candidates"
PAGES = ("/", "/model", "/model/card", "/metrics", "/readyz", "/healthz", "/ping", "/version", "/v2", "/openapi.json")
READ = ("/v2/health/ready", "/v2/models/churn", "/v2/models/churn/ready", "/admin/failures", "/static/x")
POSTED = (PREDICT, BATCH, INVOCATIONS, INFER, OUTCOMES, CONTACTS, CANDIDATES, "/admin/reload", "/admin/rollback")
# What a number, a text or a moment may be said to be.
VALUES = (
    *("1e400", "-1e400", "1e-400", "-0", "-0.0", "0x10", "Infinity", "-Infinity", "NaN", "nan", "1_000", "01", "+1", ".5", "1."),
    *("9007199254740993", "18446744073709551616", "-9223372036854775809", "1e99999999999", "9" * 4_000),
    *("0." + "0" * 4_000 + "1", "true", "null", "[]", "{}", '""', '" "', '"\\u0000"', '"a\\u0000b"', '"\\ud800"'),
    *('"\\ud83d\\ude00"', '"NaN"', '"1e400"', '"\\uff11\\uff12"', '"\\u0663"', '"1,5"', '"\\u00e9"', '"e\\u0301"', '"\\u202e"'),
    *('"\\u200b"', '"\\ufeff1"', '"a\\nb"', '"=1+1"', '"../../etc/passwd"', '"\' OR 1=1 --"', '"<script>"', '"%s%n"'),
    *('"${jndi:ldap://127.0.0.1/}"', f'"{"x" * 40_000}"', f'"{"é" * 129}"', '"2026-02-30T00:00:00Z"', '"0000-00-00"'),
    *('"2026-01-01T24:00:60Z"', '"+262143-01-01T00:00:00Z"', '"2026-01-01T00:00:00+99:99"'),
)
DOCUMENTS = {
    "no body": b"",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"state":"OH"}'.encode("utf-16"),
    "UTF-32": '{"state":"OH"}'.encode("utf-32"),
    "Latin-1": '{"state":"Ö"}'.encode("latin-1"),
    "an overlong letter": b'{"state":"\xc0\xaf"}',
    "half a letter": b'{"state":"\xe2\x82"}',
    "a NUL at the end": b'{"state":"OH"}\0',
    "NUL only": b"\0",
    "two documents": b'{"state":"OH"}{"state":"OH"}',
    "a comment": b'{/* */"state":"OH"}',
    "a comma at the end": b'{"state":"OH",}',
    "one quote": b"{'state':'OH'}",
    "one name twice": b'{"state":"OH","state":"XX"}',
    "a name in escapes": b'{"st\\u0061te":"OH","state":"NY"}',
    "an empty name": b'{"":1}',
    "a name of NUL": b'{"\\u0000":1}',
    "a dunder": b'{"__proto__":{},"__class__":{}}',
    "a number": b"1",
    "a text": b'"x"',
    "null": b"null",
    "a list of nothing": b"[]",
    "lists in a list": b"[[]]",
    "YAML": b"state: OH\n",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "a pickle": b"\x80\x05}\x94.",
    "MessagePack": b"\x81\xa5state\xa2OH",
}
TYPES = (
    *("", "text/plain", "multipart/form-data; boundary=b", "application/x-www-form-urlencoded", "*/*", ";", "/"),
    *("application/json; charset=utf-16", "application/json; charset=" + "x" * 4_000, "application/problem+json"),
    *("application/json, text/csv", "text/csv; header=absent", "APPLICATION/JSON", " application/json ;"),
    *("application/vnd.apache.arrow.file; a=1", "application/octet-stream"),
)
_CUSTOMER = b'{"state":"OH"}'
MULTIPART = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nx\r\n--b--\r\n'
QUERIES = (
    *("reasons=-1", "reasons=0", "reasons=1e9", "reasons=NaN", f"reasons={'9' * 4_000}", "reasons=\u0663", "reasons=", "reasons"),
    *("=&=&=", "reasons=1&reasons=2", "&".join(["reasons=1"] * 2_000), "a" * 8_000, "%", "%zz=%00", "%ff%fe=%c0%af"),
    *("reasons[]=1", "?" * 1_000, "newest=-1", "newest=99999999999999999999", "format=../../x", "version=%00", "limit=1;drop"),
    "a=" + "%41" * 2_000,
)
HEADERS = {
    "ranges": {"range": "bytes=" + ",".join(f"{n}-{n}" for n in range(1_000))},
    "a range from the end": {"range": "bytes=-99999999999999999999"},
    "conditions": {"if-none-match": ",".join(['"a"'] * 1_000), "if-modified-since": "x", "if-match": "*", "if-range": "x"},
    "encodings that are accepted": {"accept-encoding": ",".join(f"gzip;q=0.{n}" for n in range(1_000))},
    "media that are accepted": {"accept": ",".join(f"text/x{n};q=1e400" for n in range(500))},
    "languages": {"accept-language": ",".join(["en"] * 1_000)},
    "cookies": {"cookie": ";".join(f"a{n}=b" for n in range(1_000))},
    "a key that is no text": {"x-api-key": "\xff\xfe", "authorization": "Bearer \xff"},
    "a key of base64": {"authorization": "Basic " + "=" * 1_000},
    "a key of 8 kB": {"x-api-key": "k" * 8_000},
    "forwarded": {"x-forwarded-for": ",".join(["::1"] * 500), "forwarded": "for=unknown", "x-real-ip": "x"},
    "other methods": {"x-http-method-override": "DELETE", "x-original-url": "/admin/reload"},
    "a trace": {"traceparent": f"00-{'f' * 32}-{'0' * 16}-zz", "tracestate": "a=" + "b" * 4_000, "baggage": "a=b," * 500},
    "a request's name": {"x-request-id": "\x01" + "x" * 4_000},
    "another site": {"origin": "null", "referer": "javascript:x", "sec-fetch-site": "cross-site"},
    "an upgrade": {"connection": "upgrade, close", "upgrade": "h2c", "http2-settings": "AAMAAABk"},
    "a protocol in between": {"proxy-connection": "x", "keep-alive": "timeout=99999999999", "te": "trailers, deflate;q=1e9"},
    "a JSON part": {"inference-header-content-length": "1e3", "json-format": "x"},
    "codes": {"content-encoding": "identity", "content-transfer-encoding": "base64", "content-md5": "x", "digest": "x"},
}  # fmt: skip
METHODS = ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POST", "QUERY", "get", "G" * 1_000)
PATHS = (
    *("/..%2f..%2fetc/passwd", "/%2e%2e/", "//", "//predict", "/predict/", "/predict%00", "/PREDICT", "/predict;a=b"),
    *("/predict%2fbatch", "/v2/models/%00/infer", f"/v2/models/{'m' * 8_000}", "/v2/models/churn/versions/-1/infer"),
    *("/v2/models//infer", "/\xff", "/%ff", "/docs", "/redoc", "/static/../app.py", "/.git/config", "*"),
    *("http://127.0.0.1/predict", "/v2/repository/index", "/" + "a/" * 4_000),
)


def attacks() -> Iterator[Attack]:
    """Yield the attacks."""
    yield from _values()
    for path in POSTED:
        yield from _documents(path)
    for path in (PREDICT, CANDIDATES, "/", "/metrics", "/admin/failures", "/model/card", "/v2/models/churn"):
        yield from _queries(path)
    for path in (*PAGES, *READ, *POSTED):
        for method in METHODS:
            yield Attack(f"odd method {method[:8]}, {path}", method, path, {}, b"" if method == "GET" else b"{}")
    for path in PAGES:
        for name, headers in HEADERS.items():
            yield Attack(f"odd header: {name}, {path}", "GET", path, headers, b"")
    for number, path in enumerate(PATHS):
        for method in ("GET", "POST"):
            yield Attack(f"odd path {number}, {method}", method, path, {"content-type": JSON}, _CUSTOMER)


def _values() -> Iterator[Attack]:
    for number, value in enumerate(VALUES):
        for path, what, body in _with(value):
            yield post(f"odd value {number} as {what}, {path}", path, body.encode())


def _documents(path: str) -> Iterator[Attack]:
    for name, body in DOCUMENTS.items():
        yield post(f"odd document: {name}, {path}", path, body)
    for number, media in enumerate(TYPES):
        yield post(f"odd type {number}, {path}", path, MULTIPART if "boundary" in media else _CUSTOMER, media)
    for name, headers in HEADERS.items():
        yield Attack(f"odd header: {name}, {path}", "POST", path, {"content-type": JSON, **headers}, _CUSTOMER)
    yield post(f"odd CSV, {path}", path, b'customer_id,"state\r\n\0,"OH"x,\xff', CSV)


def _queries(path: str) -> Iterator[Attack]:
    method = "POST" if path in POSTED else "GET"
    for number, query in enumerate(QUERIES):
        asked = quote(query, safe="%=&?;[]/.")
        yield Attack(f"odd query {number}, {path}", method, f"{path}?{asked}", {"content-type": JSON}, _CUSTOMER)


def _with(value: str) -> Iterator[tuple[str, str, str]]:
    """Yield routes, what the value is said to be, and bodies."""
    for field in ("total_day_minutes", "customer_id", "state", "international_plan"):
        customer = f'{{"total_eve_minutes":1,"{field}":{value}}}'
        yield PREDICT, field, customer
        yield BATCH, field, f'{{"customers":[{customer}]}}'
        yield INVOCATIONS, field, f'{{"dataframe_records":[{customer}]}}'
    for kind in ("FP64", "INT64", "BYTES", "BOOL"):
        tensor = f'{{"name":"total_day_minutes","shape":[1],"datatype":"{kind}","data":[{value}]}}'
        yield INFER, kind, f'{{"inputs":[{tensor}]}}'
    yield INFER, "a shape", f'{{"inputs":[{{"name":"state","shape":[{value}],"datatype":"BYTES","data":["OH"]}}]}}'
    yield INFER, "an id", f'{{"id":{value},"inputs":[]}}'
    for field in ("prediction_id", "customer_id", "churned", "observed_at"):
        fields = {"customer_id": '"c"', "churned": "true", "observed_at": f'"{MOMENT}"', field: value}
        yield OUTCOMES, field, f'{{"outcomes":[{_object(fields)}]}}'
    for field in ("customer_id", "contacted_at", "campaign", "offer", "opt_out"):
        fields = {"customer_id": '"c"', "contacted_at": f'"{MOMENT}"', "campaign": '"m"', field: value}
        yield CONTACTS, field, f'{{"contacts":[{_object(fields)}]}}'
    for field in ("budget", "top", "name", "customers"):
        yield CANDIDATES, field, f'{{"customers":[{{"state":"OH"}}],"{field}":{value}}}'
    for field in ("version", "reason", "leaves"):
        yield "/admin/rollback", field, f'{{"{field}":{value}}}'


def _object(fields: dict[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"
