"""Tests of the tasks that keep the history in step with Joulo, and events in step with it."""
