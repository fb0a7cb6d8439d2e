/*
 * Heads and trailer sections of HTTP/1.1 (RFC 9112 2 to 6). Lines end in CRLF and nothing else, a
 * field line is name ":" OWS value OWS, and a message has one length or is refused.
 */
#include "base/err.h"
#include "wire/chars.h"
#include "wire/h1.h"
#include "wire/uri.h"

#define LENGTH_DIGITS 18 /* of a content-length: fits 63 bits whatever they are */

enum scan_state { LINE_START, IN_LINE, IN_LINE_CR, EMPTY_CR, BEFORE, BEFORE_CR };

/* A field section being read. */
struct lines {
	uint8_t *p, *end;
	struct ss_h1_head *head;
	struct ss_hdrs *h;
	struct ss_span host;
	uint16_t hosts, lengths, codings;
	bool chunked, conn_close, conn_keep, conn_upgrade, has_upgrade;
};

uint16_t ss_h1_why_status(enum ss_h1_why why)
{
	static const uint16_t status[SS_H1_WHY_COUNT] = {
		400,
#define SS_H1_X(name, status, length, text) status,
		SS_H1_WHY_LIST(SS_H1_X)
#undef SS_H1_X
	};
	return why < SS_H1_WHY_COUNT ? status[why] : 400;
}

bool ss_h1_why_smuggling(enum ss_h1_why why)
{
	static const bool smuggling[SS_H1_WHY_COUNT] = {
		false,
#define SS_H1_X(name, status, length, text) length,
		SS_H1_WHY_LIST(SS_H1_X)
#undef SS_H1_X
	};
	return why < SS_H1_WHY_COUNT && smuggling[why];
}

const char *ss_h1_why_text(enum ss_h1_why why)
{
	static const char *const texts[SS_H1_WHY_COUNT] = {
		"",
#define SS_H1_X(name, status, length, text) text,
		SS_H1_WHY_LIST(SS_H1_X)
#undef SS_H1_X
	};
	return why < SS_H1_WHY_COUNT ? texts[why] : "";
}

/* -- where a section ends -- */

void ss_h1_scan_init(struct ss_h1_scan *s, bool head)
{
	*s = (struct ss_h1_scan){ .state = head ? BEFORE : LINE_START };
}

static int scan_refuse(struct ss_h1_scan *s, enum ss_h1_why why)
{
	s->why = (uint8_t)why;
	return SS_ERR_BAD_CONN;
}

/* One byte where a line begins or ends; 1 at the section's end. */
static int scan_byte(struct ss_h1_scan *s, uint8_t c)
{
	switch (s->state) {
	case BEFORE:
	case LINE_START:
		if (c == '\n')
			return scan_refuse(s, SS_H1_WHY_BARE_LF);
		s->state = c != '\r' ? IN_LINE : s->state == BEFORE ? BEFORE_CR : EMPTY_CR;
		return 0;
	case IN_LINE:
		if (c == '\n')
			return scan_refuse(s, SS_H1_WHY_BARE_LF);
		s->state = c == '\r' ? IN_LINE_CR : IN_LINE;
		return 0;
	case IN_LINE_CR:
	case BEFORE_CR:
		if (c != '\n')
			return scan_refuse(s, SS_H1_WHY_BARE_CR);
		s->state = s->state == BEFORE_CR ? BEFORE : LINE_START;
		return 0;
	default: /* EMPTY_CR */
		return c == '\n' ? 1 : scan_refuse(s, SS_H1_WHY_BARE_CR);
	}
}

int ss_h1_scan(struct ss_h1_scan *s, const uint8_t *p, uint32_t n)
{
	uint32_t i = 0;

	while (i < n) {
		if (s->state == IN_LINE) {
			/* Nothing but an LF matters inside a line; a lone CR is for the parser. */
			const uint8_t *lf = memchr(p + i, '\n', n - i);
			uint32_t stop = lf ? (uint32_t)(lf - p) : n;
			if (stop > i + 1) {
				i = stop - 1;
				s->state = p[i] == '\r' ? IN_LINE_CR : IN_LINE;
				i++;
				continue;
			}
		}
		int r = scan_byte(s, p[i++]);
		if (r < 0)
			return r;
		if (r > 0) {
			s->seen += i;
			return (int)i;
		}
	}
	s->seen += n;
	return 0;
}

/* -- field lines -- */

static int refuse(struct ss_h1_head *head, enum ss_h1_why why)
{
	head->why = why;
	return why == SS_H1_WHY_FIELDS ? SS_ERR_LIMIT : SS_ERR_BAD_CONN;
}

/* Below: 1, it was there; 0, its end is still to come; or an error. */

