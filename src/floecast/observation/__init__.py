"""Observations and their operators."""
