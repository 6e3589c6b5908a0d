"""Ask for the board as fast as four clients can, for three seconds, and count the answers by version.

With an argument, such as ``"version 2"``: until that has answered, too, at most half a minute.
"""

import http.client
import os
import re
import sys
import threading
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

URL = f"http://127.0.0.1:{os.environ.get('PORT', 8088)}/"
SECONDS, SECONDS_MAX = 3, 30
CLIENTS = 4

wanted = sys.argv[1] if len(sys.argv) > 1 else None
has_come = threading.Event()


def ask() -> str:
    """One request on a connection of its own: what came of it."""
    try:
        with urllib.request.urlopen(URL, timeout=20) as response:
            found = re.search(r"version \d+", response.read().decode())
            return found[0] if found else "strange"
    except (OSError, http.client.HTTPException) as error:
        return "refused" if "refused" in str(error).lower() else "broken"


def client(began: float) -> Counter[str]:
    """Request after request, until the time is up."""
    seen: Counter[str] = Counter()
    while time.monotonic() < began + (SECONDS if wanted is None or has_come.is_set() else SECONDS_MAX):
        outcome = ask()
        seen[outcome] += 1
        if outcome == wanted:
            has_come.set()
    return seen


with ThreadPoolExecutor(CLIENTS) as pool:
    answers = sum(pool.map(client, [time.monotonic()] * CLIENTS), Counter())
for outcome in ("version 1", "version 2", "broken", "refused"):
    print(f"{outcome}: {answers[outcome]}")
