"""Tests of the `hashfs` command and what is below it."""
