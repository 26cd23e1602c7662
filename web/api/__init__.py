"""The REST API: Kestra's paths and shapes (specification: rest-api). One blueprint a resource."""
