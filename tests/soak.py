"""`make soak`: every test, the long ones too, file by file; stopped, it goes on where it was when called again.

What is done stands in build/soak.json with the commit and the seed of the run; another commit, or `--fresh`,
begins anew. When all is done, docs/SOAK.md tells the run.
"""

import argparse
import json
import os
import platform
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / "build" / "soak.json"
PART_SECONDS = 2 * 3600  # a test ends itself sooner (conftest.SOAK_SECONDS), unless the kernel holds it
REPORT = ROOT / "docs" / "SOAK.md"
Run = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description="Run all tests, the long ones too; resumable.")
    parser.add_argument("parts", nargs="*", help="only these files, run again whatever they gave before")
    parser.add_argument("--fresh", action="store_true", help="begin anew")
    parser.add_argument("--keep", action="store_true", help="keep what parts gave at other commits")
    parser.add_argument("--report", action="store_true", help="run nothing, write the page of what has been run")
    options = parser.parse_args()
    run = load(fresh=options.fresh, keep=options.keep or options.report)
    parts = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py"))
    for part in [] if options.report else options.parts or parts:
        if options.parts or run["parts"].get(part, {}).get("status") != 0:
            run["parts"][part] = {"commit": git("rev-parse", "--short", "HEAD"), **run_part(part, run["seed"])}
            save(run)
    missing = [part for part in parts if part not in run["parts"]]
    failed = [part for part in parts if run["parts"].get(part, {}).get("status")]
    REPORT.write_text(report(run, parts))
    print(f"{len(parts) - len(failed) - len(missing)} passed, {len(failed)} failed, {len(missing)} not run")
    return 1 if failed or missing else 0


def load(*, fresh: bool, keep: bool) -> Run:
    """The run to go on with, or a new one."""
    commit = git("rev-parse", "--short", "HEAD")
    if STATE.exists() and not fresh:
        run: Run = json.loads(STATE.read_text())
        if keep or run["commit"] == commit:
            print(f"going on with the run of {run['commit']}, seed {run['seed']}: {len(run['parts'])} parts are done")
            return run
    return {"commit": commit, "seed": random.randrange(2**32), "parts": {}}


def save(run: Run) -> None:
    STATE.parent.mkdir(exist_ok=True)
    STATE.write_text(json.dumps(run, indent=1))


def run_part(part: str, seed: int) -> dict[str, Any]:
    print(f"== {part}", flush=True)
    start = time.monotonic()
    command = [sys.executable, "-m", "pytest", "--soak", "-q", "-n", "2", "--dist", "worksteal", part]
    environment = os.environ | {"PYBTRFS_SEED": str(seed), "PYBTRFS_REQUIRE_KERNEL": "1"}
    try:
        result = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False, timeout=PART_SECONDS
        )
    except subprocess.TimeoutExpired:
        print(f"{part} did not end within {PART_SECONDS} seconds", flush=True)
        return {"status": 124, "seconds": PART_SECONDS}
    print(result.stdout[-2000:] if result.returncode else result.stdout.strip().splitlines()[-1], flush=True)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", result.stdout)}
    return {"status": result.returncode, "seconds": round(time.monotonic() - start), **counts}


def report(run: Run, parts: list[str]) -> str:
    lines = [
        "# The last soak",
        "",
        "`make soak` runs every test, the long ones too, and writes this page.",
        "",
        f"- begun at commit {run['commit']}, seed {run['seed']}",
        f"- Linux {platform.release().split('-')[0]}, Python {platform.python_version()}, "
        f"{os.cpu_count()} processors, {judge_version()}",
        "",
        "| tests | passed | failed | skipped | seconds | commit |",
        "|---|---|---|---|---|---|",
    ]
    for part in parts:
        row = run["parts"].get(part)
        if row is None:
            lines.append(f"| {part} | not run | | | | |")
            continue
        lines.append(
            f"| {part} | {row.get('passed', 0)} | {row.get('failed', 0) + row.get('error', 0)} "
            f"| {row.get('skipped', 0)} | {row['seconds']} | {row.get('commit', run['commit'])} |"
        )
    return "\n".join(lines) + "\n"


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def judge_version() -> str:
    """The version of the btrfs-progs that judged."""
    import judge

    found = judge.btrfs_progs_version()
    return f"btrfs-progs {'.'.join(map(str, found))}" if found else "no btrfs-progs"


if __name__ == "__main__":
    sys.exit(main())
