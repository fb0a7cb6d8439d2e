/* discovery.c - the door: sources, what is lent of them, rounds. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "discovery/disco_int.h"
#include "loop/log.h"

/* A round takes at most this share of the control thread's time. */
#define SHARE 5

/* -- rounds -- */

static void on_timer(void *arg);

static void arm(struct ss_disco *d, uint64_t at)
{
	uint64_t now = ss_clock_ns(d->conf.clock);

	at = ss_max_u64(at, d->next_round);
	if (d->timer && d->timer_at <= at)
		return;
	ss_loop_end(d->timer);
	d->timer = ss_loop_every(d->conf.loop, ss_max_u64(at > now ? at - now : 0, 100 * SS_NS_PER_US), on_timer, d);
	d->timer_at = at;
}

void disco_want(struct disco_source *s, uint64_t at)
{
	s->due = ss_min_u64(s->due, at);
	if (s->followed)
		arm(s->d, s->due);
}

static bool offers(const struct ss_disco *d)
{
	for (const struct disco_source *s = d->sources; s; s = s->next)
		if (s->fresh)
			return true;
	return false;
}

/* Looks at what is due, and has all that came of it taken. */
static void round_of(struct ss_disco *d)
{
	uint64_t began = ss_clock_ns(d->conf.clock), ended, next = SS_NEVER;

	for (struct disco_source *s = d->sources; s; s = s->next)
		if (s->followed && s->due <= began && s->cluster->discovery.kind == SS_DISCOVERY_DNS)
			disco_dns_look(s, began);
		else if (s->followed && s->due <= began)
			disco_file_look(s, false, began);
	if (offers(d))
		d->conf.changed(d->conf.arg);
	ended = ss_clock_ns(d->conf.clock);
	d->next_round = ended + ss_max_u64(SS_DISCO_PACE_NS, (SHARE - 1) * (ended - began));
	for (struct disco_source *s = d->sources; s; s = s->next)
		next = s->followed ? ss_min_u64(next, s->due) : next;
	if (next != SS_NEVER)
		arm(d, next);
}

static void on_timer(void *arg)
{
	struct ss_disco *d = arg;

	ss_loop_end(d->timer);
	d->timer = NULL;
	round_of(d);
}

/* Some file may have changed. */
static void on_files(void *arg)
{
	struct ss_disco *d = arg;
	uint64_t now = ss_clock_ns(d->conf.clock);

	for (struct disco_source *s = d->sources; s; s = s->next)
		if (s->followed && s->cluster->discovery.kind == SS_DISCOVERY_FILE && disco_file_changed(s))
			disco_want(s, now);
}

/* -- answers -- */

static uint32_t endpoints_of(const struct ss_model *answer)
{
	return answer ? answer->clusters[0].n_endpoints : 0;
}

static void set_text(char **to, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	free(*to);
	*to = copy;
}

static void drop(struct ss_model **m)
{
	if (*m)
		ss_model_free(*m);
	*m = NULL;
}

void disco_failed(struct disco_source *s, const char *why, uint64_t now)
{
	bool news = !s->failing || strcmp(s->failing, why) != 0;

	s->failures++;
	if (!s->failing)
		s->failing_since_ns = now;
	if (!news)
		return;
	set_text(&s->failing, why);
	if (!s->d->conf.changed)
		return;
	ss_log(SS_LOG_ERROR, s->good ? "discovery failed: the last endpoints stay" : "discovery failed: there are no endpoints",
	       "cluster", s->cluster->name, "endpoints", ss_log_u64(endpoints_of(s->good)), "reason", why, NULL);
}

static void well(struct disco_source *s)
{
	if (s->failing)
		ss_log(SS_LOG_INFO, "discovery works again", "cluster", s->cluster->name, NULL);
	set_text(&s->failing, NULL);
}

void disco_answer(struct disco_source *s, struct ss_model *answer, uint64_t now)
{
	char why[128];

	if (endpoints_of(answer) > s->d->conf.max_endpoints) {
		snprintf(why, sizeof(why), "%u endpoints are more than memory.endpoints allows (%u)", endpoints_of(answer),
			 s->d->conf.max_endpoints);
		ss_model_free(answer);
		disco_failed(s, why, now);
		return;
	}
	s->answered_ns = now;
	drop(&s->fresh);
	if (s->good && strcmp(s->good->hash, answer->hash) == 0) {
		ss_model_free(answer);
		well(s);
	} else if (s->followed) {
		s->fresh = answer;
		arm(s->d, now);
	} else {
		drop(&s->good);
		s->good = answer;
		s->updates++;
	}
}

