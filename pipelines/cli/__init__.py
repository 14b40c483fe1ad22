"""The `churn` command: one file a noun, each a thin layer over the packages below."""
