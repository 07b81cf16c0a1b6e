"""What may come at the studio's door: attacks as data, and the plain wire to send them by."""
