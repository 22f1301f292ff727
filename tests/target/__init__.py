"""Tests of target-hashfs."""
