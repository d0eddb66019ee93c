"""Tests in a real browser, against the demo; `scripts/browser` runs them."""
