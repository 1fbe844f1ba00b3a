"""Does the workstation keep what it called saved? Kills, many writers, many browsers.

    python -m benchmarks.reliability kills --number 200 [--database postgresql]
    python -m benchmarks.reliability writers --seconds 60 --database sqlite|postgresql
    python -m benchmarks.reliability load --sessions 20 --seconds 300
    python -m benchmarks.reliability report

Each measurement writes one JSON file beside this one; `report` writes docs/reliability.md of them.
Nothing is replaced: real processes, a real PostgreSQL, a real server, a real browser.
"""
