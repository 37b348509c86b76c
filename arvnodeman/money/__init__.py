"""Who pays: values and rules for dividing what nodes cost among jobs. As pure as the brain."""
