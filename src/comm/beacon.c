#include "comm/beacon.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* IPv4 addresses of this host; with no network at all the loopback's remains (beacon_address). */
static void list_addresses(struct beacon_card *card)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *a = all; a && card->n < BEACON_ADDRESSES; a = a->ifa_next) {
        struct sockaddr_in address;
        if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET || !(a->ifa_flags & IFF_UP) ||
            (a->ifa_flags & IFF_LOOPBACK))
            continue;
        memcpy(&address, a->ifa_addr, sizeof address);
        card->at[card->n++] = address.sin_addr;
    }
    freeifaddrs(all);
}

ft_status beacon_open(int *fd, struct beacon_card *card)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t length = sizeof own;
    card->n = 0;
    card->port = 0;
    *fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd >= 0 && bind(*fd, (struct sockaddr *)&own, sizeof own) == 0 &&
        getsockname(*fd, (struct sockaddr *)&own, &length) == 0) {
        card->port = own.sin_port;
        list_addresses(card);
        return FT_OK;
    }
    const int reason = errno;
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    return ft_fail(FT_ERR_IO, "no UDP socket: %s", strerror(reason));
}

static int is_same_host(const struct beacon_card *a, const struct beacon_card *b)
{
    return strcmp(a->host, b->host) == 0;
}

int beacon_n_addresses(const struct beacon_card *from, const struct beacon_card *to)
{
    return to->port ? to->n + is_same_host(from, to) : 0;
}

struct sockaddr_in beacon_address(const struct beacon_card *from, const struct beacon_card *to,
                                  int i)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = to->port};
    const int n = beacon_n_addresses(from, to), at = n > 0 ? i % n : 0;
    const int n_near = is_same_host(from, to); /* the loopback comes first */
    if (at < n_near || n == 0)
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        address.sin_addr = to->at[at - n_near];
    return address;
}

void beacon_send(int fd, const struct sockaddr_in *to, const struct beacon_message *message)
{
    (void)sendto(fd, message, sizeof *message, MSG_DONTWAIT | MSG_NOSIGNAL,
                 (const struct sockaddr *)to, sizeof *to);
}

bool beacon_receive(int fd, uint64_t token, struct beacon_message *message,
                    struct sockaddr_in *from)
{
    for (;;) {
        socklen_t length = sizeof *from;
        const ssize_t n = recvfrom(fd, message, sizeof *message, MSG_DONTWAIT | MSG_TRUNC,
                                   (struct sockaddr *)from, &length);
        if (n < 0 && errno != EINTR && errno != ECONNREFUSED)
            return false;
        if (n != (ssize_t)sizeof *message || message->token != token)
            continue;
        message->report.phase[VERDICT_PHASE_BYTES - 1] = '\0';
        return true;
    }
}
