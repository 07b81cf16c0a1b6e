"""Benchmarks and long campaigns, run by hand: ``uv run python -m tests.bench.NAME``."""
