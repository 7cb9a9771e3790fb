#!/usr/bin/env python3
"""Reference scores, bootstrap intervals and McNemar p-values: scores.json.

Needs numpy, scipy, scikit-learn, statsmodels.
    python3 make_scores.py

cases: labels, predictions, number of classes; confusion matrix, accuracy, macro F1 and per-class
figures by scikit-learn; intervals: the bootstrap of train/bootstrap.h written here in numpy, with
its own Philox4x32-10, so that the bounds are equal to the last bits; and by scipy.stats.bootstrap
(other random numbers, so equal only within the error of 2000 resamples).
mcnemar: discordant counts and the exact p-value by statsmodels and scipy.stats.binomtest.
"""

import json
import pathlib
import warnings

import numpy as np
import scipy
import scipy.stats
import sklearn
import statsmodels
from sklearn import metrics
from statsmodels.stats.contingency_tables import mcnemar

RESAMPLES, SEED, STREAM = 2000, 42, 0x626F6F7473 << 24


def philox(key, hi, lo):
    """Philox4x32-10 of arrays of 64-bit counters: (n, 4) words."""
    mask = np.uint64(0xFFFFFFFF)
    c = [lo & mask, lo >> np.uint64(32), hi & mask, hi >> np.uint64(32)]
    k = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k[0]), p1 & mask,
             (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k[1]), p0 & mask]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(c, axis=-1)


def macro_f1(labels, predictions):
    return metrics.f1_score(labels, predictions, average="macro", zero_division=0)


def intervals(labels, predictions):
    """Documents in the order of their cells; word w chooses document floor(w n / 2^32)."""
    n = len(labels)
    order = np.lexsort((predictions, labels))
    labels, predictions = labels[order], predictions[order]
    counters = np.arange((n + 3) // 4, dtype=np.uint64)
    accuracies, f1s = [], []
    for b in range(RESAMPLES):
        words = philox(SEED, np.full_like(counters, STREAM + b), counters).reshape(-1)[:n]
        chosen = (words * np.uint64(n) >> np.uint64(32)).astype(np.int64)
        accuracies.append(np.mean(labels[chosen] == predictions[chosen]))
        f1s.append(macro_f1(labels[chosen], predictions[chosen]))
    return [list(np.percentile(v, [2.5, 97.5])) for v in (accuracies, f1s)]


def scipy_intervals(labels, predictions):
    found = []
    for statistic in (metrics.accuracy_score, macro_f1):
        result = scipy.stats.bootstrap((labels, predictions), statistic, paired=True,
                                       vectorized=False, n_resamples=RESAMPLES,
                                       method="percentile", rng=np.random.default_rng(1))
        found.append([result.confidence_interval.low, result.confidence_interval.high])
    return found


def case(labels, predictions, classes):
    known = list(range(classes))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predictions, labels=known, zero_division=0)
    (accuracy_low, accuracy_high), (f1_low, f1_high) = intervals(labels, predictions)
    by_scipy = scipy_intervals(labels, predictions)
    return {
        "classes": classes, "labels": labels.tolist(), "predictions": predictions.tolist(),
        "confusion": metrics.confusion_matrix(labels, predictions, labels=known).tolist(),
        "accuracy": metrics.accuracy_score(labels, predictions),
        "macro_f1": macro_f1(labels, predictions), "precision": precision.tolist(),
        "recall": recall.tolist(), "f1": f1.tolist(), "support": support.tolist(),
        "accuracy_interval": [accuracy_low, accuracy_high], "f1_interval": [f1_low, f1_high],
        "scipy_accuracy_interval": by_scipy[0], "scipy_f1_interval": by_scipy[1]}


def cases():
    rng = np.random.default_rng(SEED)
    two = rng.integers(0, 2, 301)
    yield case(two, np.where(rng.random(301) < 0.83, two, 1 - two), 2)
    # unbalanced; class 3 is only predicted, class 4 has no prediction, classes 5 and 6 do not occur
    seven = rng.choice([0, 1, 2, 4], 242, p=[0.6, 0.25, 0.12, 0.03])
    seven_predictions = np.where(rng.random(242) < 0.7, seven, rng.integers(0, 4, 242))
    seven_predictions[seven_predictions == 4] = 0
    yield case(seven, seven_predictions, 7)
    yield case(np.zeros(5, np.int64), np.zeros(5, np.int64), 2)  # no error at all


def mcnemar_p(a_only, b_only):
    p = float(mcnemar([[0, a_only], [b_only, 0]], exact=True).pvalue)
    if a_only + b_only:
        other = scipy.stats.binomtest(a_only, a_only + b_only).pvalue
        assert abs(p - other) <= 1e-8 * other, (a_only, b_only, p, other)
    return {"a_only": a_only, "b_only": b_only, "p": min(1.0, p)}


def main():
    warnings.simplefilter("ignore")
    pairs = [(0, 0), (1, 0), (3, 3), (5, 1), (1, 9), (10, 14), (12, 13), (40, 12), (0, 60),
             (150, 110), (100, 231), (1000, 1100), (20000, 19500), (499000, 501000), (0, 1000)]
    out = {"seed": SEED, "numpy": np.__version__, "scipy": scipy.__version__,
           "scikit-learn": sklearn.__version__, "statsmodels": statsmodels.__version__,
           "cases": list(cases()), "mcnemar": [mcnemar_p(*pair) for pair in pairs]}
    path = pathlib.Path(__file__).resolve().parent / "scores.json"
    path.write_text(json.dumps(out) + "\n", encoding="utf-8")


main()
