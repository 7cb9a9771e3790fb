/* train/advice: the sentence of each case, word for word. */
#include "train/advice.h"

#include "support/check.h"

enum {
    BAG = COMPARE_BAG_OF_WORDS,
    TRANSFER = COMPARE_TRANSFER,
    LAST = COMPARE_LAST_LAYERS,
    FULL = COMPARE_FINETUNE
};

/* A method as measured: accuracy with half the width of its interval, macro F1 with the same. */
static void set(struct comparison *c, int method, double accuracy, double half, double core_s)
{
    c->methods[method] = (struct method_result){
        .done = true,
        .documents = 2390,
        .accuracy = accuracy,
        .macro_f1 = accuracy,
        .interval = {{accuracy - half, accuracy + half}, {accuracy - half, accuracy + half}},
        .core_s = core_s};
}

static void set_p(struct comparison *c, int a, int b, double p)
{
    c->pairs[a][b].p = c->pairs[b][a].p = p;
}

/* All four methods, no pair told apart. */
static struct comparison make(double bag, double transfer, double last, double full)
{
    struct comparison c = {.cheapest = BAG};
    set(&c, BAG, bag, 0.015, 2.0);
    set(&c, TRANSFER, transfer, 0.015, 100.0);
    set(&c, LAST, last, 0.015, 900.0);
    set(&c, FULL, full, 0.015, 4120.0);
    for (int a = 0; a < N_COMPARE_METHODS; a++)
        for (int b = 0; b < N_COMPARE_METHODS; b++)
            c.pairs[a][b].p = 1.0;
    return c;
}

static void set_documents(struct comparison *c, int64_t n)
{
    for (int m = 0; m < N_COMPARE_METHODS; m++)
        c->methods[m].documents = n;
}

static void check_advice(const struct comparison *c, const char *expected)
{
    struct buffer out = {0};
    CHECK_STATUS(advice_put(&out, c), FT_OK);
    if (!out.data || strcmp(out.data, expected) != 0) {
        (void)fprintf(stderr, "got:\n%s\nexpected:\n%s\n\n", out.data, expected);
        check_failures++;
    }
    buffer_clear(&out);
}

static void check_starts(const struct comparison *c, const char *start)
{
    struct buffer out = {0};
    CHECK_STATUS(advice_put(&out, c), FT_OK);
    CHECK(out.data && strncmp(out.data, start, strlen(start)) == 0);
    buffer_clear(&out);
}

static void test_bag(void)
{
    struct comparison c = make(0.821, 0.818, 0.824, 0.829);
    set_p(&c, BAG, FULL, 0.21);
    check_advice(&c,
                 "Use the bag of words, as good as the pretrained model on this task: it is the "
                 "cheapest, and no other method is measurably more accurate than its 82.1 % (95 % "
                 "interval 80.6 to 83.6 %, 2390 test documents); the 0.8 points more of full fine-"
                 "tuning may be chance (p = 0.21) and cost 2100 times the core-seconds (4120 "
                 "against 2).");
    c = make(0.740, 0.700, 0.690, 0.686); /* it is better than the others */
    set_p(&c, BAG, TRANSFER, 0.012);
    set_p(&c, BAG, LAST, 1e-4);
    set_p(&c, BAG, FULL, 1e-4);
    check_advice(&c,
                 "Use the bag of words, better than the pretrained model on this task: it is the "
                 "cheapest, and no other method is more accurate than its 74.0 % (95 % interval "
                 "72.5 to 75.5 %, 2390 test documents); full fine-tuning has 68.6 % for 2100 times"
                 " the core-seconds (4120 against 2).");
}

static void test_transfer(void)
{
    struct comparison c = make(0.777, 0.833, 0.834, 0.837);
    set_p(&c, BAG, TRANSFER, 1e-9);
    set_p(&c, BAG, LAST, 1e-9);
    set_p(&c, BAG, FULL, 1e-9);
    set_p(&c, TRANSFER, FULL, 0.55);
    check_advice(&c,
                 "Use transfer learning, the choice for a task similar to what the model knows, "
                 "few resources or little data: it is 5.6 points more accurate than the bag of "
                 "words (83.3 %, 95 % interval 81.8 to 84.8 %, against 77.7 %; p < 0.001) for 50 "
                 "times the core-seconds (100 against 2); the 0.4 points more of full fine-tuning "
                 "may be chance (p = 0.55) and cost 41 times the core-seconds (4120 against 100).");
    c.methods[FULL].accuracy = 0.829; /* none of the costlier ones is more accurate */
    c.methods[LAST].accuracy = 0.833;
    check_advice(&c,
                 "Use transfer learning, the choice for a task similar to what the model knows, "
                 "few resources or little data: it is 5.6 points more accurate than the bag of "
                 "words (83.3 %, 95 % interval 81.8 to 84.8 %, against 77.7 %; p < 0.001) for 50 "
                 "times the core-seconds (100 against 2); no costlier method is more accurate: "
                 "full fine-tuning has 82.9 % for 41 times the core-seconds (4120 against 100).");
    c = make(0.820, 0.828, 0.834, 0.838); /* only full fine-tuning beats the bag of words */
    set_p(&c, BAG, TRANSFER, 0.34);
    set_p(&c, BAG, FULL, 0.031);
    set_p(&c, TRANSFER, FULL, 0.12);
    check_advice(&c,
                 "Use transfer learning, the choice for a task similar to what the model knows, "
                 "few resources or little data: it is the cheapest method that no other beats, "
                 "though not measurably better than the bag of words (82.8 %, 95 % interval 81.3 "
                 "to 84.3 %, against 82.0 %; p = 0.34) for 50 times the core-seconds (100 against "
                 "2); the 1.0 points more of full fine-tuning may be chance (p = 0.12) and cost 41"
                 " times the core-seconds (4120 against 100).");
}