/* The CRLF at l->p, where `found` stands in its place otherwise. */
static int line_end(struct lines *l, enum ss_h1_why found)
{
	if (*l->p == '\n')
		return refuse(l->head, SS_H1_WHY_BARE_LF);
	if (*l->p != '\r')
		return refuse(l->head, found);
	if (l->end - l->p < 2)
		return 0;
	if (l->p[1] != '\n')
		return refuse(l->head, SS_H1_WHY_BARE_CR);
	l->p += 2;
	return 1;
}

/* The start line, without its CRLF, behind what empty lines there are (RFC 9112 2.2). */
static int start_line(struct lines *l, struct ss_span *line)
{
	uint8_t *start, *lf;

	while (l->p < l->end && *l->p == '\r') {
		int r = line_end(l, SS_H1_WHY_BARE_CR);
		if (r <= 0)
			return r;
	}
	start = l->p;
	lf = memchr(start, '\n', (size_t)(l->end - start));
	if (!lf)
		return 0;
	if (lf == start || lf[-1] != '\r')
		return refuse(l->head, SS_H1_WHY_BARE_LF);
	l->p = lf + 1;
	*line = ss_span(start, (uint32_t)(lf - 1 - start));
	return 1;
}

/* RFC 9110 8.6. "+5", "5, 5" and 19 digits are nothing that two recipients read alike. */
static int on_length(struct lines *l, struct ss_span v)
{
	uint64_t n = 0;

	if (l->lengths++)
		return refuse(l->head, SS_H1_WHY_LENGTH_TWICE);
	if (v.n == 0 || v.n > LENGTH_DIGITS || !ss_chars_all(v, SS_CH_DIGIT))
		return refuse(l->head, SS_H1_WHY_LENGTH);
	for (uint32_t i = 0; i < v.n; i++)
		n = n * 10 + (v.p[i] - '0');
	l->head->length = n;
	return 0;
}

/* RFC 9112 6.1: chunked once, alone. Other codings would have to be undone or passed on: refused. */
static int on_coding(struct lines *l, struct ss_span v)
{
	if (l->codings++ || !ss_span_ieq(v, SS_SPAN("chunked")))
		return refuse(l->head, SS_H1_WHY_CODING);
	l->chunked = true;
	return 0;
}

static int on_connection(struct lines *l, struct ss_span v)
{
	const uint8_t *p = v.p, *end = v.p + v.n;

	while (p < end) {
		const uint8_t *comma = memchr(p, ',', (size_t)(end - p));
		struct ss_span option = ss_span_trim(ss_span(p, (uint32_t)((comma ? comma : end) - p)));
		l->conn_close |= ss_span_ieq(option, SS_SPAN("close"));
		l->conn_keep |= ss_span_ieq(option, SS_SPAN("keep-alive"));
		l->conn_upgrade |= ss_span_ieq(option, SS_SPAN("upgrade"));
		p = comma ? comma + 1 : end;
	}
	return 0;
}

/* What the parser itself reads of a field. 1: the field is not put into the block. */
static int on_field(struct lines *l, enum ss_hdr_token tok, struct ss_span v)
{
	int err;

	switch (tok) {
	case SS_H_HOST:
		if (l->h->status)
			return 0;
		l->hosts++;
		l->host = v;
		return 1;
	case SS_H_CONTENT_LENGTH:
		return on_length(l, v);
	case SS_H_TRANSFER_ENCODING:
		err = on_coding(l, v);
		return err < 0 ? err : 1;
	case SS_H_CONNECTION:
		return on_connection(l, v);
	case SS_H_UPGRADE:
		l->has_upgrade = true;
		return 0;
	case SS_H_EXPECT:
		l->head->expect_continue |= ss_span_ieq(v, SS_SPAN("100-continue"));
		return 0;
	default:
		return 0;
	}
}

/* A name, put in lower case, and its colon. */
static int field_name(struct lines *l, struct ss_span *name)
{
	uint8_t *p = l->p, *end = l->end, c;

	for (; p < end && (c = ss_chars_lower[*p]); p++)
		*p = c;
	if (p == end)
		return 0;
	*name = ss_span(l->p, (uint32_t)(p - l->p));
	if (*p == ':' && name->n) {
		l->p = p + 1;
		return 1;
	}
	/* RFC 9112 5.1: white space before the colon must be refused; 5.2: in front of a line it is a fold. */
	if (*p == ' ' || *p == '\t')
		return refuse(l->head, name->n ? SS_H1_WHY_SPACE_COLON : SS_H1_WHY_FOLD);
	return refuse(l->head, *p == '\n' ? SS_H1_WHY_BARE_LF : SS_H1_WHY_NAME);
}

/* A value and the line's end, which is found on the way through its bytes. */
static int field_value(struct lines *l, struct ss_span *value)
{
	uint8_t *start = l->p;

	l->p += ss_chars_value_end(start, l->end) - start;
	if (l->p == l->end)
		return 0;
	*value = ss_span_trim(ss_span(start, (uint32_t)(l->p - start)));
	return line_end(l, SS_H1_WHY_VALUE);
}

