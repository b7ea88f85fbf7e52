"""From run directories to tables, verdicts, plots and pages; nothing here needs Keras."""
