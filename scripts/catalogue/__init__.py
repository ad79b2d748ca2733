"""What params.yaml, dvc.yaml, dvc.lock and sources/ say: read, checked, sealed."""
