"""A certificate authority of the tests' own, made with the openssl command."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Issued(NamedTuple):
    """A certificate and its key, as files."""

    certificate: str
    key: str


class Authority:
    """Issues certificates into a directory."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._name = name
        self.own = self._make(name, "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")

    @property
    def certificate(self) -> str:
        """What trusts everything it has issued."""
        return self.own.certificate

    def issue(self, name: str, names: str, days: int = 2) -> Issued:
        """A certificate for names such as ``DNS:localhost,IP:127.0.0.1``."""
        signed = ("-CA", self.own.certificate, "-CAkey", self.own.key)
        return self._make(f"{self._name}-{name}", f"subjectAltName={names}", more=signed, days=days)

    def _make(self, name: str, *extensions: str, more: tuple[str, ...] = (), days: int = 2) -> Issued:
        made = Issued(str(self._directory / f"{name}.pem"), str(self._directory / f"{name}.key"))
        added = [part for each in extensions for part in ("-addext", each)]
        openssl("req", "-x509", *NEW_KEY, "-subj", f"/CN={name}", "-days", str(days), *added, *more,
                "-out", made.certificate, "-keyout", made.key)  # fmt: skip
        return made


def openssl(*arguments: str) -> None:
    """Run the command; it says why on failure."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
