"""Release Django sites to your own servers, all or nothing, over Fabric 3."""

__version__ = "0.1.0"