static void test_last_layers(void)
{
    struct comparison c = make(0.777, 0.833, 0.864, 0.867);
    for (int a = 0; a < N_COMPARE_METHODS; a++)
        for (int b = 0; b < a; b++)
            set_p(&c, a, b, a + b == LAST + FULL ? 0.4 : 1e-5);
    check_advice(&c,
                 "Train the last layers, the middle way between a new head and all weights: it is "
                 "3.1 points more accurate than transfer learning (86.4 %, 95 % interval 84.9 to "
                 "87.9 %, against 83.3 %; p < 0.001) for 9.0 times the core-seconds (900 against "
                 "100); the 0.3 points more of full fine-tuning may be chance (p = 0.40) and cost "
                 "4.6 times the core-seconds (4120 against 900); with few resources or little data"
                 " use transfer learning (83.3 %).");
}

static void test_finetune(void)
{
    struct comparison c = make(0.821, 0.833, 0.870, 0.889);
    for (int m = 0; m < FULL; m++)
        set_p(&c, m, FULL, 1e-7);
    set_p(&c, BAG, TRANSFER, 0.04);
    set_p(&c, TRANSFER, LAST, 0.001);
    set_p(&c, BAG, LAST, 0.001);
    set_p(&c, LAST, FULL, 0.0104);
    check_advice(&c,
                 "Fine-tune the whole model, the choice for a task unlike what the model knows, if"
                 " accuracy is worth its cost: it is 1.9 points more accurate than training the "
                 "last layers (88.9 %, 95 % interval 87.4 to 90.4 %, against 87.0 %; p = 0.010) "
                 "for 4.6 times the core-seconds (4120 against 900); with few resources or little "
                 "data use transfer learning (83.3 %).");
    set_p(&c, TRANSFER, LAST, 0.2); /* the alternative is the cheapest that nothing cheap beats */
    set_p(&c, BAG, LAST, 0.06);
    set_p(&c, BAG, TRANSFER, 0.3);
    check_advice(&c,
                 "Fine-tune the whole model, the choice for a task unlike what the model knows, if"
                 " accuracy is worth its cost: it is 6.8 points more accurate than the bag of "
                 "words (88.9 %, 95 % interval 87.4 to 90.4 %, against 82.1 %; p < 0.001) for 2100"
                 " times the core-seconds (4120 against 2); with few resources or little data use "
                 "the bag of words (82.1 %).");
    c.methods[LAST].done = false;
    set_p(&c, BAG, TRANSFER, 0.04);
    check_advice(&c,
                 "Fine-tune the whole model, the choice for a task unlike what the model knows, if"
                 " accuracy is worth its cost: it is 5.6 points more accurate than transfer "
                 "learning (88.9 %, 95 % interval 87.4 to 90.4 %, against 83.3 %; p < 0.001) for "
                 "41 times the core-seconds (4120 against 100); with few resources or little data "
                 "use transfer learning (83.3 %); training the last layers has not run.");
}

