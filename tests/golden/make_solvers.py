#!/usr/bin/env python3
"""Make the golden files of heads and their features, in solvers/.

Needs scikit-learn, numpy, safetensors (versions used: solvers/versions.json).  Run in tests/golden:
    python3 make_solvers.py

logistic.safetensors, per case c: c/x (n,d) f32, c/labels (n) int32, c/row_weight (n) f32, c/l2 (1) f32; the solution of
LogisticRegression, in float64 to 1e-10, on the columns standardised with unweighted mean and
deviation: c/weight (K,d) and c/bias (K) for the columns as they are in c/x, c/standard_weight (K,d)
and c/standard_bias (K) for the standardised ones, and c/objective (2), a float64 as the sum of two
f32:
    sum_i w_i CE_i / sum_i w_i + l2 / 2 * |standard_weight|^2
Two classes: rows -v/2 and v/2 of scikit-learn's one row v, and l2 = 2 / (C sum_i w_i); else
l2 = 1 / (C sum_i w_i).

bag_of_words.json: train and test, texts; n_columns; train_rows and test_rows, a list of [column, value]
for each text, as TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2)) has them. Columns are
numbered in the order in which the training texts bring the terms up, a word before the pair that it
completes.
"""

import json
import pathlib
import platform

import numpy as np
import safetensors
import sklearn
from safetensors.numpy import save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

SEED = 20251125
HERE = pathlib.Path(__file__).resolve().parent / "solvers"


def make_case(rng, n, d, k, l2, weighted=False, separable=False):
    """Features far from centred, of very different deviations, the last column constant."""
    truth = rng.normal(size=(d, k))
    z = rng.normal(size=(n, d))
    logits = z @ truth * (1.0 if separable else 0.7)
    labels = np.argmax(logits + (0 if separable else 1) * rng.gumbel(size=(n, k)), axis=1)
    labels[:k] = np.arange(k)
    x = z * np.exp(rng.normal(size=d)) + 10 * rng.normal(size=d)
    x[:, -1] = 3.25
    weight = rng.uniform(0.2, 3.0, size=n) if weighted else np.ones(n)
    if weighted:
        weight[k:][::5] = 0
    x, weight = x.astype(np.float32), weight.astype(np.float32)

    scaler = StandardScaler().fit(x.astype(np.float64))
    standard = scaler.transform(x.astype(np.float64))
    total = weight.astype(np.float64).sum()
    l2 = float(np.float32(l2))
    c = (2 if k == 2 else 1) / (l2 * total)
    fit = LogisticRegression(C=c, tol=1e-10, max_iter=100000, solver="lbfgs")
    fit.fit(standard, labels, sample_weight=weight.astype(np.float64))
    coef, bias = fit.coef_, fit.intercept_
    if k == 2:
        coef, bias = np.vstack([-coef / 2, coef / 2]), np.concatenate([-bias / 2, bias / 2])
    scores = standard @ coef.T + bias
    top = scores.max(axis=1, keepdims=True)
    loss = np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0] - scores[np.arange(n), labels]
    objective = (weight * loss).sum() / total + l2 / 2 * (coef ** 2).sum()
    high = np.float32(objective)
    raw = coef / scaler.scale_
    return {
        "x": x, "labels": labels.astype(np.int32), "row_weight": weight,
        "l2": np.array([l2], np.float32),
        "standard_weight": coef.astype(np.float32), "standard_bias": bias.astype(np.float32),
        "weight": raw.astype(np.float32),
        "bias": (bias - raw @ scaler.mean_).astype(np.float32),
        "objective": np.array([high, objective - float(high)], np.float32),
    }


