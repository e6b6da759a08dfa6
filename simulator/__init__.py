"""The deterministic simulator: engine and Kafka adapter unchanged, below them a cluster that fails."""
