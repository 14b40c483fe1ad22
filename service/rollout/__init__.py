"""Follow the champion: activate a new model without a failed request, watch it on probation, shadow a challenger, roll back."""
