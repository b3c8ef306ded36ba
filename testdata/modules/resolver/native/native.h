#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>

enum { addressSize = INET_ADDRSTRLEN };

int lookup(const char *host, char *address);
const char *user(void);
const char *compiled(void);
