"""Fixtures for real neighbours."""
