"""Learning: topics, drills, questions, review and labs.

A leaf: nothing but the doors above imports it. Nothing here needs torch before a network is
built.
"""
