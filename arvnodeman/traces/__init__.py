"""Job traces in: what a site's jobs asked for, when, and how they ended, read from what schedulers keep of them."""
