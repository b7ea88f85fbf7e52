"""Tables, comparisons, plots, reports and exports of finished runs, without Keras."""
