"""The monitor: windows, drift, performance, policy, reports."""
