"""The lake: Delta tables of everything that was collected and of what was made of it."""
