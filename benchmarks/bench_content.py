"""The content-addressed store: putting and getting 1 kB, 64 kB and 1 MB.

Floors: a file written and synced, and read, with nothing around it; SQLite with the bytes in a row, synced with every
commit. Ours does more: the file appears as a whole (its directory is synced, too), the row that says whose it is is a
commit of its own, what is read is checked against its SHA-256. Neither is needed for the same content once more.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from statistics import median
from typing import Final

from benchmarks.table import Table, times_us
from theater.content.quotas import Quotas
from theater.content.stores import Stores

SIZES: Final = (("1 kB", 1_000), ("64 kB", 64_000), ("1 MB", 1_000_000))
COUNT: Final = 200
WARM: Final = 10
QUOTAS: Final = Quotas(bytes_max=1 << 40, contents_max=1 << 30)


def contents(size: int) -> Iterator[bytes]:
    """Never the same twice."""
    rest = os.urandom(size)
    return (b"%08d" % number + rest[8:] for number in count())


def median_us(action: Callable[[], object]) -> float:
    return median(times_us(action, COUNT, WARM))


def ours_us(directory: str, size: int) -> tuple[float, float, float]:
    """Put, put the same again, get."""
    stores = Stores(directory)
    store = stores.new("bench", "/bench", QUOTAS)
    some = contents(size)
    put = median_us(lambda: stores.put(store, next(some), QUOTAS))
    same = next(some)
    again = median_us(lambda: stores.put(store, same, QUOTAS))
    refs = iter(stores.refs(store))
    get = median_us(lambda: stores.get(store, next(refs)))
    stores.close()
    return put, again, get


def file_us(directory: str, size: int) -> tuple[float, float]:
    """Write a file and sync it; read one."""
    os.mkdir(directory)
    some = contents(size)
    names, written = count(), count()

    def write() -> None:
        with open(f"{directory}/{next(names)}", "wb", buffering=0) as file:
            file.write(next(some))
            os.fsync(file.fileno())

    def read() -> bytes:
        with open(f"{directory}/{next(written)}", "rb") as file:
            return file.read()

    return median_us(write), median_us(read)


def sqlite_us(directory: str, size: int) -> tuple[float, float]:
    """Insert a row with the bytes, a synced commit each; select one."""
    os.mkdir(directory)
    db = sqlite3.connect(f"{directory}/bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE contents (id INTEGER PRIMARY KEY, data BLOB)")
    some, read = contents(size), count(1)
    put = median_us(lambda: db.execute("INSERT INTO contents (data) VALUES (?)", (next(some),)))
    get = median_us(lambda: db.execute("SELECT data FROM contents WHERE id = ?", (next(read),)).fetchone())
    db.close()
    return put, get


def main() -> None:
    """Print the table; microseconds, medians."""
    table = Table("measure (µs)", "ours", "file and fsync", "ratio", "sqlite, FULL", "ratio")
    for name, size in SIZES:
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as directory:
            put, again, get = ours_us(f"{directory}/ours", size)
            write, read = file_us(f"{directory}/files", size)
            insert, select = sqlite_us(f"{directory}/sqlite", size)
        table.add(f"put {name}", put, write, put / write, insert, put / insert)
        table.add(f"put {name} that is there", again, "", "", "", "")
        table.add(f"get {name}", get, read, get / read, select, get / select)
    table.show()


if __name__ == "__main__":
    main()
