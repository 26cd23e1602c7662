"""The blueprint that all pages belong to."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("pages", __name__)

COUNTS = "headrace.pages.counts"
