"""What the end-to-end suites share: installation, processes, the proxy, recorders and comparison."""
