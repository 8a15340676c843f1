"""Faults planted in the package one at a time, and the tests that find them."""
