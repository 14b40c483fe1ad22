"""The formats that batches come in and answers go out in. Each reader gives valid customers, or says what is wrong."""
