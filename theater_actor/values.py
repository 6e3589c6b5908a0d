"""Plain Python objects as the values that actors exchange, and back (pack-abi section 2).

    encode(("a", 5))                  # a string and an s64
    encode(("a", As(U32, 5)))         # a string and a u32: numbers are never converted, so say which one is wanted
    decode(data)                      # {"name": "Ada", "mood": "good"}

============================================  =====================================  ==================================
value                                         is made of                             comes back as
============================================  =====================================  ==================================
bool, s64 (beyond it u64), f64                bool, int, float                       the same, of every width
string, list<u8>                              str, bytes                             the same
list<T>, tuple<…>                             list, tuple                            the same
record                                        dict, dataclass, NamedTuple            dict
enum                                          a member of an Enum                    "case"
variant                                       ``As(A | B, …)``                       "case", ("case", payload)
option<T>                                     ``As(T | None, …)``, ``Some``          None or T's; ``Some`` in an option
result<T, E>                                  ``Ok``, ``Err``                        ``Ok``, ``Err``
flags, char, numbers of a width, empty lists  ``As(hint, …)``                        int, str, int, float, list
============================================  =====================================  ==================================

None is ``none<list<u8>>``.
"""

from __future__ import annotations

from typing import Any

from theater_actor.decoding import Reader
from theater_actor.plain import As, Err, Ok, Some
from theater_actor.tags import ValueFormError
from theater_actor.writing import Writer

__all__ = ["As", "Err", "Ok", "Some", "ValueFormError", "decode", "encode"]


def encode(value: Any) -> bytes:
    """Return a value, encoded.

    Raises:
        ValueFormError: it is, or holds, something that is none.
    """
    writer = Writer()
    writer.natural(value)
    return writer.encoded()


def decode(data: bytes) -> Any:
    """Return an encoded value as plain Python.

    Raises:
        ValueFormError: it is none.
    """
    reader = Reader(data)
    return reader.read(reader.root)[1]
