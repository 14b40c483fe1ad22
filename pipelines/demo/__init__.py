"""Close the loop once, from training to a promoted challenger, and fail if a step did not happen: `churn demo`."""
