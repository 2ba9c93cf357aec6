"""People in the loop: a sample of the captions is judged by people, and what they say flows back."""
