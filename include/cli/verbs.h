/**
 * The verbs of the command line. Each is collective: every rank of comm calls it with the same
 * arguments and gets the same status back, which is the exit code of the program.
 *
 * argv (argc) holds what stands behind the verb; for training, which has no verb, RUN.cfg and the
 * rest.
 */
#ifndef FT_CLI_VERBS_H
#define FT_CLI_VERBS_H

#include "comm/comm.h"

ft_status verb_train(struct comm *comm, int argc, char **argv);
ft_status verb_check(struct comm *comm, int argc, char **argv);
ft_status verb_prepare(struct comm *comm, int argc, char **argv);
ft_status verb_compare(struct comm *comm, int argc, char **argv);
ft_status verb_evaluate(struct comm *comm, int argc, char **argv);
ft_status verb_predict(struct comm *comm, int argc, char **argv);
ft_status verb_export(struct comm *comm, int argc, char **argv);
ft_status verb_inspect(struct comm *comm, int argc, char **argv);

#endif
