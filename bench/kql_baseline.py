"""The baseline of the query language: the rows and questions of crates/kql/benches/million.rs, asked of SQLite."""

import sqlite3
import time

ROWS, DEVICES, RUNS = 1_000_000, 1_000, 5
PORTS = [80, 443, 22, 3389]
QUESTIONS = [
    ("filter", "select count(*), sum(bytes) from events where port = 443 and command like '%enc 77%' and device like 'dev-1%'"),
    ("summarize", "select count(*), sum(n), sum(b) from (select count(*) n, sum(bytes) b, max(time) from events group by device, file)"),
    ("join", "select sum(n), sum(b) from (select site, count(*) n, sum(bytes) b from events join devices using (device) where port <> 80 group by site)"),
]


def rows():
    state = 1
    mask = (1 << 64) - 1

    def following():
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) & mask
        return state >> 33

    for at in range(ROWS):
        device = f"dev-{following() % DEVICES}"
        file = f"file{following() % 200}.exe"
        command = f"{file} -enc {following() % 10000} -id {at}"
        port = PORTS[following() % 4]
        yield 639000000000000000 + at * 1000000, device, file, command, port, following() % 100000


connection = sqlite3.connect(":memory:")
connection.execute("create table events (time integer, device text, file text, command text, port integer, bytes integer)")
connection.execute("create table devices (device text primary key, site text) without rowid")
connection.executemany("insert into events values (?, ?, ?, ?, ?, ?)", rows())
connection.executemany("insert into devices values (?, ?)", ((f"dev-{at}", f"site-{at % 10}") for at in range(DEVICES)))
for name, question in QUESTIONS:
    before = time.process_time()
    for _ in range(RUNS):
        answer = connection.execute(question).fetchone()
    print(name, f"{(time.process_time() - before) / RUNS:.3f}", *answer)
