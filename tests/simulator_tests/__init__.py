"""Tests of the simulator: it behaves like the documented Joulo cloud."""
