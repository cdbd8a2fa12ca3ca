"""The suites; each has a `run(suite)` that reports its checks."""
