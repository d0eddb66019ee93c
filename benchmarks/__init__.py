"""Benchmarks of a long history and of a poll."""
