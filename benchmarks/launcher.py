"""Runs commands on one pipe and prints, as JSON, what each cost; a small process of its own.

    echo '{"commands": [["cat"], ["wc"]], "stdin": …, "stdout": …, "log": …}' | python launcher.py

A process begins with the peak memory of the one that starts it (exec keeps it): hence nothing is imported
here that is not needed.
"""

# pathlib is more than it needs.
# ruff: noqa: PTH123, SIM115
from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def launch(commands, stdin, stdout, log, cwd):
    """Return wall seconds, and of each process CPU seconds, peak megabytes and exit code."""
    source = open(stdin, "rb")
    with open(log, "ab") as errors, open(stdout, "wb") as sink:
        begun = time.perf_counter()
        processes = []
        for number, command in enumerate(commands, start=1):
            out = sink if number == len(commands) else subprocess.PIPE
            process = subprocess.Popen(command, stdin=source, stdout=out, stderr=errors, cwd=cwd)
            source.close()
            source = process.stdout
            processes.append(process)
        ends = []
        for process in processes:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            ends.append((usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode))
        return {"wall": time.perf_counter() - begun, "ends": ends}


if __name__ == "__main__":
    json.dump(launch(**json.load(sys.stdin)), sys.stdout)
