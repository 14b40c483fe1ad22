"""How often the gate exchanges equally good models, and how often it takes a better one."""
