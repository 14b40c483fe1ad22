"""The formats of batches and of their answers. Each reader returns valid customers or raises an error that names the problem."""
