"""The races: each prints a table, writes JSON to build/benchmarks/ and runs by `python -m benchmarks.NAME`."""
