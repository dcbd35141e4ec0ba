"""All results together: tables, plots and the page."""
