"""The Prefect flows: training and monitoring, their schedules, triggers and events.

A task is a few lines that call the core. `deployments` says what runs when.
"""
