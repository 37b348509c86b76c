"""What may be wrong at a site: one catalogue of checks, by which the start, `check-config`, `cloud-test`, the hourly
examination and `doctor` go alike. Nothing here asks anybody: checks judge what was fetched."""
