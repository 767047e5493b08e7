"""Classifiers of one's own: from labelled recordings to a model file and an honest estimate of its accuracy.

examples → vectors → folds → candidates → figures → report → model, one module each.
"""
