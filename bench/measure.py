"""Runs a command several times and prints what it cost: CPU seconds, peak memory, wall time, lines of output."""

import json
import os
import subprocess
import sys
import time

runs, command = int(sys.argv[1]), sys.argv[2:]
cpu, wall, peak, lines = [], [], 0, 0
for _ in range(runs):
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    lines = sum(block.count(b"\n") for block in iter(lambda: child.stdout.read(1 << 20), b""))
    _, status, usage = os.wait4(child.pid, 0)
    wall.append(time.perf_counter() - start)
    cpu.append(usage.ru_utime + usage.ru_stime)
    peak = max(peak, usage.ru_maxrss)
    if status != 0:
        sys.exit(f"{command[0]} ended with status {status}")
cpu.sort()
wall.sort()
print(json.dumps({
    "cpu_s": cpu[len(cpu) // 2],
    "wall_s": wall[len(wall) // 2],
    "wall_s_min": wall[0],
    "peak_mb": peak / 1024,
    "lines": lines,
}))
