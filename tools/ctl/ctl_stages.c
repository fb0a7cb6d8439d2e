#include "tools/ctl/ctl_stages.h"

#include <string.h>

#define MAX_STAGES 32

/* What turns were spent on: of all busy turns, or of the sampled ones. */
struct work {
	double turns, busy_ns, requests, received, sent;
};

/* One worker's interval, or all workers'. */
struct block {
	struct work all, sampled;
	double idle_ns, marks_ns;
	double sampled_sum, all_sum; /* over the stages */
	int n;
	struct {
		const char *name;
		double sampled_ns, all_ns;
	} stage[MAX_STAGES];
};

struct interval {
	double seconds;
	const char *sampling;
	struct block total;
};

static double per(double ns, double of)
{
	return of > 0 ? ns / of : 0;
}

/* -- reading -- */

static double since(const struct ctl_json *before, const struct ctl_json *after, const char *key)
{
	return ctl_json_number(after, key) - ctl_json_number(before, key);
}

static struct work read_work(const struct ctl_json *before, const struct ctl_json *after)
{
	return (struct work){ .turns = since(before, after, "turns"),
			      .busy_ns = since(before, after, "busy_ns"),
			      .requests = since(before, after, "requests"),
			      .received = since(before, after, "packets_received"),
			      .sent = since(before, after, "packets_sent") };
}

static const struct ctl_json *first_of(const struct ctl_json *v, const char *list)
{
	const struct ctl_json *l = ctl_json_get(v, list);
	return l ? l->child : NULL;
}

/* Both answers list the same stages and workers in the same order: they come from one process. */
static const struct ctl_json *next_of(const struct ctl_json *v)
{
	return v ? v->next : NULL;
}

static void read_block(const struct ctl_json *before, const struct ctl_json *after, struct block *b)
{
	const struct ctl_json *was = ctl_json_get(before, "sampled"), *is = ctl_json_get(after, "sampled");
	*b = (struct block){ .all = read_work(before, after), .sampled = read_work(was, is) };
	b->idle_ns = since(before, after, "idle_ns");
	b->marks_ns = since(was, is, "marks_ns");
	was = first_of(before, "stages");
	for (is = first_of(after, "stages"); is && b->n < MAX_STAGES; is = is->next, was = next_of(was)) {
		b->stage[b->n].name = ctl_json_text(is, "stage");
		b->stage[b->n].sampled_ns = since(was, is, "sampled_ns");
		b->stage[b->n].all_ns = since(was, is, "all_ns");
		b->sampled_sum += b->stage[b->n].sampled_ns;
		b->all_sum += b->stage[b->n++].all_ns;
	}
}

static void add_work(struct work *to, const struct work *w)
{
	to->turns += w->turns;
	to->busy_ns += w->busy_ns;
	to->requests += w->requests;
	to->received += w->received;
	to->sent += w->sent;
}

static void add_block(struct block *to, const struct block *b)
{
	add_work(&to->all, &b->all);
	add_work(&to->sampled, &b->sampled);
	to->idle_ns += b->idle_ns;
	to->marks_ns += b->marks_ns;
	to->sampled_sum += b->sampled_sum;
	to->all_sum += b->all_sum;
	for (to->n = 0; to->n < b->n; to->n++) {
		to->stage[to->n].name = b->stage[to->n].name;
		to->stage[to->n].sampled_ns += b->stage[to->n].sampled_ns;
		to->stage[to->n].all_ns += b->stage[to->n].all_ns;
	}
}

/* Calls each with every worker's block, then knows the whole. */
static void read_interval(const struct ctl_json *before, const struct ctl_json *after, struct interval *v,
			  void (*each)(const char *worker, const struct block *b, FILE *out), FILE *out)
{
	const struct ctl_json *was = first_of(before, "workers"), *is = first_of(after, "workers");
	double longest = 0;
	struct block b;
	*v = (struct interval){ .sampling = ctl_json_text(after, "sampling") };
	for (; is; is = is->next, was = next_of(was)) {
		read_block(was, is, &b);
		add_block(&v->total, &b);
		if (b.all.busy_ns + b.idle_ns > longest)
			longest = b.all.busy_ns + b.idle_ns;
		if (each)
			each(ctl_json_text(is, "worker"), &b, out);
	}
	v->seconds = (before ? since(before, after, "time_ns") : longest) / 1e9;
}

/* -- what it comes to -- */

/*
 * Of one stage: its share of the sampled turns, times what all turns took. Busy time and requests are
 * known exactly, so only the share is an estimate: far closer than dividing what sampled turns alone had,
 * for a request arrives in one turn and costs in several.
 */
static double share(const struct block *b, int i)
{
	return per(b->stage[i].sampled_ns, b->sampled_sum);
}

static double per_request(const struct block *b, double part)
{
	return per(part * b->all.busy_ns, b->all.requests);
}

static double per_packet(const struct block *b, double part)
{
	return per(part * b->all.busy_ns, b->all.received);
}

