/* disco_check.c - what is wrong with the files that a model names, for whoever asks before it is in force. */
#include <unistd.h>

#include "base/err.h"
#include "cfg/cfg.h"
#include "discovery/disco_int.h"

/* Every line, not the one that a source keeps. False: it is good by now. */
static bool read_again(const struct disco_source *s, struct ss_model_errors *bad)
{
	struct ss_model *answer;

	if (ss_cfg_endpoints(s->cluster->discovery.path, &answer, bad) < 0)
		return true;
	ss_model_free(answer);
	return false;
}

static void tell(const struct ss_model_cluster *k, const struct disco_source *s, struct ss_model_errors *bad,
		 struct ss_model_errors *absent)
{
	if (access(s->cluster->discovery.path, F_OK) < 0)
		ss_model_error(absent, &k->src, "discovery.path",
			       "%s is not there: cluster \"%s\" has %u endpoints until it is", s->cluster->discovery.path,
			       k->name, k->n_endpoints);
	else if (!read_again(s, bad))
		/* Well formed, and still refused: more endpoints than there is place for. */
		ss_model_error(bad, &k->src, "discovery.path", "%s: %s", s->cluster->discovery.path, s->failing);
}

void ss_disco_faults(const struct ss_disco *d, const struct ss_model *m, struct ss_model_errors *bad,
		     struct ss_model_errors *absent)
{
	for (uint32_t i = 0; i < m->n_clusters; i++) {
		const struct ss_model_cluster *k = &m->clusters[i];
		const struct disco_source *s = NULL;
		if (k->discovery.present && k->discovery.kind == SS_DISCOVERY_FILE)
			s = disco_find(d, k);
		if (s && s->failing)
			tell(k, s, bad, absent);
	}
}
