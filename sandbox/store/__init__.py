"""What an account holds: tables, rows, and what follows from a change."""
