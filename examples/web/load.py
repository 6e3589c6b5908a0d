"""Ask for the board as fast as four clients can, for three seconds, and count the answers by version."""

import os
import re
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

URL = f"http://127.0.0.1:{os.environ.get('PORT', 8088)}/"
SECONDS = 3
CLIENTS = 4


def ask() -> str:
    """One request on a connection of its own: what came of it."""
    try:
        with urllib.request.urlopen(URL, timeout=20) as response:
            found = re.search(r"version \d+", response.read().decode())
            return found[0] if found else "strange"
    except OSError as error:
        return "refused" if "refused" in str(error).lower() else "broken"


def client(end: float) -> Counter[str]:
    """Request after request, until the time is up."""
    seen: Counter[str] = Counter()
    while time.monotonic() < end:
        seen[ask()] += 1
    return seen


with ThreadPoolExecutor(CLIENTS) as pool:
    answers = sum(pool.map(client, [time.monotonic() + SECONDS] * CLIENTS), Counter())
for outcome in ("version 1", "version 2", "broken", "refused"):
    print(f"{outcome}: {answers[outcome]}")
