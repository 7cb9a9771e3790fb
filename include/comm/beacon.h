/**
 * Datagrams between the watchdogs of the ranks, by IPv4. Local functions; none of them waits.
 *
 * A datagram may get lost: what matters is sent again. One that does not carry the job's token is
 * no message of ours.
 */
#ifndef FT_COMM_BEACON_H
#define FT_COMM_BEACON_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "comm/verdict.h"

enum { BEACON_ADDRESSES = 8, BEACON_HOST_BYTES = 64 };

/** Where a rank is reached. */
struct beacon_card {
    char host[BEACON_HOST_BYTES];
    int n;                               /**< addresses; 0: not at all */
    in_port_t port;                      /**< in network byte order */
    struct in_addr at[BEACON_ADDRESSES]; /**< of its host, the loopback's not among them */
};

enum beacon_kind { BEACON_REPORT, BEACON_ANSWER, BEACON_END };

struct beacon_message {
    uint64_t token;
    enum beacon_kind kind;
    int rank; /**< of the sender */
    struct rank_report report;
};

/**
 * Opens a socket on a free port.
 *
 * @param[out]    fd   the socket (close); -1 on failure
 * @param[in,out] card host is given; the rest is filled
 * @return FT_OK; FT_ERR_IO
 */
ft_status beacon_open(int *fd, struct beacon_card *card);

/** Address number i of those under which from reaches to; counts around. */
struct sockaddr_in beacon_address(const struct beacon_card *from, const struct beacon_card *to,
                                  int i);

/** How many addresses beacon_address knows. */
int beacon_n_addresses(const struct beacon_card *from, const struct beacon_card *to);

void beacon_send(int fd, const struct sockaddr_in *to, const struct beacon_message *message);

/** The next message with that token; false where there is none. */
bool beacon_receive(int fd, uint64_t token, struct beacon_message *message,
                    struct sockaddr_in *from);

#endif
