"""Bad days: parts of the system are killed, filled up, cut off and confused under load, and what was promised is counted after."""
