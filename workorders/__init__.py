"""Emergency, corrective and preventive work orders and their lifecycle."""
