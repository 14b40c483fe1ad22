"""What each program needs of memory and CPU, at rest and at work: `python -m benchmarks.footprint`."""
