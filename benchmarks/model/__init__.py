"""Model quality: the registered pipeline against what else one might have used, on the same folds."""