bool ss_disco_offer(struct ss_disco *d, const struct ss_model *m, struct ss_disco_offer *out)
{
	for (struct disco_source *s = d->sources; s; s = s->next) {
		if (!s->fresh)
			continue;
		struct ss_model_cluster *k = s->fresh->clusters;
		*out = (struct ss_disco_offer){.at = ss_model_cluster(m, s->cluster->name),
					       .n = k->n_endpoints,
					       .endpoints = k->endpoints,
					       .source = s};
		if (out->at != SS_MODEL_NONE)
			return true;
		drop(&s->fresh);
	}
	return false;
}

void ss_disco_settle(struct ss_disco *d, const struct ss_disco_offer *o, const char *refused)
{
	struct disco_source *s = o->source;

	if (refused) {
		drop(&s->fresh);
		disco_failed(s, refused, ss_clock_ns(d->conf.clock));
		return;
	}
	drop(&s->good);
	s->good = s->fresh;
	s->fresh = NULL;
	s->updates++;
	well(s);
}

/* -- sources -- */

static void source_free(struct disco_source *s)
{
	drop(&s->good);
	drop(&s->fresh);
	disco_dns_free(s->dns);
	ss_model_free(s->own);
	free(s->failing);
	free(s);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_of(const struct disco_source *s, const struct ss_model_cluster *k)
{
	const struct ss_model_discovery *a = &s->cluster->discovery, *b = &k->discovery;

	bool same = strcmp(s->cluster->name, k->name) == 0 && a->kind == b->kind && same_text(a->path, b->path) &&
		    same_text(a->name, b->name) &&
		    a->record == b->record && a->port == b->port && a->n_resolvers == b->n_resolvers &&
		    a->respect_ttl == b->respect_ttl && a->refresh_ns == b->refresh_ns &&
		    a->min_refresh_ns == b->min_refresh_ns && a->failure_refresh_ns == b->failure_refresh_ns;

	for (uint32_t i = 0; same && i < a->n_resolvers; i++)
		same = same_text(a->resolvers[i], b->resolvers[i]);
	return same;
}

struct disco_source *disco_find(const struct ss_disco *d, const struct ss_model_cluster *k)
{
	struct disco_source *s = d->sources;

	while (s && !is_of(s, k))
		s = s->next;
	return s;
}

/* The one that the cluster had so far. */
static struct disco_source *elder(struct ss_disco *d, const struct disco_source *of)
{
	struct disco_source *s = d->sources;

	while (s && (s == of || !s->followed || strcmp(s->cluster->name, of->cluster->name) != 0))
		s = s->next;
	return s;
}

/* False: no memory. */
static bool copy_of(struct ss_model *own, struct ss_model_cluster *to, const struct ss_model_cluster *k)
{
	struct ss_model_discovery *d = &to->discovery;
	bool good;

	to->name = ss_model_text(own, k->name);
	*d = k->discovery;
	d->path = ss_model_text(own, d->path);
	d->name = ss_model_text(own, d->name);
	d->resolvers = ss_model_alloc(own, (d->n_resolvers + 1) * sizeof(*d->resolvers));
	good = to->name && d->resolvers && (d->path || !k->discovery.path) && (d->name || !k->discovery.name);
	for (uint32_t i = 0; good && i < d->n_resolvers; i++)
		good = (d->resolvers[i] = ss_model_text(own, k->discovery.resolvers[i])) != NULL;
	return good;
}

static struct disco_source *source_new(struct ss_disco *d, const struct ss_model_cluster *k)
{
	struct disco_source *s = calloc(1, sizeof(*s));
	struct ss_model *own = s ? ss_model_new() : NULL;
	struct ss_model_cluster *copy = own ? ss_model_alloc(own, sizeof(*copy)) : NULL;

	if (!copy || !copy_of(own, copy, k)) {
		if (own)
			ss_model_free(own);
		free(s);
		return NULL;
	}
	s->d = d;
	s->own = own;
	s->cluster = copy;
	s->due = SS_NEVER;
	s->next = d->sources;
	d->sources = s;
	return s;
}

/* Frees those that are not, or not any more, wanted. */
static void sweep(struct ss_disco *d, bool (*stays)(const struct disco_source *))
{
	struct disco_source **at = &d->sources;

	while (*at) {
		struct disco_source *s = *at;
		if (stays(s)) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		source_free(s);
	}
}

static bool is_followed(const struct disco_source *s)
{
	return s->followed;
}

static bool is_wanted(const struct disco_source *s)
{
	return s->wanted;
}

/* -- models -- */

int ss_disco_lend(struct ss_disco *d, struct ss_model *m)
{
	uint64_t now = ss_clock_ns(d->conf.clock);

	sweep(d, is_followed); /* what candidates wanted */
	for (uint32_t i = 0; i < m->n_clusters; i++) {
		struct ss_model_cluster *k = &m->clusters[i];
		struct disco_source *s = k->discovery.present ? disco_find(d, k) : NULL, *old;
		if (!k->discovery.present)
			continue;
		if (!s) {
			s = source_new(d, k);
			if (!s)
				return SS_ERR_NO_MEM;
			if (k->discovery.kind == SS_DISCOVERY_FILE)
				disco_file_look(s, true, now);
			else
				s->due = now; /* asked when it is followed */
		}
		old = s->good ? s : elder(d, s);
		k->n_endpoints = old ? endpoints_of(old->good) : 0;
		k->endpoints = k->n_endpoints ? old->good->clusters[0].endpoints : NULL;
	}
	return 0;
}

/* The paths of all files; those of a model that is followed. */
static void watch_files(struct ss_disco *d)
{
	const char **paths;
	uint32_t n = 0;

	for (struct disco_source *s = d->sources; s; s = s->next)
		n++;
	paths = calloc(n + 1, sizeof(*paths));
	n = 0;
	for (struct disco_source *s = d->sources; paths && s; s = s->next)
		if (s->cluster->discovery.kind == SS_DISCOVERY_FILE)
			paths[n++] = s->cluster->discovery.path;
	if (!paths || ss_watch_files(d->watch, paths, n) < 0)
		ss_log(SS_LOG_ERROR, "files of endpoints are not watched", "reason", "no memory", NULL);
	free(paths);
}

void ss_disco_follow(struct ss_disco *d, const struct ss_model *m)
{
	for (struct disco_source *s = d->sources; s; s = s->next)
		s->wanted = false;
	for (uint32_t i = 0; i < m->n_clusters; i++) {
		const struct ss_model_cluster *k = &m->clusters[i];
		struct disco_source *s = k->discovery.present ? disco_find(d, k) : NULL;
		struct disco_source *old = s && !s->good ? elder(d, s) : NULL;
		if (!s)
			continue;
		s->wanted = true;
		if (old) { /* lent already: it is this one's now */
			s->good = old->good;
			old->good = NULL;
		}
	}
	sweep(d, is_wanted);
	for (struct disco_source *s = d->sources; s; s = s->next) {
		s->followed = true;
		if (s->due != SS_NEVER)
			arm(d, s->due);
	}
	watch_files(d);
	on_files(d); /* what changed before the watch was there */
}

bool ss_disco_state(const struct ss_disco *d, uint32_t i, struct ss_discovery_state *out)
{
	const struct disco_source *s = d->sources;

	while (s && (!s->followed || i--))
		s = s->next;
	if (!s)
		return false;
	*out = (struct ss_discovery_state){.cluster = s->cluster->name,
					   .from = s->cluster->discovery.kind == SS_DISCOVERY_FILE ? s->cluster->discovery.path
												   : s->cluster->discovery.name,
					   .kind = s->cluster->discovery.kind,
					   .n_endpoints = endpoints_of(s->good),
					   .answered = s->good != NULL,
					   .answered_ns = s->answered_ns,
					   .failing = s->failing,
					   .failing_since_ns = s->failing_since_ns,
					   .updates = s->updates,
					   .failures = s->failures};
	return true;
}

int ss_disco_create(struct ss_disco **out, const struct ss_disco_conf *conf)
{
	struct ss_disco *d = calloc(1, sizeof(*d));

	*out = NULL;
	if (!d)
		return SS_ERR_NO_MEM;
	d->conf = *conf;
	if (ss_watch_create(&d->watch, conf->loop, false, on_files, d) < 0) {
		free(d);
		return SS_ERR_NO_MEM;
	}
	*out = d;
	return 0;
}

void ss_disco_free(struct ss_disco *d)
{
	if (!d)
		return;
	for (struct disco_source *s = d->sources; s; s = s->next)
		s->followed = s->wanted = false;
	sweep(d, is_followed);
	ss_loop_end(d->timer);
	ss_watch_free(d->watch);
	free(d);
}
