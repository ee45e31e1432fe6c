"""How fast and how large it is, beside what was promised and what others need: `make bench`."""
