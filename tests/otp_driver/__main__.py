"""Print what the core does with scenario files, one JSON line for each."""

from __future__ import annotations

import json
import sys

from tests.otp_driver.driver import run


def main(files: list[str]) -> int:
    """Run every file; a file that is no scenario ends the program."""
    for name in files:
        with open(name, encoding="utf-8") as file:
            scenario = json.load(file)["scenario"]
        print(json.dumps({"file": name, "trace": run(scenario)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
