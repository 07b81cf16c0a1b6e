"""The dialogues of ``aneeka setup``: each step asks, tests the answers, and only then saves them."""
