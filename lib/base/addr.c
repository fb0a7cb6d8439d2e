#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/err.h"

int ss_ip_parse(const char *text, struct ss_ip *out)
{
	struct ss_ip ip = { 0 };
	if (inet_pton(AF_INET, text, ip.b) == 1)
		ip.family = 4;
	else if (inet_pton(AF_INET6, text, ip.b) == 1)
		ip.family = 6;
	else
		return SS_ERR_CONFIG;
	*out = ip;
	return 0;
}

/* Workers write it into every request that they forward: inet_ntop formats through stdio. */
static char *octet(char *p, uint8_t v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static void ip4_text(const uint8_t *b, char *p)
{
	for (int i = 0; i < 4; i++) {
		p = octet(p, b[i]);
		*p++ = '.';
	}
	p[-1] = 0;
}

char *ss_ip_text(const struct ss_ip *ip, char *buf)
{
	if (ip->family == 4)
		ip4_text(ip->b, buf);
	else if (ip->family == 0 || !inet_ntop(AF_INET6, ip->b, buf, SS_IP_TEXT))
		memcpy(buf, "-", 2);
	return buf;
}

char *ss_addr_text(const struct ss_addr *a, char *buf)
{
	char ip[SS_IP_TEXT];
	const char *form = a->ip.family == 6 ? "[%s]:%u" : "%s:%u";
	snprintf(buf, SS_ADDR_TEXT, form, ss_ip_text(&a->ip, ip), a->port);
	return buf;
}
