"""One tree with an authority of its own, and a porter for every test."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator

import pytest

from tests.homes import new_home
from tests.interfaces.authority import Authority
from tests.system.running import ROOT, RunningTree, running_tree
from tests.system.sockets.porters import GUESTS, TREE, Porter


@pytest.fixture(scope="package")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="package")
def tree(authority: Authority) -> Iterator[RunningTree]:
    """One tree for all tests here."""
    with new_home() as home:
        shutil.copy(GUESTS / "porter.wasm", home)
        shutil.copy(ROOT / "examples" / "hello" / "hello.wasm", home / "none.wasm")
        issued = authority.issue("local", "DNS:localhost")
        for source, name in ((authority.certificate, "authority.pem"), (issued.certificate, "local.pem")):
            shutil.copy(source, home / name)
        shutil.copy(issued.key, home / "local.key")
        head, _, tls = TREE.rpartition("x-tls: ")
        with running_tree(home, head.replace("version: 1", f"version: 1\nx-tls: {tls.strip()}")) as tree:
            yield tree


_numbers = itertools.count(1)


@pytest.fixture
def porter(tree: RunningTree) -> Porter:
    """One that may do everything, of its own for every test."""
    name = f"p{next(_numbers)}"
    tree.client.start_child("/pool", name)
    return Porter(tree, f"/pool/{name}")


@pytest.fixture
def desk(tree: RunningTree) -> Porter:
    found = Porter(tree, "/desk")
    found.be("keep")
    return found