static int one_line(struct lines *l, bool trailers)
{
	struct ss_span name, value;
	enum ss_hdr_token tok;
	int r = field_name(l, &name);

	if (r > 0)
		r = field_value(l, &value);
	if (r <= 0)
		return r;
	tok = ss_hdr_token(name);
	if (!trailers) {
		r = on_field(l, tok, value);
		if (r != 0)
			return r < 0 ? r : 1;
	}
	return ss_hdrs_push(l->h, name, value, (uint16_t)tok, 0) < 0 ? refuse(l->head, SS_H1_WHY_FIELDS) : 1;
}

/* Field lines up to and with the empty one. */
static int all_lines(struct lines *l, bool trailers)
{
	while (l->p < l->end) {
		bool last = *l->p == '\r';
		int r = last ? line_end(l, SS_H1_WHY_BARE_CR) : one_line(l, trailers);
		if (last || r <= 0)
			return r;
	}
	return 0;
}

/* RFC 9112 6.1, 6.3: what both directions refuse, before a length is chosen. */
static int one_length_only(struct lines *l)
{
	if (l->codings && l->lengths)
		return refuse(l->head, SS_H1_WHY_LENGTH_AND_CODING);
	if (l->codings && l->head->minor == 0)
		return refuse(l->head, SS_H1_WHY_CODING_OLD);
	return 0;
}

/* RFC 9112 9.3. */
static void persistence(struct lines *l)
{
	struct ss_h1_head *head = l->head;

	head->keep_alive = !l->conn_close && (head->minor == 1 || l->conn_keep);
	head->upgrade = l->conn_upgrade && l->has_upgrade;
}

static void choose_length(struct lines *l)
{
	struct ss_h1_head *head = l->head;

	head->body = l->chunked ? SS_H1_BODY_CHUNKED : head->length ? SS_H1_BODY_LENGTH : SS_H1_BODY_NONE;
}

static struct lines begin(uint8_t *p, uint32_t n, struct ss_h1_head *head, struct ss_hdrs *h)
{
	return (struct lines){ .p = p, .end = p + n, .head = head, .h = h };
}

/* "HTTP/1.x" */
static int version(struct ss_h1_head *head, struct ss_span v)
{
	if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || !ss_ch(v.p[5], SS_CH_DIGIT) || v.p[6] != '.' ||
	    !ss_ch(v.p[7], SS_CH_DIGIT))
		return refuse(head, SS_H1_WHY_VERSION_SYNTAX);
	if (v.p[5] != '1' || v.p[7] > '1')
		return refuse(head, SS_H1_WHY_VERSION);
	head->minor = (uint8_t)(v.p[7] - '0');
	return 0;
}

/* -- requests -- */

/* RFC 9112 3: method SP request-target SP HTTP-version, one space each. */
static int request_line(struct ss_span line, struct ss_h1_head *head, struct ss_hdrs *h, struct ss_uri *u)
{
	const uint8_t *end = line.p + line.n, *sp = memchr(line.p, ' ', line.n), *sp2;

	if (!sp || sp == line.p || !ss_chars_all(ss_span(line.p, (uint32_t)(sp - line.p)), SS_CH_TOKEN))
		return refuse(head, SS_H1_WHY_METHOD);
	h->method = ss_span(line.p, (uint32_t)(sp - line.p));
	sp2 = memchr(sp + 1, ' ', (size_t)(end - sp - 1));
	if (!sp2)
		return refuse(head, SS_H1_WHY_VERSION_SYNTAX);
	if (version(head, ss_span(sp2 + 1, (uint32_t)(end - sp2 - 1))) < 0)
		return SS_ERR_BAD_CONN;
	if (ss_uri_target(ss_span(sp + 1, (uint32_t)(sp2 - sp - 1)), h->method, u) < 0)
		return refuse(head, SS_H1_WHY_TARGET);
	h->path = u->path;
	h->scheme = u->scheme;
	head->absolute = u->form == SS_URI_ABSOLUTE;
	return 0;
}

/* RFC 9112 3.2: one Host, valid; and when the target names an authority, the same one. */
static int settle_host(struct lines *l, const struct ss_uri *u)
{
	struct ss_span name;
	uint16_t port;

	if (l->hosts > 1 || (l->hosts == 0 && l->head->minor == 1))
		return refuse(l->head, SS_H1_WHY_HOST);
	if (l->hosts && ss_uri_authority(l->host, &name, &port) < 0)
		return refuse(l->head, SS_H1_WHY_HOST);
	if (l->hosts && u->authority.n && !ss_span_ieq(l->host, u->authority))
		return refuse(l->head, SS_H1_WHY_HOST_MISMATCH);
	l->h->authority = u->authority.n ? u->authority : l->host;
	return 0;
}

