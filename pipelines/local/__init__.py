"""Run the whole system on one machine: `churn up` starts and watches its parts, `churn status` tells how they are."""
