"""The tests, a file per room; `simulator/` is the Joulo cloud that they run against."""
