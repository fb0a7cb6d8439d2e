/*
 * wolf_peer.c - a client and an origin of wolfSSL, for the suite of peers: Debian has the library without programs.
 *
 * usage: wolf-peer client ADDRESS PORT 1.2|1.3 CA CERTIFICATE KEY NAME   gets /direct, prints the answer
 *        wolf-peer server ADDRESS PORT 1.2|1.3 CA CERTIFICATE KEY        answers one connection after the other
 * Both show their certificate and verify the other side's; the client its name as well.
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what, WOLFSSL *ssl, int r)
{
	char text[WOLFSSL_MAX_ERROR_SZ] = "";

	if (ssl)
		wolfSSL_ERR_error_string((unsigned long)wolfSSL_get_error(ssl, r), text);
	fprintf(stderr, "wolf-peer: %s: %s\n", what, text);
}

static void die(const char *what)
{
	fail(what, NULL, 0);
	exit(1);
}

static WOLFSSL_CTX *make_ctx(int server, int tls13, char **files)
{
	WOLFSSL_METHOD *method = server ? (tls13 ? wolfTLSv1_3_server_method() : wolfTLSv1_2_server_method())
					: (tls13 ? wolfTLSv1_3_client_method() : wolfTLSv1_2_client_method());
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method);

	if (!ctx || wolfSSL_CTX_load_verify_locations(ctx, files[0], NULL) != WOLFSSL_SUCCESS)
		die(files[0]);
	if (wolfSSL_CTX_use_certificate_chain_file(ctx, files[1]) != WOLFSSL_SUCCESS)
		die(files[1]);
	if (wolfSSL_CTX_use_PrivateKey_file(ctx, files[2], WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS)
		die(files[2]);
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return ctx;
}

static struct sockaddr_in address_of(const char *address, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, address, &a.sin_addr) != 1)
		die(address);
	return a;
}

/* Reads until the other side closes; what came goes to standard output. */
static int get(WOLFSSL *ssl, const char *name)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "GET /direct HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", name);
	int r = wolfSSL_connect(ssl);

	if (r != WOLFSSL_SUCCESS || wolfSSL_write(ssl, text, n) != n) {
		fail("connect", ssl, r);
		return 1;
	}
	while ((n = wolfSSL_read(ssl, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)n, stdout);
	printf("\n%s %s\n", wolfSSL_get_version(ssl), wolfSSL_get_cipher(ssl));
	return 0;
}

/* One request after the other until the client goes. */
static void serve(WOLFSSL *ssl)
{
	char in[4096], out[256];
	size_t have = 0;
	int r = wolfSSL_accept(ssl), n;

	if (r != WOLFSSL_SUCCESS) {
		fail("accept", ssl, r);
		return;
	}
	while (have < sizeof(in) - 1 && (n = wolfSSL_read(ssl, in + have, (int)(sizeof(in) - 1 - have))) > 0) {
		have += (size_t)n;
		in[have] = 0;
		if (!strstr(in, "\r\n\r\n"))
			continue;
		n = snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nwolfSSL\n");
		if (wolfSSL_write(ssl, out, n) != n)
			return;
		have = 0;
	}
}

static int be_server(WOLFSSL_CTX *ctx, const struct sockaddr_in *at)
{
	int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (const struct sockaddr *)at, sizeof(*at)) || listen(s, 16))
		die("listen");
	for (int c; (c = accept(s, NULL, NULL)) >= 0; close(c)) {
		WOLFSSL *ssl = wolfSSL_new(ctx);

		wolfSSL_set_fd(ssl, c);
		serve(ssl);
		wolfSSL_free(ssl);
	}
	return 1;
}

static int be_client(WOLFSSL_CTX *ctx, const struct sockaddr_in *at, const char *name)
{
	WOLFSSL *ssl = wolfSSL_new(ctx);
	int s = socket(AF_INET, SOCK_STREAM, 0), r;

	if (connect(s, (const struct sockaddr *)at, sizeof(*at)))
		die("connect");
	wolfSSL_set_fd(ssl, s);
	if (wolfSSL_check_domain_name(ssl, name) != WOLFSSL_SUCCESS ||
	    wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, name, (unsigned short)strlen(name)) != WOLFSSL_SUCCESS)
		die(name);
	r = get(ssl, name);
	wolfSSL_free(ssl);
	close(s);
	return r;
}

int main(int argc, char **argv)
{
	int server = argc > 1 && !strcmp(argv[1], "server");

	if (argc != (server ? 8 : 9)) {
		fprintf(stderr, "usage: wolf-peer client|server ADDRESS PORT 1.2|1.3 CA CERTIFICATE KEY [NAME]\n");
		return 2;
	}
	wolfSSL_Init();
	struct sockaddr_in at = address_of(argv[2], argv[3]);
	WOLFSSL_CTX *ctx = make_ctx(server, !strcmp(argv[4], "1.3"), argv + 5);

	int status = server ? be_server(ctx, &at) : be_client(ctx, &at, argv[8]);

	wolfSSL_CTX_free(ctx);
	wolfSSL_Cleanup();
	return status;
}
