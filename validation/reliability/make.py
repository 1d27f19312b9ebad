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
PAGE = """# Damaged files and kills

## Damaged files

```
python validation/reliability/make.py fuzz --work DIR
```

{fuzz_date}, {fuzz_machine}: {mutations} damaged files, spread evenly over {cases} readers and
layouts (`tests/io/fuzz_cases.py`): cut, with bytes of chance, a flipped bit, zeros or ones, bytes
lost or doubled, a piece of another place. Each is read in a process of bounded memory and time.

| | files |
|---|---|
| read (the damage lay where nothing is kept, or in values) | {read} |
| refused in one line that names the file | {refused} |
| neither | {unclean} |

{unclean_lines}

SIGALRM: not done in 120 seconds. Mutation 6 was looked at: it stays in the HDF5 library while the
file is opened. The missing time of mutation 4467 is mended since.

## Kills

```
OPENBLAS_NUM_THREADS=1 python validation/reliability/make.py kill --work DIR
```

{kill_date}, {kill_machine}: each command is run once alone, then again and again into a new folder,
where it gets SIGKILL after a random share of the time it takes alone, is called again, and so on
until it comes to its end. All products are compared with those of the run alone: all bytes, of JSON
all but times, of `.npz` all arrays.

| command | kills | runs to the end | files compared in each | different |
|---|---|---|---|---|
{kill_lines}

{kill_note}
"""
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
    write_page()
    print(json.dumps({key: value for key, value in found.items() if key != "machine"}, indent=1))


def write_page():
    """README.md from the numbers of both parts, once they are there."""
    files = {name: HERE / f"{name}.json" for name in PARTS}
    if not all(file.is_file() for file in files.values()):
        return
    fuzzed, killed = (json.loads(file.read_text()) for file in files.values())
    lines = [
        f"- `{one['case']}` (mutation {one.get('number', one.get('begun'))}): {one['fault']}"
        for one in fuzzed["unclean"]
    ]
    rows = [
        f"| `{name}` | {one['kills']} | {one['runs']} | {one['files']} | {len(one['different'])} |"
        for name, one in killed["commands"].items()
    ]
    text = PAGE.format(
        fuzz_date=fuzzed["date"],
        fuzz_machine=_machine(fuzzed),
        kill_date=killed["date"],
        kill_machine=_machine(killed),
        unclean_lines="\n".join(lines) or "No file was neither.",
        kill_lines="\n".join(rows),
        kill_note=_shortfall(killed["commands"]),
        **{key: fuzzed[key] for key in ("mutations", "cases", "read", "refused")},
        unclean=len(fuzzed["unclean"]),
    )
    (HERE / "README.md").write_text(text)


def _shortfall(commands):
    """What is to be said of a study that was ended before its number of kills."""
    kills = sum(one["kills"] for one in commands.values())
    if kills >= PARTS["kill"][1] and all(one["runs"] for one in commands.values()):
        return "Every call but the last of a run was killed."
    unfinished = [name for name, one in commands.items() if not one["runs"]]
    told = f"In all {kills} kills of the {PARTS['kill'][1]} that the study is meant to have."
    if unfinished:
        told += " No run had come to its end, so that nothing is shown yet, of: "
        told += ", ".join(unfinished) + "."
    return told


def _machine(found):
    told = found["machine"]
    return f"{told['cores']} cores ({told['cpu']}), {found['minutes']:g} minutes"


if __name__ == "__main__":
    main()
