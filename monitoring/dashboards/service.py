"""The board of the service: is it up, fast and right?"""

from __future__ import annotations

from monitoring.dashboards.question import HERE, Question, Row, quantile_of, rate_of

SERVICE: tuple[Row, ...] = (
    (
        "Now",
        (
            Question(
                "Model in service",
                "Version of the champion, by instance.",
                "none",
                ((f"churn_model_info{HERE} == 1", "version {{version}} on {{instance}}"),),
                "stat",
            ),
            Question("Requests", "All routes together.", "reqps", ((rate_of("churn_http_requests_total"), "requests"),), "stat"),
            Question(
                "Failed by our fault, 5 min",
                "Share of requests answered 5xx; the objective allows 0.1 %.",
                "percentunit",
                (("churn:errors:ratio5m", "failed"),),
                "stat",
                0.001,
            ),
            Question(
                "Slow, 5 min",
                "Share of single predictions above 50 ms; the objective allows 1 %.",
                "percentunit",
                (("churn:slow:ratio5m", "slow"),),
                "stat",
                0.01,
            ),
            Question(
                "Waiting on disk",
                "Predictions that the store has not got yet.",
                "short",
                ((f"sum(churn_log_spooled{HERE})", "spooled"),),
                "stat",
                1,
            ),
            Question(
                "Registry",
                "1: it answers. 0: the service goes on with what it has.",
                "none",
                ((f"min(churn_registry_up{HERE})", "registry"),),
                "stat",
            ),
        ),
    ),
    (
        "Golden signals",
        (
            Question(
                "Traffic", "Requests a second by route.", "reqps", ((rate_of("churn_http_requests_total", "route"), "{{route}}"),)
            ),
            Question(
                "Answers by status",
                "5xx are ours, 4xx the caller's.",
                "reqps",
                ((rate_of("churn_http_requests_total", "status"), "{{status}}"),),
            ),
            Question(
                "Latency of /predict",
                "Dots are single requests; their request_id finds them in the log.",
                "s",
                ((quantile_of(0.5), "p50"), (quantile_of(0.99), "p99")),
                limit=0.05,
            ),
            Question(
                "Problems answered",
                "Requests answered with a problem, by what it was, and those shed by the gateway.",
                "reqps",
                (
                    (rate_of("churn_rejected_total", "problem"), "{{problem}}"),
                    (rate_of("churn_requests_shed_total"), "shed"),
                ),
            ),
            Question(
                "Processor time",
                "Cores in use; each worker can use one.",
                "short",
                (
                    (rate_of("churn_process_cpu_seconds_total", "instance"), "{{instance}}"),
                    (f"sum by (instance) (churn_workers{HERE})", "workers of {{instance}}"),
                ),
            ),
            Question(
                "Memory",
                "Of all workers.",
                "bytes",
                ((f"sum by (instance) (churn_process_resident_memory_bytes{HERE})", "{{instance}}"),),
            ),
            Question(
                "Open files",
                "Sockets included.",
                "short",
                ((f"sum by (instance) (churn_process_open_fds{HERE})", "{{instance}}"),),
            ),
        ),
    ),
    (
        "Objectives",
        (
            Question(
                "Burn of the error budget",
                "1: the budget is just used up in its 30 days. 14.4 pages, 6 pages, 3 and 1 make a ticket.",
                "short",
                tuple((f"churn:errors:ratio{w} / 0.001", w) for w in ("5m", "1h", "6h", "3d")),
                limit=14.4,
            ),
            Question(
                "Burn of the latency budget",
                "The same for single predictions above 50 ms.",
                "short",
                tuple((f"churn:slow:ratio{w} / 0.01", w) for w in ("5m", "1h", "6h", "3d")),
                limit=14.4,
            ),
        ),
    ),
    (
        "Model and log",
        (
            Question(
                "Changes of the model",
                "Attempts to take another model, by result.",
                "short",
                (("sum by (result) (increase(churn_model_reloads_total" + HERE + "[5m]))", "{{result}}"),),
            ),
            Question(
                "On probation",
                "1 while a new champion is watched; it is left by itself if it does worse.",
                "none",
                ((f"max by (instance) (churn_probation_active{HERE})", "{{instance}}"),),
            ),
            Question(
                "Log written",
                "Predictions a second that reached the store, and that came there from the disk.",
                "wps",
                ((rate_of("churn_log_written_total"), "written"), (rate_of("churn_log_replayed_total"), "from disk")),
            ),
            Question(
                "Log lag",
                "Age of the oldest prediction that is not in the store.",
                "s",
                ((f"max by (instance) (churn_log_lag_seconds{HERE})", "{{instance}}"),),
                limit=60,
            ),
        ),
    ),
)
