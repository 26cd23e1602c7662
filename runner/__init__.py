"""Headrace's runner: flow model, engine, store, workers and the services that join them."""
