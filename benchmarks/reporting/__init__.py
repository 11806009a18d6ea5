"""What becomes of measurements: tables, a report, figures in the documents; and which measurements there are."""
