"""The brain in the box: a very small Llama of our own, trained on the line grammar here (see ``train.py``)."""
