"""Internal storage: files behind ``kestra:///…`` URIs. `base` has the contract."""
