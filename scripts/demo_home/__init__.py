"""A real Home Assistant beside a simulated Joulo, to click through or to check."""
