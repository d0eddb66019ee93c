"""Tasks with timers of their own that keep the history in step with Joulo, and events in step with it."""
