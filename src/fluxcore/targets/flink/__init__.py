"""Apache Flink: the same job on a cluster."""
