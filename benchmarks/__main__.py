"""`python -m benchmarks [NAME …]`: run the jobs, print their tables in Markdown. Needs root and btrfs-progs."""

import os
import platform
import sys
from importlib import import_module
from pathlib import Path

from benchmarks import images

JOBS = sorted(file.stem for file in Path(__file__).parent.glob("job_*.py"))


def main() -> None:
    chosen = [f"job_{name}" for name in sys.argv[1:]] or JOBS
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled
    os.environ.update(images.judge.environment())
    version = images.judge.btrfs("--version").split()[1]
    print(
        f"Python {platform.python_version()}, Linux {platform.release()}, btrfs-progs {version}, "
        f"{os.cpu_count()} processors\n"
    )
    for job in chosen:
        print(import_module(f"benchmarks.{job}").report())


main()
