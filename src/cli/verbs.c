#include "cli/verbs.h"

#include "cli/usage.h"

const struct verb cli_verbs[] = {
    {"", verb_train, "RUN.cfg [section.key=value ...]",
     "train, as the file says; goes on from output.dir's newest checkpoint",
     "Writes output.dir: checkpoints/, metrics.jsonl, timers.json, resolved.cfg and final/, a\n"
     "Hugging Face folder. A finished run says so and ends with 0. SIGTERM, SIGINT and SIGUSR1\n"
     "write a checkpoint after the step that runs, then the program ends with 75: start it again\n"
     "to go on. To start afresh name another output.dir.\n"},
    {"check", verb_check, "RUN.cfg [section.key=value ...]",
     "check configuration, model, tokenizer, data and memory; no training",
     "Says what would run. The data are checked by making their token shards, which training then\n"
     "reuses.\n"},
    {"prepare", verb_prepare, "RUN.cfg [section.key=value ...]",
     "tokenise data.train, validation and test into token shards in data.cache",
     "All ranks share the work. Training does this by itself where the shards are missing.\n"},
    {"compare", verb_compare, "RUN.cfg [section.key=value ...]",
     "bag of words, new head, last layers, all weights: quality against cost on the same data",
     "Needs task = \"classification\" and data.test; the key mode is not used. Each method is a "
     "run of\n"
     "its own in output.dir/compare/METHOD with a cache of its own; groups compare.METHOD of the\n"
     "configuration say what it does otherwise (compare.finetune.training.lr=1e-5). Started again "
     "it\n"
     "goes on where it was. Prints a table to stdout and writes output.dir/compare.json.\n"},
    {"evaluate", verb_evaluate, "RUN.cfg [--base] [section.key=value ...]",
     "loss, perplexity, tokens; or accuracy, macro F1, confusion, as one JSON line on stdout",
     "Data: data.test, else data.validation, else the part set aside by data.validation_fraction.\n"
     "Weights: the best checkpoint of output.dir, else its newest one, else model.path as it is;\n"
     "--base takes model.path in any case. Mode transfer: head.h5 of output.dir on model.path. Of "
     "a\n"
     "classification the table of labels and the confusion matrix are printed to stderr too.\n"},
    {"predict", verb_predict,
     "RUN_DIR [FILE|-] [--max-tokens N] [--temperature T] [--top-p P] [--seed S]",
     "label and probabilities, or a continuation, of each text, one JSON line a text on stdout",
     "RUN_DIR: output.dir of a run, wherever it is now. Of a FILE that ends in .jsonl each line's\n"
     "text_field is a text; of any other file, and of standard input (-, or no FILE), each line.\n"
     "Lines that come one by one are answered one by one: the program can stand in a pipe.\n"
     "Classification: texts are cut to data.seq_len, as in training; one without tokens gets "
     "null.\n"
     "Other tasks: the text is continued until the model ends it, or for --max-tokens (128). In "
     "task\n"
     "instruct it is what the user says, and the continuation the answer. --temperature 0 "
     "(default)\n"
     "takes the likeliest token each time; above 0 tokens are drawn, from the likeliest that have\n"
     "--top-p (1) of the probability together, by --seed (42). A terminal shows the text as it "
     "comes.\n"
     "Weights: the best checkpoint, else the newest; mode transfer: head.h5 on model.path. Rank 0\n"
     "works alone.\n"},
    {"export", verb_export,
     "RUN_DIR OUT [--format hf|gguf] [--type fp32|bf16|fp16|q8_0] [--step N | --best]",
     "what a run has learnt as a model folder or a GGUF file for other programs",
     "RUN_DIR: output.dir of a run, wherever it is now. OUT does not exist; it becomes a folder "
     "for\n"
     "transformers (for a classification whose head transformers does not have: for\n"
     "sentence-transformers), or, where it ends in .gguf, a file for llama.cpp and its relatives,\n"
     "tokenizer and chat template included. Types: a folder fp32 (default), bf16 or fp16; GGUF "
     "fp16\n"
     "(default), fp32, bf16 or q8_0, vectors always fp32. Weights: --best the best checkpoint,\n"
     "--step N that of step N; neither: the best, else the newest, else final/; mode transfer:\n"
     "head.h5 on model.path. What was written is read back and its logits on fixed prompts are\n"
     "compared with the trained model's: a model that differs is not kept. Prints one JSON line "
     "to\n"
     "stdout. Rank 0 works alone.\n"},
    {"inspect", verb_inspect, "PATH",
     "what a model folder, GGUF file, token shard, checkpoint, run folder or head.h5 holds",
     "Prints to stdout; reads only. Of a model: family and sizes, whether it can be used or why "
     "not,\n"
     "how it is stored, tokenizer, chat template, and the memory of a rank at 1 to 64 ranks.\n"},
    {.name = NULL},
};
