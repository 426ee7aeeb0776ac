"""The course as one web page: it compares, explains and keeps progress, and asks no server."""