TRAIN_TEXTS = [
    "The cat sat on the mat, the cat did.",
    "the CAT sat; a dog barked at the cat!",
    "A dog, a cat: 42 dogs and 1,000 cats \u2014 no_one knows x2 or 3d",
    "42 DOGS and 1000 cats, no_one knows",
    "\u00dcber die Stra\u00dfe gehen, \u00fcber die STRASSE und \u00c9t\u00e9",
    "\u00e9t\u00e9 \u00fcber Stra\u00dfe",
    "\u0130stanbul \u0130zmir istanbul i\u0307i zmir",  # the dotted capital I
    "\u0130zmir stanbul",
    "\u039f\u0394\u039f\u03a3 \u039f\u03a3\u039c\u0397 \u039f\u03a3'\u03a3 \u03a3\u03a3 \u03a31",  # sigmas
    "\u03bf\u03b4\u03bf\u03c2 \u03bf\u03c3\u03bc\u03b7 \u03c3\u03c2 \u03bf\u03c3'\u03c2 \u03c31 \u039f\u03a3.",
    "\u4e2d\u6587 \u5206\u8bcd \u4e2d\u6587\u3002\u4e2d \u6587 \ud55c\uad6d\uc5b4 \u65e5\u672c\u8a9e",
    "\u4e2d\u6587 \u5206\u8bcd \ud55c\uad6d\uc5b4 \u65e5\u672c\u8a9e",
    "\u0915\u094d\u0937\u092e\u093e \u0928\u092e\u0938\u094d\u0924\u0947 caf\u0065\u0301s \u0661\u0662\u0663 x\u00b2 \u2167\u2168 \u00bd\u00bd",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0661\u0662\u0663 x\u00b2 \u2167\u2168 \u00bd\u00bd caf\u0065\u0301s \u00aa\u00ba",
    "\U0001f600\U0001f600 emoji \U0001d504\U0001d505 __ _a a_ don't can't",
    "emoji \U0001d504\U0001d505 __ _a a_ don't can't \u200dzero\u200dwidth",
    "", "a b c", "cat cat cat cat cat cat cat cat cat cat cat",
]
TEST_TEXTS = ["The cat and 42 dogs knows the unknown words the cat", "nothing here", "",
              "\u00c9T\u00c9 \u00dcBER STRA\u00dfE \u039f\u0394\u039f\u03a3", "cat unknown sat", "cat a sat"]


def make_bag():
    """TF-IDF of small texts, and rows of texts that played no part in it."""
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2))
    train = vectorizer.fit_transform(TRAIN_TEXTS)
    split = vectorizer.build_tokenizer()
    order = {}
    for text in TRAIN_TEXTS:
        words = split(text.lower())
        for before, word in zip([None] + words, words):
            for term in (word, f"{before} {word}" if before else word):
                if term in vectorizer.vocabulary_:
                    order.setdefault(vectorizer.vocabulary_[term], len(order))
    assert len(order) == len(vectorizer.vocabulary_)

    def listed(matrix):
        return [sorted([order[j], round(float(matrix[i, j]), 9)] for j in matrix[i].indices)
                for i in range(matrix.shape[0])]

    return {"train": TRAIN_TEXTS, "test": TEST_TEXTS, "n_columns": len(order),
            "train_rows": listed(train), "test_rows": listed(vectorizer.transform(TEST_TEXTS))}


def main():
    HERE.mkdir(exist_ok=True)
    rng = np.random.default_rng(SEED)
    cases = {
        "two": make_case(rng, 120, 6, 2, 0.01),
        "three": make_case(rng, 150, 7, 3, 0.003, weighted=True),
        "seven": make_case(rng, 300, 12, 7, 0.01, weighted=True),
        "separable": make_case(rng, 100, 5, 2, 0.001, separable=True),
        "separable3": make_case(rng, 100, 5, 3, 0.001, separable=True),
        "wide": make_case(rng, 24, 60, 3, 0.05),
        "wide2": make_case(rng, 24, 60, 2, 0.02, weighted=True),
    }
    # safetensors writes the bytes as they lie: in C order, please
    save_file({f"{name}/{key}": np.ascontiguousarray(value)
               for name, case in cases.items() for key, value in case.items()},
              HERE / "logistic.safetensors")
    (HERE / "bag_of_words.json").write_text(json.dumps(make_bag()) + "\n")
    versions = {"seed": SEED, "python": platform.python_version(), "numpy": np.__version__,
                "scikit-learn": sklearn.__version__, "safetensors": safetensors.__version__}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    main()
