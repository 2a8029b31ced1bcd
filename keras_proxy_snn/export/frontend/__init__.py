"""Conversion of a `ProxyModel` to a `Program`, and of a NIR file to a `ProxyModel`."""
