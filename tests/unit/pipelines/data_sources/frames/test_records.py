"""A pickle may name what a frame needs, and nothing of it is called."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.data_sources.frames.records import CONSTRUCTORS, Dtype, Frame, NamedClass, UnreadableFrame, unpickle_records
from tests.unit.pipelines.data_sources.frames.pickled import frame, pickled

WITNESS: list[str] = []


class Calls:
    """Pickled, it is a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize(
    "call",
    [
        Calls(os.system, "touch witness"),
        Calls(eval, "open('witness', 'w')"),
        Calls(Path.touch, Path("witness")),
        Calls(subprocess.check_call, ["touch", "witness"]),
        Calls(getattr, frame(), "to_csv"),
        Calls(__import__, "this"),
    ],
)
def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(
    call: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for hostile in (call, [frame(), call], {"_mgr": call}):
        with pytest.raises(UnreadableFrame, match="the pickle asks for"):
            unpickle_records(pickled(hostile))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("pandas.core.frame", "DataFrame.to_csv"),
        ("pandas.core.frame", "read_csv"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy", "dtype.type"),
        ("builtins", "slice.indices"),
        ("pandas.io.pickle", "read_pickle"),
        ("copyreg", "__newobj__"),
        ("PANDAS.core.frame", "DataFrame"),
        ("numpy.core.numeric\x00", "_frombuffer"),
    ],
)
def test_only_the_exact_names_are_known(module: str, name: str) -> None:
    said = pickle.BINUNICODE + len(module.encode()).to_bytes(4, "little") + module.encode()
    said += pickle.BINUNICODE + len(name).to_bytes(4, "little") + name.encode()
    with pytest.raises(UnreadableFrame):
        unpickle_records(pickle.PROTO + b"\4" + said + pickle.STACK_GLOBAL + pickle.STOP)


def test_a_frame_is_records_and_neither_numpy_nor_pandas_is_called(tmp_path: Path) -> None:
    path = tmp_path / "frame.pkl"
    path.write_bytes(pickled(frame()))
    code = (
        "import sys; from pathlib import Path; from pipelines.data_sources.frames.records import *; "
        "made = unpickle_records(Path(sys.argv[1]).read_bytes()); assert type(made) is Frame; "
        "assert type(made.state['_mgr']) is Manager, made.state; "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'numpy', 'pandas', 'churn'}))"
    )
    root = str(Path(__file__).parents[5])
    ran = subprocess.run(
        [sys.executable, "-c", code, path], env={"PYTHONPATH": root}, capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_what_a_record_is_given_is_kept_and_not_used() -> None:
    """Each of these arguments would cost NumPy a terabyte, or its memory's safety."""
    made: Any = unpickle_records(
        b"\x80\x04cnumpy\ndtype\n(\x8c\x02O8\x89\x88tR(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb."
    )
    assert type(made) is Dtype
    assert (made.arguments, made.state) == (("O8", False, True), (3, "<", None, None, None, -1, -1, 0))
    made = unpickle_records(b"\x80\x04cnumpy\nndarray\n\x8a\x06\x00\x00\x00\x00\x00\x10\x85R.")
    assert (type(made), made.arguments) == (NamedClass, (2**44,))


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"no pickle",
        b"\x80\x04N",  # nothing that stops it
        b"\x80\x05\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",  # a frame that is said to be endless
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # bytes that are said to be endless
        b"\x80\x04I" + b"9" * 10_000 + b"\n.",  # a number that takes long to read
        b"\x80\x04K\x01K\x02s.",  # an item of what has none
        b"\x80\x02\x82\x01.",  # an extension of copyreg
        b"Psomebody\n.",  # a persistent id
        b"\x80\x04K\x01)R.",  # a number is called
        b"\x80\x04\x8c\x04text)\x81.",  # a text is made
        b"\x80\x04h\x07.",  # a memo that is not there
        b"\x80\x04\x8c\x02\xff\xff.",  # no UTF-8
        b"\x80\x04}]K\x01s.",  # a key that cannot be one
    ],
)
def test_bytes_that_are_no_pickle_of_a_frame_are_refused(hostile: bytes) -> None:
    with pytest.raises(UnreadableFrame):
        unpickle_records(hostile)


def test_records_cannot_be_changed_for_those_who_come_later() -> None:
    before = [(kind, dict(vars(kind))) for kind in CONSTRUCTORS.values()]
    for hostile in (
        b"\x80\x04cpandas.core.frame\nDataFrame\n}\x8c\x0c__setstate__Nsb.",  # the class is given a state
        b"\x80\x04cpandas.core.frame\nDataFrame\nN}\x8c\x05stateNs\x86b.",  # and one in slots
        b"\x80\x04cpandas.core.frame\nDataFrame\n)}\x8c\x01aNs\x92.",  # and keyword arguments
    ):
        with pytest.raises(UnreadableFrame):
            unpickle_records(hostile)
    assert [(kind, dict(vars(kind))) for kind in CONSTRUCTORS.values()] == before
    assert type(unpickle_records(pickled(frame()))) is Frame
