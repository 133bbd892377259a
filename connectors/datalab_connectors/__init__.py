"""The connectors: plug-ins behind the port of `datalab.ports.connector`."""