int ss_h1_parse_request(uint8_t *p, uint32_t n, struct ss_h1_head *head, struct ss_hdrs *h)
{
	struct lines l = begin(p, n, head, h);
	struct ss_span line;
	struct ss_uri u;
	int r, err;

	memset(head, 0, sizeof(*head));
	r = start_line(&l, &line);
	if (r <= 0)
		return r;
	err = request_line(line, head, h, &u);
	if (err < 0)
		return err;
	r = all_lines(&l, false);
	if (r <= 0)
		return r;
	err = settle_host(&l, &u);
	if (err == 0)
		err = one_length_only(&l);
	if (err < 0)
		return err;
	persistence(&l);
	choose_length(&l);
	head->expect_continue &= head->minor == 1; /* RFC 9110 10.1.1 */
	return (int)(l.p - p);
}

/* -- responses -- */

/* RFC 9112 4: HTTP-version SP status-code SP [reason]. The last space is often left out; it is not missed. */
static int status_line(struct ss_span line, struct ss_h1_head *head, struct ss_hdrs *h)
{
	const uint8_t *s = line.p + 9;

	if (line.n < 12 || line.p[8] != ' ')
		return refuse(head, SS_H1_WHY_STATUS);
	if (version(head, ss_span(line.p, 8)) < 0)
		return SS_ERR_BAD_CONN;
	if (!ss_chars_all(ss_span(s, 3), SS_CH_DIGIT) || s[0] < '1' || s[0] > '5' ||
	    (line.n > 12 && s[3] != ' '))
		return refuse(head, SS_H1_WHY_STATUS);
	h->status = (uint16_t)((s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0'));
	if (line.n > 13)
		head->reason = ss_span(s + 4, line.n - 13);
	return ss_chars_value(head->reason) ? 0 : refuse(head, SS_H1_WHY_STATUS);
}

/* RFC 9112 6.3, in its order. */
static int response_body(struct lines *l)
{
	struct ss_h1_head *head = l->head;
	uint16_t status = l->h->status;

	if (status == 101 || (head->connect_request && status / 100 == 2)) {
		head->body = SS_H1_BODY_TUNNEL;
		return 0;
	}
	if (status < 200 || status == 204) {
		/* 6.1 forbids the coding here, and RFC 9110 8.6 the length, which nobody may carry on. */
		if (l->codings)
			return refuse(head, SS_H1_WHY_CODING_NONE);
		ss_hdrs_remove(l->h, SS_H_CONTENT_LENGTH);
		head->length = 0;
	}
	choose_length(l);
	if (head->head_request || status < 200 || status == 204 || status == 304)
		head->body = SS_H1_BODY_NONE;
	else if (!l->codings && !l->lengths)
		head->body = SS_H1_BODY_CLOSE;
	return 0;
}

int ss_h1_parse_response(uint8_t *p, uint32_t n, struct ss_h1_head *head, struct ss_hdrs *h)
{
	struct lines l = begin(p, n, head, h);
	struct ss_span line;
	int r, err;

	*head = (struct ss_h1_head){.head_request = head->head_request,
				    .connect_request = head->connect_request};
	r = start_line(&l, &line);
	if (r <= 0)
		return r;
	err = status_line(line, head, h);
	if (err < 0)
		return err;
	r = all_lines(&l, false);
	if (r <= 0)
		return r;
	err = one_length_only(&l);
	if (err == 0)
		err = response_body(&l);
	if (err < 0)
		return err;
	persistence(&l);
	head->keep_alive &= head->body != SS_H1_BODY_CLOSE;
	return (int)(l.p - p);
}

/* -- trailers -- */

int ss_h1_parse_trailers(uint8_t *p, uint32_t n, struct ss_h1_head *head, struct ss_hdrs *h)
{
	static const enum ss_hdr_token never[] = {
		SS_H_TRANSFER_ENCODING, SS_H_CONTENT_LENGTH, SS_H_HOST,      SS_H_CONNECTION,
		SS_H_UPGRADE,           SS_H_TRAILER,        SS_H_TE,        SS_H_EXPECT,
		SS_H_AUTHORIZATION,     SS_H_COOKIE,         SS_H_SET_COOKIE};
	struct lines l = begin(p, n, head, h);
	int r;

	memset(head, 0, sizeof(*head));
	r = all_lines(&l, true);
	if (r <= 0)
		return r;
	for (size_t i = 0; i < SS_ARRAY_LEN(never); i++)
		if (ss_hdrs_find(h, never[i]))
			return refuse(head, SS_H1_WHY_TRAILER);
	return (int)(l.p - p);
}
