"""Stories over HTTP on the embedded stack: `make scenarios`."""
