"""Damaged files for every reader and commands killed at random; writes JSON and README.md.

python validation/reliability/make.py fuzz --work DIR
python validation/reliability/make.py kill --work DIR
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from fuzz import fuzz
from kill import kill

from floecast.bench.machine import machine

HERE = Path(__file__).parent
PARTS = {"fuzz": (fuzz, 10_000), "kill": (kill, 100)}


def main():
    """Do one part and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--work", required=True, type=Path, help="folder of the files")
    parser.add_argument("--number", type=int, help="mutations, or kills; 10000, or 100")
    given = parser.parse_args()
    work, (run, number) = given.work / given.part, PARTS[given.part]
    work.mkdir(parents=True, exist_ok=True)
    began, told = time.monotonic(), [0.0]

    def progress(done, total):
        if time.monotonic() - told[0] > 30:
            told[0] = time.monotonic()
            print(f"{done} of {total}", file=sys.stderr, flush=True)

    found = run(given.number or number, work, progress)
    found |= {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "minutes": round((time.monotonic() - began) / 60, 1),
        "machine": machine(),
    }
    (HERE / f"{given.part}.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({key: value for key, value in found.items() if key != "machine"}, indent=1))


if __name__ == "__main__":
    main()
