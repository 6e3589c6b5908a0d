"""The C kit beside a C library: modules for WASI preview 1 that follow the Pack ABI."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.kits.clang import LIBRARY
from tests.homes import new_home
from tests.system.running import running_tree

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs ziglang (tox -e kit)")

SOURCE = """
#include "theater.h"
#include <stdlib.h>
#include <string.h>

#define ROUNDS 200
#define SIZE 3000

NO_STATE

static unsigned char *volatile kept[ROUNDS];

INIT
{
    (void)given;
    return done(unit());
}

EXPORT(fill, "test:heap/api", "fill", "()")
{
    for (int n = 0; n < ROUNDS; n++) {
        kept[n] = malloc(SIZE);
        memset(kept[n], n, SIZE);
        memset(scratch(SIZE), 0xff, SIZE);
    }
    return done(state);
}

EXPORT(changed, "test:heap/api", "changed", "() -> u32")
{
    uint32_t count = 0;
    for (int n = 0; n < ROUNDS; n++)
        for (int at = 0; at < SIZE; at++)
            count += kept[n][at] != (unsigned char)n;
    return ok(state, u32(count));
}
"""
TREE = "version: 1\nname: heap\nchildren:\n  - {id: it, actor: heap.wasm, grants: {wasi: {}}}\n"


def test_malloc_and_the_kit_share_the_memory() -> None:
    """What a C library's malloc gave is not what the kit builds values in."""
    with new_home() as home:
        build_heap(home)
        with running_tree(home, TREE) as tree:
            it = tree.actor("/it")
            it.call("fill")
            assert it.call("changed") == 0


def build_heap(home: Path) -> None:
    (home / "heap.c").write_text(SOURCE)
    build = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-mexec-model=reactor", "-Os"]
    subprocess.run([*build, "-I", str(LIBRARY), "heap.c", "-o", "heap.wasm"], cwd=home, check=True, timeout=120)
