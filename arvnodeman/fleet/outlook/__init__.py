"""What stands in the way of jobs beside nodes: reservations, licences, limits of accounting."""
