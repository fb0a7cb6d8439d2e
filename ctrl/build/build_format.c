/* build_format.c - a header's value: text, or pieces of it with variables between them (contract/format.h). */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_routes.h"
#include "contract/format.h"

static struct ss_span copy(struct ss_build_job *j, struct ss_span s, bool lower, int *err)
{
	uint8_t *p = s.n ? ss_build_array(j, s.n, 1) : NULL;

	if (!s.n || !p) {
		*err = s.n ? SS_ERR_NO_MEM : *err;
		return SS_SPAN_NONE;
	}
	for (uint32_t i = 0; i < s.n; i++)
		p[i] = lower ? ss_lower(s.p[i]) : s.p[i];
	return ss_span(p, s.n);
}

static struct ss_format_piece compiled(struct ss_build_job *j, struct ss_format_piece p, int *err)
{
	if (p.kind == SS_FORMAT_NODE)
		return (struct ss_format_piece){.kind = SS_FORMAT_TEXT,
						.text = ss_build_text(j, j->model->process.node)};
	p.text = copy(j, p.text, p.kind == SS_FORMAT_REQ, err);
	p.other = copy(j, p.other, true, err);
	return p;
}

/* Is there nothing to find out for each request? Then the value is text; *n pieces in any case. */
static bool is_plain(const char *text, uint32_t *n)
{
	struct ss_format_piece p;
	bool plain = true;

	for (*n = 0; ss_format_next(&text, &p) == 1; ++*n)
		plain &= p.kind == SS_FORMAT_TEXT || p.kind == SS_FORMAT_NODE;
	return plain;
}

static int join(struct ss_build_job *j, const struct ss_format *f, struct ss_span *out)
{
	uint32_t n = 0;
	struct ss_out o;
	uint8_t *p;

	for (uint16_t i = 0; i < f->n; i++)
		n += f->v[i].text.n;
	p = ss_build_array(j, n, 1);
	if (!p)
		return SS_ERR_NO_MEM;
	o = ss_out(p, n);
	for (uint16_t i = 0; i < f->n; i++)
		ss_out_span(&o, f->v[i].text);
	*out = ss_span(p, n);
	return 0;
}

int ss_build_value(struct ss_build_job *j, const char *text, struct ss_header_op *op)
{
	struct ss_format_piece *v, p;
	struct ss_format *f;
	uint32_t n, i = 0;
	bool plain;
	int err = 0;

	op->value = ss_build_text(j, text);
	if (!text || !strchr(text, '%'))
		return 0;
	plain = is_plain(text, &n);
	v = ss_build_array(j, n, sizeof(*v));
	f = ss_build_alloc(j, sizeof(*f));
	if (!v || !f)
		return SS_ERR_NO_MEM;
	while (i < n && ss_format_next(&text, &p) == 1)
		v[i++] = compiled(j, p, &err);
	*f = (struct ss_format){.n = (uint16_t)n, .v = v};
	if (plain)
		return err ? err : join(j, f, &op->value);
	op->format = f;
	return err;
}
