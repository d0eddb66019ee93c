"""The charging history as values: no Home Assistant, no clock, no I/O. A moment is always an argument."""
