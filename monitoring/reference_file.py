"""A reference as bytes and back. Nothing is pickled: arrays (npz), frames (Arrow IPC) and JSON, behind a digest of all of it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from churn.config.params import SliceParams
from churn.contract import Contract
from monitoring.drift.months import Months
from monitoring.drift.null_distribution import MaxDistribution
from monitoring.drift.profile import ReferenceProfile
from monitoring.drift.rank_scores import RankScores
from monitoring.drift.slice_scores import SliceScores, SliceSums
from monitoring.drift.staying import Staying
from monitoring.drift.sums import Sums
from monitoring.drift.weights import Weights
from monitoring.performance.residuals import Moments
from monitoring.reference import Reference
from monitoring.slice_quality import SliceBaseline
from monitoring.slicing import SliceRule, Slicing

DIGEST_BYTES = hashlib.sha256().digest_size
COUNTERS = ("present", "below", "above", "broken", "related")
SCORES = ("numbers", "flags")
Array = NDArray[Any]
Arrays = dict[str, Array]


class Unreadable(Exception):
    """The bytes are no reference: torn, spoiled, or of other code."""


def encode(reference: Reference) -> bytes:
    """Return a reference as bytes; `decode` reads them."""
    profile = reference.profile
    arrays: Arrays = {}
    document: dict[str, Any] = {
        "rows": profile.rows,
        "ranges": profile.ranges,
        "sums": _encode_sums(profile.sums, arrays, "sums"),
        "months": [_encode_sums(month, arrays, f"month {place}") for place, month in enumerate(profile.months.sums)],
        "weights": _encode_weights(profile.weights, arrays),
        "staying": _encode_staying(profile.staying, arrays),
        "null_distributions": _encode_cache(profile, arrays),
        "slices": {"params": reference.slicing.params.model_dump(), "baselines": [asdict(one) for one in reference.baselines]},
    }
    for kind in SCORES:
        scores: dict[str, RankScores] = getattr(profile, kind)
        document[kind] = list(scores)
        for place, one in enumerate(scores.values()):
            arrays[f"{kind} {place} values"], arrays[f"{kind} {place} table"] = one.values, one.table
    if profile.slices is not None:
        arrays |= _encode_slices(profile.slices.sums, "slices")
        arrays["slices spreads"] = profile.slices.spreads
    arrays["pairs"] = np.array(profile.pairs, dtype=np.int64).reshape(-1, 2)
    arrays["pair spreads"] = profile.pair_spreads
    for name, frame in (("profile sample", profile.sample), ("outcomes", reference.outcomes), ("sample", reference.sample)):
        arrays[name] = _encode_frame(frame)
    arrays["members"] = reference.members
    arrays["document"] = _bytes(json.dumps(document).encode())
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    payload = file.getvalue()
    return hashlib.sha256(payload).digest() + payload


def decode(content: bytes, contract: Contract) -> Reference:
    """Read what `encode` returned.

    Parameters
    ----------
    content : bytes
        The whole file.
    contract : Contract
        The one that the reference was made with.

    Returns
    -------
    Reference
        Equal to the one that was encoded, to the last bit.

    Raises
    ------
    Unreadable
        If the bytes are anything else.
    """
    payload = content[DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != content[:DIGEST_BYTES]:
        raise Unreadable("its content does not match its digest")
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as file:
            arrays: Arrays = {name: file[name] for name in file.files}
        document = json.loads(arrays["document"].tobytes())
        scores = {kind: _decode_scores(kind, document[kind], arrays) for kind in SCORES}
        params = SliceParams.model_validate(document["slices"]["params"])
        baselines = tuple(_decode_baseline(one) for one in document["slices"]["baselines"])
        slicing = Slicing(contract, params, tuple(one.rule for one in baselines))
        profile = ReferenceProfile(
            contract=contract,
            rows=document["rows"],
            ranges={name: (low, high) for name, (low, high) in document["ranges"].items()},
            pairs=tuple((first, second) for first, second in arrays["pairs"].tolist()),
            pair_spreads=arrays["pair spreads"],
            sums=_decode_sums(document["sums"], arrays, "sums"),
            sample=_decode_frame(arrays["profile sample"]),
            weights=_decode_weights(document["weights"], arrays),
            staying=_decode_staying(document["staying"], arrays),
            slices=_decode_slices(slicing, scores["numbers"], arrays),
            months=Months(tuple(_decode_sums(one, arrays, f"month {n}") for n, one in enumerate(document["months"]))),
            cache=_decode_cache(document["null_distributions"], arrays),
            **scores,
        )
        outcomes, sample = _decode_frame(arrays["outcomes"]), _decode_frame(arrays["sample"])
        return Reference(profile, outcomes, sample, slicing, baselines, arrays["members"])
    except (KeyError, TypeError, ValueError, AttributeError, OSError, zipfile.BadZipFile, pa.ArrowException) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _decode_scores(kind: str, names: list[str], arrays: Arrays) -> dict[str, RankScores]:
    return {name: RankScores(arrays[f"{kind} {n} values"], arrays[f"{kind} {n} table"]) for n, name in enumerate(names)}


def _encode_sums(sums: Sums, arrays: Arrays, called: str) -> dict[str, Any]:
    arrays |= {f"{called} scores": sums.scores, f"{called} products": sums.products, f"{called} together": sums.together}
    if sums.slices is not None:
        arrays |= _encode_slices(sums.slices, f"{called} slices")
    counters = {name: getattr(sums, name) for name in COUNTERS}
    rest = {"rows": sums.rows, "value_sums": sums.value_sums, "levels": sums.levels, "columns": sorted(sums.columns)}
    return counters | rest


def _decode_sums(document: dict[str, Any], arrays: Arrays, called: str) -> Sums:
    sums = Sums(
        rows=document["rows"],
        value_sums=document["value_sums"],
        levels={column: Counter(counted) for column, counted in document["levels"].items()},
        columns=set(document["columns"]),
        scores=arrays[f"{called} scores"],
        products=arrays[f"{called} products"],
        together=arrays[f"{called} together"],
        slices=_decode_slice_sums(arrays, f"{called} slices") if f"{called} slices rows" in arrays else None,
    )
    for name in COUNTERS:
        setattr(sums, name, Counter(document[name]))
    return sums


def _encode_weights(weights: Weights | None, arrays: Arrays) -> dict[str, Any] | None:
    if weights is None:
        return None
    arrays |= {f"weights {place}": values for place, values in enumerate(weights.scores.values())}
    return {"scores": list(weights.scores), "levels": weights.levels, "shares": weights.shares}


def _decode_weights(document: dict[str, Any] | None, arrays: Arrays) -> Weights | None:
    if document is None:
        return None
    scores = {name: arrays[f"weights {place}"] for place, name in enumerate(document["scores"])}
    return Weights(scores, document["levels"], document["shares"])


def _encode_staying(staying: Staying, arrays: Arrays) -> dict[str, Any]:
    arrays |= {f"comeback {place}": values for place, values in enumerate(staying.comeback.values())}
    return {"comeback": list(staying.comeback), "odds": staying.odds}


def _decode_staying(document: dict[str, Any], arrays: Arrays) -> Staying:
    return Staying({name: arrays[f"comeback {place}"] for place, name in enumerate(document["comeback"])}, document["odds"])


def _encode_cache(profile: ReferenceProfile, arrays: Arrays) -> list[dict[str, Any]]:
    kept = []
    for place, ((rows, absent), nulls) in enumerate(profile.cache.items()):
        arrays |= {f"null {place} {family}": null.maxima for family, null in nulls.items()}
        tests = {family: null.effective_tests for family, null in nulls.items()}
        kept.append({"rows": rows, "absent": absent, "effective_tests": tests})
    return kept


def _decode_cache(kept: list[dict[str, Any]], arrays: Arrays) -> dict[tuple[int, tuple[str, ...]], dict[str, MaxDistribution]]:
    return {
        (one["rows"], tuple(one["absent"])): {
            family: MaxDistribution(arrays[f"null {place} {family}"], tests) for family, tests in one["effective_tests"].items()
        }
        for place, one in enumerate(kept)
    }


def _decode_baseline(one: dict[str, Any]) -> SliceBaseline:
    rule = SliceRule(one["rule"]["column"], one["rule"]["level"], tuple(one["rule"]["members"]))
    return SliceBaseline(rule, Moments(**one["large"]), Moments(**one["loss"]), one["brier"])


def _decode_slices(slicing: Slicing, numbers: dict[str, RankScores], arrays: Arrays) -> SliceScores | None:
    if "slices spreads" not in arrays:
        return None
    return SliceScores(slicing, numbers, _decode_slice_sums(arrays, "slices"), arrays["slices spreads"])


def _encode_slices(sums: SliceSums, called: str) -> Arrays:
    return {f"{called} {name}": values for name, values in sums._asdict().items()}


def _decode_slice_sums(arrays: Arrays, called: str) -> SliceSums:
    return SliceSums(*(arrays[f"{called} {name}"] for name in SliceSums._fields))


def _encode_frame(frame: pd.DataFrame) -> Array:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return _bytes(sink.getvalue().to_pybytes())


def _decode_frame(content: Array) -> pd.DataFrame:
    frame: pd.DataFrame = pa.ipc.open_file(pa.py_buffer(content.tobytes())).read_pandas()
    return frame


def _bytes(content: bytes) -> Array:
    return np.frombuffer(content, dtype=np.uint8)
