"""How fast files of customers become files of answers, beside what others take for it, and how much memory that needs."""
