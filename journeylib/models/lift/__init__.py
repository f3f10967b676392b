"""What a treatment, such as having been referred, really adds: estimators, experiments, what makes them believable."""
