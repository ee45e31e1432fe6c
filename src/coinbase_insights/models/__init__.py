"""Judging forecasters on what has been."""
