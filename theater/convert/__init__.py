"""Plain Python objects into values of a declared type, and values back into plain objects.

    >>> to_value({"x": 1, "y": 2}, parse_type("record point {x: s32, y: s32}"))
    Record(name='point', fields=(('x', S32(value=1)), ('y', S32(value=2))))

===================  ==============================================================  =========================
type                 takes                                                           gives back
===================  ==============================================================  =========================
bool, integers       bool; int (never a bool), within range                          bool, int
f32, f64             float, int                                                      float
char, string         str                                                             str
flags                int                                                             int
list<u8>             bytes, bytearray, memoryview, list of int                       bytes
list<T>              list, tuple; set; dict for list<tuple<K, V>> (both sorted)      list
option<T>            None, or what T takes; ``Some`` where that is ambiguous         None or T's, ``Some(…)``
result<T, E>         ``Ok``, ``Err``; {"ok": …}, {"err": …}                          ``Ok``, ``Err``
tuple<…>             tuple or list of that length; None for ``tuple<>``              tuple
record               dict, dataclass, msgspec Struct, named tuple                    dict
variant              "case", ("case", payload…), {"case": payload}                   "case", ("case", payload…)
===================  ==============================================================  =========================

Attributes and keys may be written with ``_`` for ``-``; fields of option type may be left out. A value passes through
if it fits. Where anything may come (``VALUE``) bool, int (s64, beyond it u64), float (f64), str, bytes, list, tuple and
dict (a record without a name) take their natural form, and None is ``none<list<u8>>``, an actor's empty state.
"""

from __future__ import annotations

from theater.convert.backward import from_value
from theater.convert.forward import to_value
from theater.convert.wrappers import ConvertError, Err, Ok, Some
from theater.fitting import Mismatch, fits

__all__ = ["ConvertError", "Err", "Mismatch", "Ok", "Some", "fits", "from_value", "to_value"]
