"""One function a claim: it finds the facts, or reads those that the subject holds, and judges them."""
