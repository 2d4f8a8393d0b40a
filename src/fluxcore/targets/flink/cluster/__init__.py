"""A local Flink cluster: its libraries, its configuration, its processes."""
