"""What plug-ins implement or need: the connector port, the hardened HTTP client, the safe landing folder."""
