"""A synthetic landing zone: filmed patients who never lived, for the demo and the tests.

The face is scikit-image's public-domain photograph `astronaut`, the speech Praat's synthesiser; every name, number and
date is drawn from a seed.
"""
