"""Tests of the actions: what sessions came to, and how a new charger is registered."""
