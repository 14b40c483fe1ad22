"""Grafana's dashboards: panels.py holds what they show, build.py makes the JSON files, provisioning/ has Grafana load them."""