static void test_undecided(void)
{
    struct comparison c = make(0.80, 0.82, 0.80, 0.85);
    set_documents(&c, 60);
    for (int m = 0; m < N_COMPARE_METHODS; m++)
        set(&c, m, c.methods[m].accuracy, 0.10, c.methods[m].core_s), c.methods[m].documents = 60;
    set_p(&c, BAG, FULL, 0.58);
    check_advice(&c,
                 "Stay with the bag of words, the cheapest, until there are more test documents: "
                 "60 are too few to tell the methods apart (its accuracy is 80.0 %, 95 % interval "
                 "70.0 to 90.0 %), and the 5.0 points more of full fine-tuning may be chance (p = "
                 "0.58) and cost 2100 times the core-seconds (4120 against 2).");
    c.methods[BAG].accuracy = 0.9;
    check_advice(&c,
                 "Stay with the bag of words, the cheapest, until there are more test documents: "
                 "60 are too few to tell the methods apart (its accuracy is 90.0 %, 95 % interval "
                 "70.0 to 90.0 %).");
    set_p(&c, TRANSFER, BAG, 0.04); /* something can be told apart all the same */
    check_advice(&c,
                 "Use the bag of words, as good as the pretrained model on this task: it is the "
                 "cheapest, and no other method is more accurate than its 90.0 % (95 % interval "
                 "70.0 to 90.0 %, 60 test documents); full fine-tuning has 85.0 % for 2100 times "
                 "the core-seconds (4120 against 2); with only 60 test documents the intervals are"
                 " wide.");
}

/* Either few documents or a wide interval is enough. */
static void test_undecided_by_either(void)
{
    struct comparison c = make(0.98, 0.98, 0.98, 0.99);
    set_documents(&c, ADVICE_DOCUMENTS - 1);
    check_starts(&c, "Stay with the bag of words");
    set_documents(&c, ADVICE_DOCUMENTS);
    check_starts(&c, "Use the bag of words");
    c.methods[BAG].interval.accuracy.low = c.methods[BAG].interval.accuracy.high - 0.101;
    check_starts(&c, "Stay with the bag of words");
}

static void test_macro_f1(void)
{
    struct comparison c = make(0.740, 0.735, 0.736, 0.738);
    c.methods[BAG].macro_f1 = 0.48;
    c.methods[BAG].interval.macro_f1 = (struct interval){0.45, 0.51};
    c.methods[FULL].macro_f1 = 0.58;
    c.methods[FULL].interval.macro_f1 = (struct interval){0.53, 0.62};
    check_advice(&c,
                 "Use the bag of words, as good as the pretrained model on this task: it is the "
                 "cheapest, and no other method is more accurate than its 74.0 % (95 % interval "
                 "72.5 to 75.5 %, 2390 test documents); full fine-tuning has 73.8 % for 2100 times"
                 " the core-seconds (4120 against 2); if classes with few documents matter as much"
                 " as the others, prefer training the last layers (macro F1 0.736 against 0.480).");
    struct buffer out = {0};
    for (int m = TRANSFER; m <= FULL; m++) /* the intervals overlap */
        c.methods[m].interval.macro_f1.low = 0.505;
    CHECK_STATUS(advice_put(&out, &c), FT_OK);
    CHECK(out.data && !strstr(out.data, "macro F1"));
    buffer_clear(&out);
}

static void test_missing(void)
{
    struct comparison c = make(0.821, 0.833, 0.870, 0.889);
    c.methods[BAG].done = c.methods[LAST].done = c.methods[FULL].done = false;
    c.cheapest = TRANSFER;
    check_advice(&c,
                 "There is nothing to compare transfer learning with yet (its accuracy is 83.3 %, "
                 "95 % interval 81.8 to 84.8 %); the bag of words, training the last layers and "
                 "full fine-tuning have not run.");
    c.methods[FULL].done = true;
    set_p(&c, TRANSFER, FULL, 0.3);
    check_advice(&c,
                 "Use transfer learning, the choice for a task similar to what the model knows, "
                 "few resources or little data: it is the cheapest, and no other method is "
                 "measurably more accurate than its 83.3 % (95 % interval 81.8 to 84.8 %, 2390 "
                 "test documents); the 5.6 points more of full fine-tuning may be chance (p = "
                 "0.30) and cost 41 times the core-seconds (4120 against 100); if classes with few"
                 " documents matter as much as the others, prefer full fine-tuning (macro F1 0.889"
                 " against 0.833); the bag of words and training the last layers have not run.");
    set_p(&c, TRANSFER, FULL, 0.0003);
    c.methods[TRANSFER].core_s = 0.02;
    check_advice(&c,
                 "Fine-tune the whole model, the choice for a task unlike what the model knows, if"
                 " accuracy is worth its cost: it is 5.6 points more accurate than transfer "
                 "learning (88.9 %, 95 % interval 87.4 to 90.4 %, against 83.3 %; p < 0.001) for "
                 "210000 times the core-seconds (4120 against 0.02); with few resources or little "
                 "data use transfer learning (83.3 %); the bag of words and training the last "
                 "layers have not run.");
    c.methods[FULL].done = c.methods[TRANSFER].done = false;
    check_advice(&c, "No method has finished, so there is nothing to advise.");
}

int main(void)
{
    test_bag();
    test_transfer();
    test_last_layers();
    test_finetune();
    test_undecided();
    test_undecided_by_either();
    test_macro_f1();
    test_missing();
    return check_end();
}
