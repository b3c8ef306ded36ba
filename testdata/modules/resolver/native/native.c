#include "native.h"
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int lookup(const char *host, char *address) {
	struct addrinfo hints, *found;
	memset(&hints, 0, sizeof hints);
	hints.ai_family = AF_INET;
	int code = getaddrinfo(host, NULL, &hints, &found);
	if (code != 0)
		return code;
	inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, address, addressSize);
	freeaddrinfo(found);
	return 0;
}

const char *user(void) {
	struct passwd *p = getpwuid(getuid());
	return p ? p->pw_name : "nobody knows";
}

const char *compiled(void) { return __DATE__; }
