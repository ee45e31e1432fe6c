"""For eyes and scripts: the screen, plain lines, JSON lines."""
