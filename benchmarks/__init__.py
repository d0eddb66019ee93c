"""What a long history costs."""
