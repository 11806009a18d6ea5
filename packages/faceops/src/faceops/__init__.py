"""Face operations: detect, align and identify faces, batched and differentiable."""
