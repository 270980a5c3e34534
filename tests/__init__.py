"""Tests: the real source over real HTTP, against the sandbox, into real databases."""
