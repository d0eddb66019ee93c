"""Tests of the client of DER Connect."""
