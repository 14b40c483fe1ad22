"""What a campaign does to the loop: everybody whom the model names is called, and some stay who would have left."""
