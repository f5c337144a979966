"""What the model server knows: it reads texts and answers from them, without a model and without chance."""
