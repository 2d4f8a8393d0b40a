"""The public test kit: a simulated disk with faults and crash states for what writes through the log's files."""
