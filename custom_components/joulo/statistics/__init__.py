"""Long-term statistics of the charging history: the rows that should be, and their import."""
