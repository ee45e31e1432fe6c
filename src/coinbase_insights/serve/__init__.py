"""What is to be looked at in a browser, and asked by other programs: one page, and an API in JSON."""
