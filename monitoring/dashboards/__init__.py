"""Grafana's dashboards: panels.py says what they show, build.py makes the JSON files, provisioning/ has Grafana load them."""
