"""`python -m coinbase_insights` is the command `coinbase_insights`."""

from .cli import main

main()
