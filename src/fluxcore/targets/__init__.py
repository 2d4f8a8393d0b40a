"""Places where plans run besides the embedded runtime."""