/* The stages and the marks over the time of the turns that they were taken in: 1 but for rounding. */
static double sum_of_sampled(const struct block *b)
{
	return per(b->sampled_sum + b->marks_ns, b->sampled.busy_ns);
}

/* What has been shared out among the stages, over what was spent: 1 but for the newest turns. */
static double sum_of_busy(const struct block *b)
{
	return per(b->all_sum, b->all.busy_ns);
}

/* The marks of sampled turns; what looking for a sampled turn costs in the others is in docs/stages.md. */
static double marks_of_busy(const struct block *b)
{
	return per(b->marks_ns, b->all.busy_ns);
}

/* -- for people -- */

static void table_block(const struct block *b, FILE *out)
{
	if (b->sampled.turns <= 0) {
		fprintf(out, "no turn was sampled\n");
		return;
	}
	fprintf(out, "%-10s  %6s  %10s  %9s\n", "STAGE", "SHARE%", "NS/REQUEST", "NS/PACKET");
	for (int i = 0; i < b->n; i++)
		fprintf(out, "%-10s  %6.1f  %10.1f  %9.1f\n", b->stage[i].name,
			100 * share(b, i), per_request(b, share(b, i)), per_packet(b, share(b, i)));
	fprintf(out, "%-10s  %6.1f  %10.1f  %9.1f\n", "busy", 100.0, per_request(b, 1), per_packet(b, 1));
	fprintf(out, "a busy turn: %.2f packets in, %.2f out, %.2f requests\n", per(b->all.received, b->all.turns),
		per(b->all.sent, b->all.turns), per(b->all.requests, b->all.turns));
	fprintf(out,
		"%.0f of %.0f busy turns sampled: stages and marks sum to %.1f %% of them; %.1f %% of busy time shared out; "
		"marks took %.2f %%\n",
		b->sampled.turns, b->all.turns, 100 * sum_of_sampled(b), 100 * sum_of_busy(b),
		100 * marks_of_busy(b));
}

static void table_worker(const char *worker, const struct block *b, FILE *out)
{
	fprintf(out, "worker %s, busy %.1f %%\n", worker, 100 * per(b->all.busy_ns, b->all.busy_ns + b->idle_ns));
	table_block(b, out);
	fprintf(out, "\n");
}

void ctl_stages_table(const struct ctl_json *before, const struct ctl_json *after, FILE *out)
{
	const struct ctl_json *workers = first_of(after, "workers");
	struct interval v;
	read_interval(before, after, &v, table_worker, out);
	if (workers && workers->next) {
		fprintf(out, "all workers\n");
		table_block(&v.total, out);
		fprintf(out, "\n");
	}
	if (!strcmp(v.sampling, "0"))
		fprintf(out, "workers.stage_sampling is 0: no turn is sampled\n");
	else
		fprintf(out, "over %.1f s, one of %s busy turns; packets are those received\n", v.seconds, v.sampling);
}

/* -- for programs -- */

static void json_work(const struct work *w, FILE *out)
{
	fprintf(out,
		"\"turns\":%.0f,\"busy_ns\":%.0f,\"requests\":%.0f,\"packets_received\":%.0f,\"packets_sent\":%.0f",
		w->turns, w->busy_ns, w->requests, w->received, w->sent);
}

static void json_block(const struct block *b, FILE *out)
{
	json_work(&b->all, out);
	fprintf(out, ",\"idle_ns\":%.0f,\"sampled\":{", b->idle_ns);
	json_work(&b->sampled, out);
	fprintf(out, ",\"marks_ns\":%.0f},\"sum_of_sampled\":%.4f,\"sum_of_busy\":%.4f,\"marks_of_busy\":%.5f",
		b->marks_ns, sum_of_sampled(b), sum_of_busy(b), marks_of_busy(b));
	fprintf(out, ",\"busy_ns_per_request\":%.1f,\"busy_ns_per_packet\":%.1f,\"stages\":[",
		per_request(b, 1), per_packet(b, 1));
	for (int i = 0; i < b->n; i++)
		fprintf(out,
			"%s{\"stage\":\"%s\",\"share\":%.5f,\"ns_per_request\":%.1f,\"ns_per_packet\":%.1f,"
			"\"sampled_ns\":%.0f,\"all_ns\":%.0f}",
			i ? "," : "", b->stage[i].name, share(b, i), per_request(b, share(b, i)),
			per_packet(b, share(b, i)), b->stage[i].sampled_ns, b->stage[i].all_ns);
	fprintf(out, "]");
}

static void json_worker(const char *worker, const struct block *b, FILE *out)
{
	fprintf(out, "%s{\"worker\":%s,", strcmp(worker, "0") ? "," : "", worker);
	json_block(b, out);
	fprintf(out, "}");
}

void ctl_stages_json(const struct ctl_json *before, const struct ctl_json *after, FILE *out)
{
	struct interval v;
	fprintf(out, "{\"workers\":[");
	read_interval(before, after, &v, json_worker, out);
	fprintf(out, "],\"all\":{");
	json_block(&v.total, out);
	fprintf(out, "},\"seconds\":%.3f,\"sampling\":%s}\n", v.seconds, v.sampling);
}
